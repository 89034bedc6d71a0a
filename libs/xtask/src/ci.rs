//! `ci`: everything that a change has to pass, on one machine, with the time that each step took.
//!
//! The checks of dependencies and of the chart may have to build their tools first, which takes
//! minutes: that is done beside the other steps. The cheap steps come first, so that a slip is told early; all of them run.
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{chart, dashboards, r#gen, k8s, parts, test, tidy, web};

pub fn run(shell: &Shell) -> Result<()> {
    let begun = Instant::now();
    let mut report = Report::new();
    let beside = shell.clone();
    let deny = thread::spawn(move || {
        let begun = Instant::now();
        (begun.elapsed(), parts::cargo_deny(&beside))
    });
    let beside = shell.clone();
    let tools = thread::spawn(move || parts::tools::all(&beside));
    report.step("format", || shell.cargo(&["fmt", "--all", "--check"]));
    report.step("tidy", || tidy::run(shell));
    if report.step("npm ci", || web::install(shell)) {
        report.step("page types", || shell.npm(&["run", "--silent", "typecheck"]));
        report.step("page lint", || shell.npm(&["run", "--silent", "lint"]));
        report.step("client package", || shell.npm(&["run", "--silent", "build:client"]));
    }
    report.step("proto lint", || buf(shell, &["lint"]));
    proto_breaking(shell, &mut report);
    report.step("clippy", || {
        shell.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    });
    test::groups(shell, &[], &mut report);
    report.step("dashboards", || dashboards::run(shell, "debug"));
    report.step("reference pages", || r#gen::run(shell, true));
    let panicked = |_| (Duration::ZERO, Err(anyhow::anyhow!("the step panicked; see above")));
    let (took, program) = deny.join().unwrap_or_else(panicked);
    match program {
        Ok(program) => dependencies(shell, &program, &mut report),
        Err(error) => {
            report.add("dependencies", took, vec![], Err(error));
        }
    }
    // What went wrong with them is told by the chart's own step.
    drop(tools.join());
    chart::steps(shell, false, &mut report);
    k8s::in_ci(shell, &mut report);
    println!("\nall steps: {:.0} s", begun.elapsed().as_secs_f64());
    report.finish()
}

/// Bans, licences and sources; advisories too, where their database can be fetched.
fn dependencies(shell: &Shell, program: &Path, report: &mut Report) {
    let deny = |checks: &[&str]| {
        let mut words = vec!["--workspace", "--color", "never", "check", "--hide-inclusion-graph"];
        words.extend(checks);
        shell.command("", &program.to_string_lossy(), &words)
    };
    report.step("dependencies", || shell::run(deny(&["bans", "licenses", "sources"])));
    match shell::output(deny(&["advisories"])) {
        Err(error) if error.to_string().contains("failed to fetch advisory database") => {
            report.skip("advisories", "their database cannot be fetched from here");
        }
        ended => {
            report.step("advisories", || ended.map(drop));
        }
    }
}

fn buf(shell: &Shell, args: &[&str]) -> Result<()> {
    let program = parts::buf(shell)?;
    shell::run(shell.command("", &program.to_string_lossy(), args))
}

/// Compares the proto files with the last release, or with the branch that this one left.
fn proto_breaking(shell: &Shell, report: &mut Report) {
    let git = |args: &[&str]| {
        shell::output(shell.command("", "git", args)).map(|text| text.trim().to_owned())
    };
    let before = git(&["describe", "--tags", "--abbrev=0", "--match", "v*"])
        .or_else(|_| git(&["merge-base", "HEAD", "origin/main"]))
        .or_else(|_| git(&["rev-parse", "--verify", "HEAD"]));
    let has_proto = |commit: &str| git(&["cat-file", "-e", &format!("{commit}:buf.yaml")]).is_ok();
    match before {
        Ok(commit) if has_proto(&commit) => {
            let against = format!(".git#ref={commit}");
            report.step("proto breaking", || buf(shell, &["breaking", "--against", &against]));
        }
        _ => report.skip("proto breaking", "no commit to compare with"),
    }
}
