//! `signin`: two people sign in at a real Keycloak in browsers and chat over many lifetimes of a token.
//!
//! The tests take a minute of it; the verb takes as long as it is told.
use anyhow::Result;

use crate::shell::{self, Shell};
use crate::{parts, web};

/// How long the chat of the ordinary tests is, in seconds.
pub const SHORT_S: u32 = 60;

pub fn run(shell: &Shell, seconds: u32) -> Result<()> {
    parts::for_tests(shell)?;
    web::build(shell)?;
    shell.cargo(&["build", "--workspace", "--bins"])?;
    chat(shell, seconds)
}

/// The browsers, on what is built.
pub fn chat(shell: &Shell, seconds: u32) -> Result<()> {
    let words = ["run", "--silent", "e2e", "--", "--config", "playwright.keycloak.config.ts"];
    let mut command = shell.command("web", "npm", &words);
    command.env("CHAT_SECONDS", seconds.to_string());
    command.env("ROOMCAST_CLUSTER", shell.target().join("debug/roomcast-cluster"));
    shell::run(command)
}
