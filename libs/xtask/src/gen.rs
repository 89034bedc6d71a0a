//! `gen`: writes the reference pages under `docs/reference` from the program itself.
//!
//! Nothing in these pages is written by hand, so they cannot say what the program does not do;
//! `--check` fails when one is out of date, and CI runs it.
use anyhow::{Context, Result, bail};

use crate::shell::{self, Shell};

/// Where the pages lie.
const FOLDER: &str = "docs/reference";
/// What stands above a page that a program wrote.
const MARK: &str = "<!-- Written by `cargo xtask gen`; changes here are lost. -->\n";

pub fn run(shell: &Shell, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for (name, text) in pages(shell)? {
        let path = format!("{FOLDER}/{name}");
        let full = shell.root().join(&path);
        let before = std::fs::read_to_string(&full).unwrap_or_default();
        if before == text {
            continue;
        }
        stale.push(path.clone());
        if !check {
            std::fs::create_dir_all(shell.root().join(FOLDER))?;
            std::fs::write(&full, text).with_context(|| path.clone())?;
            eprintln!("gen: wrote {path}");
        }
    }
    if check && !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask gen`", stale.join(", "));
    }
    Ok(())
}

fn pages(shell: &Shell) -> Result<Vec<(&'static str, String)>> {
    shell.cargo(&["build", "--workspace", "--bin", "roomcast"])?;
    let binary = shell.target().join("debug/roomcast");
    let binary = binary.to_str().context("the target folder's path is no text")?;
    let ask = |args: &[&str]| {
        let mut command = shell.command("", binary, args);
        // What stands in somebody's shell must not get into a page.
        command.env_clear();
        shell::output(command)
    };
    Ok(vec![
        ("codes.md", format!("{MARK}{}", wire::reference())),
        ("config.md", format!("{MARK}{}", ask(&["config", "reference"])?)),
        ("roomcast.defaults.toml", ask(&["config", "defaults"])?),
        ("roomcast.schema.json", ask(&["config", "schema"])?),
        ("commands.md", format!("{MARK}{}", ask(&["reference"])?)),
    ])
}
