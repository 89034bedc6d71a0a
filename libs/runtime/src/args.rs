//! The command line that every service has: `--config FILE`, `--version`, `--help`, and `health`.
//!
//! All else is config, so that one file or one set of environment variables describes a process.
//! The all-in-one binary has commands of its own and flattens [`ServiceArgs`] into them.
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

/// Arguments of a process that runs until it is told to stop.
#[derive(Debug, Clone, Default, Args)]
pub struct ServiceArgs {
    /// Config file (TOML). Without one the defaults and the environment count.
    #[arg(long, global = true, value_name = "FILE", env = "ROOMCAST_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(subcommand)]
    instead: Option<Instead>,
}

/// What a service's program does instead of serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Instead {
    /// Asks the running service whether it is ready: code 0 if it is, else 1.
    Health,
}

/// Reads the command line of the service `name`. A wrong one, `--help` and `--version` end the
/// process here, as users of command lines expect (code 2 for a wrong one).
pub fn parse(name: &'static str) -> (ServiceArgs, Option<Instead>) {
    let command = CommandLine::command().name(name).bin_name(crate::process::program(name));
    let matches = command.get_matches();
    match CommandLine::from_arg_matches(&matches) {
        Ok(line) => (line.service, line.instead),
        Err(error) => error.exit(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_may_be_named_before_and_behind_the_word() {
        let word = |line: &[&str]| CommandLine::try_parse_from(line).unwrap();
        for line in [["x", "--config", "a", "health"], ["x", "health", "--config", "a"]] {
            let line = word(&line);
            assert_eq!(line.instead, Some(Instead::Health));
            assert_eq!(line.service.config, Some(PathBuf::from("a")));
        }
        assert_eq!(word(&["x"]).instead, None);
    }
}
