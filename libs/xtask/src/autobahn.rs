//! `autobahn`: the WebSocket suite of that name against an echo that is a socket like any other,
//! but for the commands (`services/gateway/tests/socket/echo.rs`).
//!
//! The suite is a program for Python 2.7, which is not installed here: the verb says how. The suite
//! itself is installed into `target/autobahn`, where the report lies too. A case that failed, or
//! whose close did, fails the verb; what the suite calls not strict is listed.
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::shell::{self, Shell};

const SUITE: &str = "autobahntestsuite==25.10.1";
const AGENT: &str = "roomcast";
/// What compressed frames are like, which are never agreed to.
const COMPRESSED: [&str; 2] = ["12.*", "13.*"];
const NO_PYTHON: &str = "the suite needs CPython 2.7, as `python2.7` on the path or from pyenv: \
                         pyenv install 2.7.18";

/// Judgements that pass, beside `NON-STRICT`.
const GOOD: [&str; 2] = ["OK", "INFORMATIONAL"];

/// How a case went, as the suite's own report says.
#[derive(Debug, Deserialize)]
struct Case {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    close: String,
}

/// `only` narrows it to cases as `1.*` or `9.1.1`.
pub fn run(shell: &Shell, only: &[String]) -> Result<()> {
    let place = shell.target().join("autobahn");
    let python = python()?;
    let suite = install(shell, &python, &place.join("python"))?;
    let report = place.join("report");
    if report.is_dir() {
        std::fs::remove_dir_all(&report)?;
    }
    let (mut echo, address) = echo(shell)?;
    let cases = if only.is_empty() { vec!["*".to_owned()] } else { only.to_vec() };
    let spec = json!({
        "outdir": report,
        "servers": [{"agent": AGENT, "url": format!("ws://{address}/echo")}],
        "cases": cases,
        "exclude-cases": COMPRESSED,
        "exclude-agent-cases": {},
    });
    let file = place.join("spec.json");
    std::fs::write(&file, spec.to_string())?;
    let mut command = Command::new(&python);
    command.arg(&suite).args(["--mode", "fuzzingclient", "--spec"]).arg(&file);
    let ended = shell::run(command);
    // The echo ends with its standard input.
    drop(echo.stdin.take());
    echo.wait()?;
    ended?;
    judge(&std::fs::read_to_string(report.join("index.json"))?, &report)
}

fn python() -> Result<PathBuf> {
    let mut found = vec![PathBuf::from("python2.7")];
    let versions = std::env::home_dir().unwrap_or_default().join(".pyenv/versions");
    for entry in std::fs::read_dir(versions).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("2.7") {
            found.push(entry.path().join("bin/python2.7"));
        }
    }
    let runs = |program: &PathBuf| {
        let mut command = Command::new(program);
        command.arg("--version");
        shell::output(command).is_ok()
    };
    found.into_iter().find(runs).context(NO_PYTHON)
}

/// Installs the suite and gives the program that runs it from its own folder.
fn install(shell: &Shell, python: &Path, into: &Path) -> Result<PathBuf> {
    let start = into.join("roomcast_wstest.py");
    if !start.is_file() {
        std::fs::create_dir_all(into)?;
        let folder = into.to_string_lossy();
        let words = ["-m", "pip", "install", "--upgrade", "--target", &*folder, SUITE];
        shell::run(shell.command("", &python.to_string_lossy(), &words))?;
        let text = format!(
            "import site\nsite.addsitedir({folder:?})\n\
             from autobahntestsuite.wstest import run\nrun()\n"
        );
        std::fs::write(&start, text)?;
    }
    Ok(start)
}

/// Starts the echo; it says where it listens.
fn echo(shell: &Shell) -> Result<(Child, String)> {
    shell.cargo(&["test", "--workspace", "--test", "socket", "--no-run"])?;
    let words = [
        "test",
        "--workspace",
        "--test",
        "socket",
        "--",
        "--ignored",
        "--exact",
        "--nocapture",
        "echo::it_is_served",
    ];
    let mut command = shell.command("", "cargo", &words);
    let mut echo = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(echo.stdout.take().context("no output")?).lines();
    let address = loop {
        let Some(line) = lines.next() else { bail!("the echo ended before it listened") };
        if let Some((_, address)) = line?.split_once("echo at ") {
            break address.to_owned();
        }
    };
    // Whatever it still says is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.count());
    Ok((echo, address))
}

/// Reads the suite's report.
fn judge(index: &str, report: &Path) -> Result<()> {
    let mut agents: BTreeMap<String, BTreeMap<String, Case>> = serde_json::from_str(index)?;
    let cases = agents.remove(AGENT).context("the report has no such agent")?;
    let (mut failed, mut lenient) = (Vec::new(), Vec::new());
    for (name, case) in &cases {
        let shown = format!("{name}: {} / close {}", case.behavior, case.close);
        let passes = |judgement: &str| GOOD.contains(&judgement) || judgement == "NON-STRICT";
        if !passes(&case.behavior) || !GOOD.contains(&case.close.as_str()) {
            failed.push(shown);
        } else if case.behavior == "NON-STRICT" {
            lenient.push(shown);
        }
    }
    println!(
        "{} cases, {} not strict, {} failed; {}",
        cases.len(),
        lenient.len(),
        failed.len(),
        report.join("index.html").display()
    );
    lenient.iter().chain(&failed).for_each(|line| println!("  {line}"));
    if cases.is_empty() || !failed.is_empty() {
        bail!("{} cases failed", failed.len())
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(behavior: &str, close: &str) -> Result<()> {
        let case = json!({"behavior": behavior, "behaviorClose": close, "duration": 1});
        judge(&json!({"roomcast": {"1.1.1": case}}).to_string(), Path::new(""))
    }

    #[test]
    fn only_good_cases_with_good_closes_pass() {
        assert!(judged("OK", "OK").is_ok() && judged("NON-STRICT", "INFORMATIONAL").is_ok());
        for (behavior, close) in [
            ("FAILED", "OK"),
            ("OK", "FAILED"),
            ("OK", "WRONG CODE"),
            ("OK", "UNCLEAN"),
            ("UNIMPLEMENTED", "OK"),
        ] {
            assert!(judged(behavior, close).is_err(), "{behavior} {close}");
        }
        assert!(judge(r#"{"roomcast":{}}"#, Path::new("")).is_err());
    }
}
