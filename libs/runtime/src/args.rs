//! The command line that every service has: `--config FILE`, `--version`, `--help`.
//!
//! All else is config, so that one file or one set of environment variables describes a process.
//! The all-in-one binary has commands of its own and flattens [`ServiceArgs`] into them.
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser};

/// Arguments of a process that runs until it is told to stop.
#[derive(Debug, Clone, Default, Args)]
pub struct ServiceArgs {
    /// Config file (TOML). Without one the defaults and the environment count.
    #[arg(long, value_name = "FILE", env = "ROOMCAST_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    #[command(flatten)]
    service: ServiceArgs,
}

/// Reads the command line of the service `name`. A wrong one, `--help` and `--version` end the
/// process here, as users of command lines expect (code 2 for a wrong one).
pub fn parse(name: &'static str) -> ServiceArgs {
    let command = CommandLine::command().name(name).bin_name(crate::process::program(name));
    let matches = command.get_matches();
    match CommandLine::from_arg_matches(&matches) {
        Ok(line) => line.service,
        Err(error) => error.exit(),
    }
}
