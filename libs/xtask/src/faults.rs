//! `faults`: the long form of the fault tests, for nights rather than for every change.
//!
//! The ordinary tests make each fault once or a few times. These are the tests marked `ignored`
//! in `libs/cluster`: many seeded rounds against real processes, real brokers, real databases.
use anyhow::Result;

use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{parts, test};

pub fn run(shell: &Shell, args: &[String]) -> Result<()> {
    let mut report = Report::new();
    let ready = report.step("parts", || parts::for_tests(shell))
        && report.step("build", || test::build(shell));
    if ready {
        let mut words =
            vec!["test", "--workspace", "--no-fail-fast", "--test", "*", "--", "--ignored"];
        words.extend(["--nocapture", "--test-threads=1"]);
        words.extend(args.iter().map(String::as_str));
        report.noted_step("faults", || {
            let command = shell.command("", "cargo", &words);
            shell::run_keeping(command, |line| line.starts_with("test result:"))
        });
    }
    report.finish()
}
