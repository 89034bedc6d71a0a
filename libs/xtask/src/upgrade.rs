//! `upgrade`: another version's services are replaced by this one's under load, and put back.
//!
//! The other version is built from a revision of this repository, in a working tree and a target
//! folder of its own, so that a second run of it is fast. What an upgrade promises is tested by
//! `libs/cluster/tests/system/upgrade.rs`.
use anyhow::{Context, Result};

use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{parts, test};

/// Where the other version's sources and binaries lie, in the target folder.
const FOLDER: &str = "upgrade";
const SERVICES: [&str; 4] =
    ["roomcast-auth", "roomcast-gateway", "roomcast-presence", "roomcast-rooms"];

/// `from` is what git knows: a tag, a branch, a commit.
pub fn run(shell: &Shell, from: &str, one_way: bool) -> Result<()> {
    let mut report = Report::new();
    let ready = report.step("parts", || parts::for_tests(shell))
        && report.step("build", || test::build(shell))
        && report.noted_step("build of the other version", || match build(shell, from) {
            Ok(line) => (vec![line], Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        });
    if ready {
        report.noted_step(if one_way { "upgrade" } else { "upgrade and back" }, || {
            let mut command = shell.command(
                "",
                "cargo",
                &["test", "--workspace", "--test", "system", "upgrade::", "--", "--nocapture"],
            );
            let binaries = shell.target().join(FOLDER).join("build/debug");
            command.env("ROOMCAST_UPGRADE_FROM", binaries);
            if one_way {
                command.env("ROOMCAST_UPGRADE_ONE_WAY", "1");
            }
            let figures = |line: &str| line.starts_with("published") || test::is_closing(line);
            shell::run_keeping(command, figures)
        });
    }
    report.finish()
}

/// Builds the services of a revision, and gives its line in the log.
fn build(shell: &Shell, from: &str) -> Result<String> {
    let git = |args: &[&str]| shell::output(shell.command("", "git", args));
    let revision = git(&["rev-parse", "--verify", &format!("{from}^{{commit}}")])
        .with_context(|| format!("{from} is no revision here"))?;
    let revision = revision.trim();
    let source = shell.target().join(FOLDER).join("source");
    let place = source.to_string_lossy();
    if source.join(".git").is_file() {
        let words = ["-C", &*place, "checkout", "--quiet", "--force", "--detach", revision];
        shell::run(shell.command("", "git", &words))?;
    } else {
        // A folder that was removed by hand is still on git's list.
        shell::run(shell.command("", "git", &["worktree", "prune"]))?;
        let words = ["worktree", "add", "--force", "--detach", &*place, revision];
        shell::run(shell.command("", "git", &words))?;
    }
    let mut words = vec!["build", "--locked", "--workspace"];
    words.extend(SERVICES.iter().flat_map(|service| ["--bin", service]));
    let mut command = shell.command(&place, "cargo", &words);
    command.env("CARGO_TARGET_DIR", shell.target().join(FOLDER).join("build"));
    shell::run(command)?;
    let line = git(&["log", "-1", "--format=%h %cs %s", revision])?;
    Ok(line.trim().to_owned())
}
