//! `roomcast`: everything on one machine, and the tools of whoever runs it.
//!
//! `serve` is all four services in one process; `admin` speaks to the admin port of any
//! installation; `doctor` asks the parts that a config names; `config` tells what can be set;
//! `token` gets a token from the development issuer.
mod admin;
mod compose;
mod config;
mod doctor;
mod issuer;
mod output;
mod page;
mod reference;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime::args::ServiceArgs;

/// Gives memory back soon after sockets have closed.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "roomcast", version, about = "Chat and live rooms: one order, nothing lost")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything in one process, until it is told to stop.
    Serve(ServiceArgs),
    /// Administers an installation through its admin port.
    Admin(Box<admin::AdminArgs>),
    /// Tells what can be configured, and what is wrong with a config.
    #[command(subcommand)]
    Config(config::command::ConfigCommand),
    /// Asks each part that a config names, and says what to do about those that fail.
    Doctor(ServiceArgs),
    /// Asks the running `serve` of this machine whether it is ready: code 0 if it is, else 1.
    Health(ServiceArgs),
    /// Makes an access token of the development issuer, with the key in the data directory.
    Token(token::TokenArgs),
    /// Prints all commands as a Markdown page.
    #[command(hide = true)]
    Reference,
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Serve(args) => runtime::run_with("roomcast", &args, config::load, compose::serve),
        Command::Admin(args) => admin::run(*args),
        Command::Config(command) => config::command::run(command),
        Command::Doctor(args) => doctor::run(args),
        Command::Health(args) => {
            runtime::health::run("roomcast", &args, |loader| drop(config::load(loader)))
        }
        Command::Token(args) => token::run(args),
        Command::Reference => reference::run::<CommandLine>(),
    }
}
