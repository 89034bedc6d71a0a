//! The command line as a Markdown page, told by the parser itself.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Command, CommandFactory};

use crate::output;

/// Prints every command with its help.
pub fn run<T: CommandFactory>() -> ExitCode {
    let mut root = T::command().term_width(96).disable_help_subcommand(true);
    root.build();
    let mut page = String::from(
        "# Commands\n\nA variable in brackets gives the same as the argument; the argument wins.\n",
    );
    let name = root.get_name().to_owned();
    show(&mut root, &name, &mut page);
    output::print(&page);
    ExitCode::SUCCESS
}

fn show(command: &mut Command, path: &str, page: &mut String) {
    let help = command.render_help().to_string();
    // Help pads its lines.
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {path}\n\n```text\n{}\n```\n", help.join("\n"));
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .map(|inner| inner.get_name().to_owned())
        .collect();
    for name in names {
        if let Some(inner) = command.find_subcommand_mut(&name) {
            show(inner, &format!("{path} {name}"), page);
        }
    }
}
