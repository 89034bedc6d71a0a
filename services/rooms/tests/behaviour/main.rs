//! What the rooms service does as a whole, each file one side of it.
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
