//! `roomcast config check | defaults | schema | reference`.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use runtime::args::ServiceArgs;
use runtime::config::{ConfigProblems, Loader};
use runtime::ops::OpsConfig;
use runtime::telemetry::TelemetryConfig;

use super::reference::Reference;
use crate::output;

/// What is asked about the config.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Tells every problem of a config at once; exit code 64 if there is one.
    Check(ServiceArgs),
    /// Prints a config file with every key at its default.
    Defaults,
    /// Prints the JSON Schema of the config file.
    Schema,
    /// Prints every key as a Markdown page.
    Reference,
}

/// Answers it.
pub fn run(command: ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Check(args) => return check(args.config),
        ConfigCommand::Defaults => output::print(&Reference::of_all().defaults()),
        ConfigCommand::Schema => output::print(&Reference::of_all().schema()),
        ConfigCommand::Reference => output::print(&Reference::of_all().page()),
    }
    ExitCode::SUCCESS
}

fn check(file: Option<PathBuf>) -> ExitCode {
    match look(file) {
        Ok(()) => {
            output::print("the config has no problems\n");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(ConfigProblems::EXIT_CODE)
        }
    }
}

/// Looks into every section that any process has, also those that this binary does not use.
fn look(file: Option<PathBuf>) -> Result<(), ConfigProblems> {
    let mut loader = Loader::open(file)?;
    super::load(&mut loader);
    let _: bus::BusConfig = loader.section("bus", bus::BusConfig::problems);
    let _: TelemetryConfig = loader.section("telemetry", TelemetryConfig::problems);
    let _: OpsConfig = loader.section("ops", OpsConfig::problems);
    loader.finish()
}
