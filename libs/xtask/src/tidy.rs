//! `tidy`: the house rules that no other tool checks, as findings with file, line and reason.
//!
//! Each rule is a pure function from text to findings, so that its test can show it firing.
//! Rules look at what git knows or would add; generated and golden files are left out by name.
mod file;
mod layer;
mod manifest;
mod word;

use std::fmt;

use anyhow::{Result, bail};

use crate::shell::Shell;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
    why: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.what, self.why)
    }
}

/// A text file under the rules.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn finding(&self, line: usize, what: impl Into<String>, why: &'static str) -> Finding {
        Finding { path: self.path.to_owned(), line, what: what.into(), why }
    }

    fn is(&self, ending: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == ending)
    }

    /// Lines counted from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

pub fn run(shell: &Shell) -> Result<()> {
    let mut findings = Vec::new();
    let files = shell.files(".")?;
    for path in &files {
        file::name(path, &mut findings);
        let bytes = std::fs::read(shell.root().join(path))?;
        // What is no text (images, fonts) has no rules but its name.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let source = Source { path, text: &text };
        if file::is_generated(path) {
            continue;
        }
        file::check(&source, &mut findings);
        word::check(&source, &mut findings);
        if path.ends_with("/Cargo.toml") {
            manifest::check(&source, &mut findings);
        }
    }
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(shell.root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let packages = layer::Package::of_workspace(&metadata, shell.root())?;
    layer::check(&packages, &mut findings);
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            eprintln!("tidy: {} files, nothing found", files.len());
            Ok(())
        }
        found => bail!("tidy: {found} findings in {} files", files.len()),
    }
}

/// Runs one rule over a text, for tests.
#[cfg(test)]
fn of(rule: impl Fn(&Source<'_>, &mut Vec<Finding>), path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    rule(&Source { path, text }, &mut findings);
    findings.iter().map(ToString::to_string).collect()
}
