//! `faults`: the fault tests again and again, for nights rather than for every change.
//!
//! The ordinary tests make each fault once or a few times. Here they run in rounds against the
//! same real processes, brokers and databases, those marked `ignored` too, until the rounds are
//! done or one fails: then the log of that round is the last thing on the screen.
use anyhow::Result;

use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{parts, test};

/// The test binary of `libs/cluster`, and what its modules about faults have in their names.
const TESTS: &str = "system";
const FAULTS: [&str; 3] = ["_dies", "paused_", "drain"];

/// `only` narrows it to tests with that in their names.
pub fn run(shell: &Shell, rounds: u32, only: &[String]) -> Result<()> {
    let mut report = Report::new();
    let ready = report.step("parts", || parts::for_tests(shell))
        && report.step("build", || test::build(shell));
    let mut words = vec!["test", "--workspace", "--test", TESTS, "--", "--include-ignored"];
    if only.is_empty() {
        words.extend(FAULTS);
    } else {
        words.extend(only.iter().map(String::as_str));
    }
    for round in 1..=rounds {
        let name = format!("round {round} of {rounds}");
        let passed = ready
            && report.noted_step(&name, || {
                let command = shell.command("", "cargo", &words);
                shell::run_keeping(command, test::is_closing)
            });
        if !passed {
            break;
        }
    }
    report.finish()
}
