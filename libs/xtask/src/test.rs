//! `test`: every test there is, in groups; one group's failure does not hide another's.
//!
//! The rooms service is built twice: once with failpoints, for the fault tests, put aside into
//! `target/failpoints`, and then as it ships. The ordinary build comes last because both leave
//! the same file. The closing lines of `cargo test` are shown once more at the end.
use anyhow::{Context, Result};

use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{parts, signin, web};

pub fn run(shell: &Shell, args: &[String]) -> Result<()> {
    let mut report = Report::new();
    groups(shell, args, &mut report);
    report.finish()
}

/// Takes all groups as steps of a run.
pub fn groups(shell: &Shell, args: &[String], report: &mut Report) {
    let parts = report.step("parts", || parts::for_tests(shell));
    let page = report.step("page", || web::build(shell));
    let built = report.step("build", || build(shell));
    if parts && built {
        report.noted_step("cargo test", || cargo_test(shell, args));
    } else {
        report.skip("cargo test", "needs the parts and the build");
    }
    if !page {
        report.skip("page tests", "need the page");
        report.skip("browser tests", "need the page");
        report.skip("browsers at Keycloak", "need the page");
        return;
    }
    report.step("page tests", || page_tests(shell));
    if parts && built {
        report.step("browser tests", || shell.npm(&["run", "--silent", "e2e"]));
        report.step("browsers at Keycloak", || signin::chat(shell, signin::SHORT_S));
    } else {
        report.skip("browser tests", "need the parts and the build");
        report.skip("browsers at Keycloak", "need the parts and the build");
    }
}

/// Every binary, and the rooms service with failpoints in `target/failpoints`.
pub fn build(shell: &Shell) -> Result<()> {
    let with_failpoints = [
        "build",
        "--workspace",
        "--bin",
        "roomcast-rooms",
        "--features",
        "roomcast-rooms/failpoints",
    ];
    shell.cargo(&with_failpoints)?;
    let aside = shell.target().join("failpoints");
    std::fs::create_dir_all(&aside)?;
    let built = shell.target().join("debug/roomcast-rooms");
    // A running copy cannot be written over, but it can be replaced.
    let fresh = aside.join("roomcast-rooms.new");
    std::fs::copy(&built, &fresh).with_context(|| built.display().to_string())?;
    std::fs::rename(&fresh, aside.join("roomcast-rooms"))?;
    shell.cargo(&["build", "--workspace", "--bins"])
}

/// Told where the server is, none of them is left out for want of one.
fn page_tests(shell: &Shell) -> Result<()> {
    let mut command = shell.command("web", "npm", &["run", "--silent", "test"]);
    command.env("ROOMCAST_BINARY", shell.target().join("debug/roomcast"));
    shell::run(command)
}

fn cargo_test(shell: &Shell, args: &[String]) -> (Vec<String>, Result<()>) {
    let mut words = vec!["test", "--workspace", "--no-fail-fast"];
    words.extend(args.iter().map(String::as_str));
    shell::run_keeping(shell.command("", "cargo", &words), is_closing)
}

/// What a test binary says last, and the names of tests that failed.
pub fn is_closing(line: &str) -> bool {
    let empty = line.contains(" 0 passed; 0 failed; 0 ignored");
    (line.starts_with("test result:") && !empty)
        || (line.starts_with("test ") && line.ends_with("FAILED"))
}

#[cfg(test)]
mod tests {
    use super::is_closing;

    #[test]
    fn closing_lines_are_those_that_say_something() {
        assert!(is_closing("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured"));
        assert!(is_closing("test rooms::a_hole ... FAILED"));
        assert!(!is_closing("test rooms::a_hole ... ok"));
        assert!(!is_closing("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured"));
    }
}
