//! `bench`: builds for speed, then runs the load generator against real processes.
//!
//! What it measures and prints is the load generator's business (`libs/bench`); this verb only
//! makes sure that nothing is measured that was built for debugging.
use anyhow::{Context, Result};

use crate::shell::{self, Shell};
use crate::{parts, web};

pub fn run(shell: &Shell, args: &[String]) -> Result<()> {
    parts::for_tests(shell)?;
    web::build(shell)?;
    shell.cargo(&["build", "--workspace", "--bins", "--release"])?;
    let binary = shell.target().join("release/roomcast-bench");
    let binary = binary.to_str().context("the target folder's path is no text")?;
    shell::run(shell.command("", binary, args))
}
