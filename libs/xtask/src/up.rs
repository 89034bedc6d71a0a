//! `up`: from a fresh checkout to a running page, one command.
//!
//! The binary takes this process's place, so that Ctrl-C reaches it and nothing is left behind.
//! It prints the address itself.
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::shell::Shell;
use crate::web;

pub fn run(shell: &Shell, release: bool, args: &[String]) -> Result<()> {
    web::build(shell)?;
    // `--workspace` keeps the features of shared dependencies the same for every verb;
    // with `-p` they would be built again.
    let mut build = vec!["build", "--workspace", "--bin", "roomcast"];
    if release {
        build.push("--release");
    }
    shell.cargo(&build)?;
    let folder = if release { "release" } else { "debug" };
    let binary = shell.target().join(folder).join("roomcast");
    let binary = binary.to_str().context("the target folder's path is no text")?;
    let mut words = vec!["serve"];
    words.extend(args.iter().map(String::as_str));
    let error = shell.command("", binary, &words).exec();
    Err(error).with_context(|| format!("cannot run {binary}"))
}
