//! `fuzz`: the targets of `libs/fuzz` under libFuzzer, with what was tried and what was found.
//!
//! Needs a nightly toolchain, for the instrumentation, and cargo-fuzz, which is installed if it is
//! absent. Everything lies in `target/fuzz`: programs, growing corpora, a log and the findings of
//! each target. It begins from the inputs in the repository; `--keep` brings the small ones back.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Shell};

mod corpus;

const TOOLCHAIN: &str = "+nightly";
const CARGO_FUZZ: &str = "0.13.2";
/// Each target and its longest input in bytes; a test of `libs/fuzz` holds both lists together.
const TARGETS: [(&str, usize); 8] = [
    ("frames", 4_096),
    ("json_commands", 16_384),
    ("protobuf_commands", 16_384),
    ("room_names", 600),
    ("tokens", 20_000),
    ("bus_bodies", 16_384),
    ("config", 4_096),
    ("requests", 8_192),
];
/// More memory than this is a finding, in MiB.
const MEMORY_MIB: u32 = 1_024;
/// A single input that takes longer is a finding, in seconds.
const INPUT_SECONDS: u32 = 5;

/// What the command line asks for.
#[derive(Debug, clap::Args)]
pub struct Wish {
    /// Targets; all without one.
    only: Vec<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// How many run at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// `address` finds wrong uses of memory in `unsafe` code of dependencies, at a third of the speed.
    #[arg(long, default_value = "none")]
    sanitizer: String,
    /// Afterwards puts the smallest inputs that reach everything into the repository.
    #[arg(long)]
    keep: bool,
}

/// A target and its places.
struct Target {
    name: &'static str,
    bytes_max: usize,
    place: PathBuf,
}

pub fn run(shell: &Shell, wish: &Wish) -> Result<()> {
    let place = shell.target().join("fuzz");
    let known = |name: &String| TARGETS.iter().any(|(known, _)| known == name);
    if let Some(unknown) = wish.only.iter().find(|name| !known(name)) {
        bail!("no target {unknown}; there are {}", TARGETS.map(|(name, _)| name).join(", "));
    }
    let wanted = |name: &str| wish.only.is_empty() || wish.only.iter().any(|only| only == name);
    let targets = TARGETS.into_iter().filter(|(name, _)| wanted(name));
    let targets: Vec<Target> = targets
        .map(|(name, bytes_max)| Target { name, bytes_max, place: place.join(name) })
        .collect();
    tools(shell)?;
    build(shell, &place, &wish.sanitizer)?;
    let mut found = 0;
    for group in targets.chunks(wish.jobs.max(1)) {
        let mut running = Vec::new();
        for target in group {
            corpus::unpack(shell, target.name, &target.place.join("seeds"))?;
            running.push(start(&place, target, wish.seconds)?);
        }
        for (target, mut child) in group.iter().zip(running) {
            let ended = child.wait()?;
            found += tell(target, ended.success())?;
        }
    }
    if wish.keep {
        for target in &targets {
            corpus::keep(shell, &program(&place, target.name), target.name, &target.place)?;
        }
    }
    if found > 0 {
        bail!("{found} findings; each is an input to run the program with")
    } else {
        Ok(())
    }
}

/// The toolchain and cargo-fuzz.
fn tools(shell: &Shell) -> Result<()> {
    shell::output(shell.command("", "cargo", &[TOOLCHAIN, "--version"]))
        .context("fuzzing needs a nightly toolchain: rustup toolchain install nightly")?;
    if shell::output(shell.command("", "cargo", &["fuzz", "--version"])).is_err() {
        eprintln!("cargo-fuzz is absent: it is installed into cargo's own folder");
        shell.cargo(&["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ])?;
    }
    Ok(())
}

fn build(shell: &Shell, place: &Path, sanitizer: &str) -> Result<()> {
    let target_dir = place.join("build");
    let words = [
        TOOLCHAIN,
        "fuzz",
        "build",
        "--fuzz-dir",
        "libs/fuzz",
        "--features",
        "libfuzzer",
        "--sanitizer",
        sanitizer,
        "--codegen-units",
        "16",
        "--target-dir",
        &target_dir.to_string_lossy(),
    ];
    shell.cargo(&words)
}

fn program(place: &Path, target: &str) -> PathBuf {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    place.join("build").join(triple).join("release").join(target)
}

/// Starts a target; its log is written while it runs.
fn start(place: &Path, target: &Target, seconds: u64) -> Result<Child> {
    let (corpus, found) = (target.place.join("corpus"), target.place.join("found"));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&found)?;
    let log = File::create(target.place.join("log"))?;
    eprintln!("{}: {seconds} s, log in {}", target.name, target.place.join("log").display());
    let mut command = Command::new(program(place, target.name));
    command
        .arg(&corpus)
        .arg(target.place.join("seeds"))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={}", target.bytes_max))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-reload=0"])
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().with_context(|| format!("cannot run {}", target.name))
}

/// Prints a line about a target that has ended; gives the number of its findings.
fn tell(target: &Target, succeeded: bool) -> Result<usize> {
    let log = fs::read(target.place.join("log"))?;
    let log = String::from_utf8_lossy(&log);
    let mut findings = Vec::new();
    for entry in fs::read_dir(target.place.join("found"))? {
        findings.push(entry?.path());
    }
    let runs = after(&log, "stat::number_of_executed_units:").unwrap_or("?");
    let (edges, features) =
        (after(&log, " cov: ").unwrap_or("?"), after(&log, " ft: ").unwrap_or("?"));
    let corpus = fs::read_dir(target.place.join("corpus"))?.count();
    println!(
        "{:<18} {runs:>10} runs  {edges:>6} edges  {features:>6} features  {corpus:>5} inputs  {} findings",
        target.name,
        findings.len()
    );
    for finding in &findings {
        println!("  {}", finding.display());
    }
    if !succeeded && findings.is_empty() {
        bail!(
            "{} ended badly without a finding: see {}",
            target.name,
            target.place.join("log").display()
        );
    }
    Ok(findings.len())
}

/// The word after the last `mark` of a log.
fn after<'a>(log: &'a str, mark: &str) -> Option<&'a str> {
    log.rsplit_once(mark)?.1.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_a_log() {
        let log = "#2 INITED cov: 3 ft: 4 corp: 1/1b\n#9 NEW cov: 12 ft: 34 corp: 2/9b\n\
                   stat::number_of_executed_units: 5678\n";
        assert_eq!(after(log, " cov: "), Some("12"));
        assert_eq!(after(log, " ft: "), Some("34"));
        assert_eq!(after(log, "stat::number_of_executed_units:"), Some("5678"));
        assert_eq!(after("", " cov: "), None);
    }
}
