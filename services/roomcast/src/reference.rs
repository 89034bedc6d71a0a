//! The command line as a Markdown page, told by the parser itself.
use std::process::ExitCode;

use clap::{Command, CommandFactory};

/// Prints every command with its help.
pub fn run<T: CommandFactory>() -> ExitCode {
    let mut root = T::command().term_width(96).disable_help_subcommand(true);
    root.build();
    println!("# Commands\n");
    println!("A variable in brackets gives the same as the argument; the argument wins.");
    let name = root.get_name().to_owned();
    show(&mut root, &name);
    ExitCode::SUCCESS
}

fn show(command: &mut Command, path: &str) {
    println!("\n## {path}\n\n```text\n{}\n```", command.render_help().to_string().trim_end());
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .map(|inner| inner.get_name().to_owned())
        .collect();
    for name in names {
        if let Some(inner) = command.find_subcommand_mut(&name) {
            show(inner, &format!("{path} {name}"));
        }
    }
}
