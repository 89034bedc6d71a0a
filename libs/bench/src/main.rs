//! Load as real clients make it, against a running system; figures as JSON.
//!
//! Open loop: messages are sent by the clock, however slow the answers are. What is measured is CPU
//! seconds and memory of the server's processes for a known amount of work, so that figures of one
//! run can be compared with each other, whatever else the machine does.
mod abuse;
mod ack;
mod fanout;
mod goal;
mod idle;
mod latency;
mod outcome;
mod processes;
mod socket;
mod storm;
mod target;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::target::Target;

#[derive(Parser)]
#[command(name = "roomcast-bench", about = "Loads a running roomcast and measures what it costs")]
struct Arguments {
    /// What `roomcast-cluster` printed: where the system is, tokens, process ids.
    #[arg(long)]
    system: PathBuf,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Messages to the members of rooms.
    Fanout(fanout::Fanout),
    /// Connections that have joined a room and say nothing.
    Idle(idle::Idle),
    /// Many connects at once, token checked and room joined.
    Storm(storm::Storm),
    /// One publisher, one message after the other, from publish to ack; then many at once.
    Ack(ack::Ack),
    /// Honest clients beside attackers.
    Abuse(abuse::Abuse),
    /// Attacks until standard input ends; begun by `abuse`.
    #[command(hide = true)]
    Attack(abuse::Attack),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let text =
        std::fs::read_to_string(&arguments.system).context("cannot read the system's file")?;
    let target: Target = serde_json::from_str(&text).context("not what roomcast-cluster prints")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = match arguments.scenario {
        Scenario::Fanout(scenario) => runtime.block_on(scenario.run(&target)),
        Scenario::Idle(scenario) => runtime.block_on(scenario.run(&target)),
        Scenario::Storm(scenario) => runtime.block_on(scenario.run(&target)),
        Scenario::Ack(scenario) => runtime.block_on(scenario.run(&target)),
        Scenario::Abuse(scenario) => runtime.block_on(scenario.run(&target, &arguments.system)),
        Scenario::Attack(attack) => return runtime.block_on(attack.run(&target)),
    }?;
    println!("{}", serde_json::to_string_pretty(&outcome)?);
    Ok(())
}
