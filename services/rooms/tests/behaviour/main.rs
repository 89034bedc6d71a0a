//! What the rooms service does as a whole, each file one side of it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test is how a test speaks"
)]
mod admin;
#[cfg(feature = "failpoints")]
mod crash;
mod database;
mod given;
mod history;
mod publish;
mod rights;
mod startup;
mod watch;
