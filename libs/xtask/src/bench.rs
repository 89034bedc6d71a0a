//! `bench`: builds for speed, starts fresh systems of real processes, and runs each scenario.
//!
//! Every scenario gets a system of its own, so that the memory of one is not the other's. What is
//! measured is the load generator's business (`libs/bench`); here stand the plan and the goals.
//! Figures go to `target/bench/figures.json`, and in short to the screen.
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::shell::{self, Shell};
use crate::{parts, web};

/// Shapes of the system: what `roomcast-cluster` is told, and what the figures are called.
const SHAPES: [(&str, &str); 3] = [("all-in-one", "0"), ("processes", "1"), ("processes", "3")];

/// Scenarios with their goals. The goals are those of two cores, from what other servers cost
/// there: 1.5 times a small Go hub, which took 16.1 µs a delivery to a room of 1,000 and did 6,600
/// connects a CPU second; for rooms of 20, six times a Python system behind nginx (116 µs).
const SCENARIOS: [(&str, &str); 7] = [
    ("large-room", "fanout --rooms 1 --members 1000 --rate 20 --goal-us 10.7"),
    ("small-rooms", "fanout --rooms 100 --members 20 --rate 200 --publishers 10 --goal-us 19.3"),
    ("busy-room", "fanout --rooms 1 --members 1000 --rate 150 --seconds 10"),
    ("idle", "idle --goal-kib 14"),
    ("storm", "storm --goal-per-cpu-s 7900"),
    ("ack", "ack --goal-p50-us 5000 --goal-per-s 20000"),
    ("abuse", "abuse --goal-mib 64 --goal-percent 20"),
];

/// Connections share these many users, below what one user may hold on a gateway.
const USERS: &str = "200";

/// Limits of one user or connection that a load generator of few users would run into.
const RAISED: [(&str, &str); 5] = [
    ("ROOMCAST_GATEWAY__LIMITS__COMMANDS_PER_SECOND", "10000"),
    ("ROOMCAST_GATEWAY__LIMITS__USER_PUBLISHES_PER_SECOND", "10000"),
    ("ROOMCAST_GATEWAY__LIMITS__USER_PUBLISHES_BURST", "10000"),
    ("ROOMCAST_GATEWAY__LIMITS__ROOM_PUBLISHES_PER_SECOND", "10000"),
    ("ROOMCAST_GATEWAY__LIMITS__UPGRADES_PER_SECOND", "20000"),
];

/// Beside attackers every limit stands as it is by default, but one: here all of them, and the
/// honest, have one address, and only some of them are to be thought of as behind it.
const ATTACKED: [(&str, &str); 1] =
    [("ROOMCAST_GATEWAY__LIMITS__UNAUTHENTICATED_PER_ADDRESS_MAX", "0")];

/// `only` narrows it to scenarios and shapes with these in their names (`idle`, `processes-3`).
pub fn run(shell: &Shell, only: &[String]) -> Result<()> {
    parts::for_tests(shell)?;
    web::build(shell)?;
    shell.cargo(&["build", "--workspace", "--bins", "--release"])?;
    let folder = shell.target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let mut all = Vec::new();
    for (shape, gateways) in SHAPES {
        let named = if shape == "processes" { format!("{shape}-{gateways}") } else { shape.into() };
        for (scenario, words) in SCENARIOS {
            let name = format!("{named} {scenario}");
            if !only.is_empty() && !only.iter().any(|part| name.contains(part.as_str())) {
                continue;
            }
            let outcome = one(shell, shape, gateways, words).with_context(|| name.clone())?;
            print(&name, &outcome);
            all.push(json!({"system": named, "outcome": outcome}));
            // After each, so that a later failure loses nothing.
            std::fs::write(folder.join("figures.json"), serde_json::to_string_pretty(&all)?)?;
        }
    }
    ensure!(!all.is_empty(), "no scenario is called {}", only.join(", "));
    println!("all figures: {}", folder.join("figures.json").display());
    Ok(())
}

/// Runs one scenario on a system of its own.
fn one(shell: &Shell, shape: &str, gateways: &str, words: &str) -> Result<Value> {
    let built = |name: &str| shell.target().join("release").join(name);
    let path = shell.target().join("bench/system.json");
    let settings = if words.starts_with("abuse") { &ATTACKED[..] } else { &RAISED };
    let shape = [shape, gateways, USERS];
    let mut held = Held::start(shell, &built("roomcast-cluster"), &shape, settings)?;
    std::fs::write(&path, held.describe()?)?;
    let mut args = vec!["--system", path.to_str().context("the target folder is no text")?];
    args.extend(words.split(' '));
    let program = built("roomcast-bench");
    let program = program.to_str().context("the target folder is no text")?;
    let printed = shell::output(shell.command("", program, &args))?;
    held.end()?;
    serde_json::from_str(&printed).context("the load generator printed no JSON")
}

/// A running `roomcast-cluster`; it ends when its standard input does.
struct Held(Child);

impl Held {
    fn start(
        shell: &Shell,
        program: &std::path::Path,
        args: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let program = program.to_str().context("the target folder is no text")?;
        let mut command = shell.command("", program, args);
        command.envs(settings.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn().context("cannot start a system")?))
    }

    fn describe(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the system did not start");
        Ok(line)
    }

    fn end(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "the system ended with {status}");
        Ok(())
    }
}

fn print(name: &str, outcome: &Value) {
    println!("\n{name}: {}", outcome["scenario"].as_str().unwrap_or_default());
    for figure in outcome["figures"].as_array().into_iter().flatten() {
        let value = figure["value"].as_f64().unwrap_or_default();
        let goal = match (figure["goal"]["at"].as_f64(), figure["goal"]["met"].as_bool()) {
            (Some(at), Some(true)) => format!("goal {at}: met"),
            (Some(at), _) => format!("goal {at}: MISSED"),
            _ => String::new(),
        };
        println!("{:>40} {value:>12.1}  {goal}", figure["name"].as_str().unwrap_or_default());
    }
}
