//! Honest clients in a room, alone and then beside attackers: what the attackers cost them.
//!
//! Attackers run in child processes at the lowest priority, so that their own CPU is not taken from
//! the servers. Quiet and each attack take turns, because a machine drifts over minutes. The memory that counts is the gateways' own, kernel buffers apart.
mod attack;
mod honest;
mod raw;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::goal::Figure;
use crate::latency::Latencies;
use crate::outcome::Outcome;
use crate::processes::{self, memory_of};
use crate::target::Target;

pub use attack::Attack;
use attack::Kind;
use honest::{Honest, Seen};

const MIB: f64 = 1024.0 * 1024.0;
/// How long an attack is under way before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Between an attack and the next quiet.
const REST: Duration = Duration::from_secs(5);
/// Between two looks at the gateways' memory.
const LOOK: Duration = Duration::from_millis(250);

/// A room of honest clients, and every attack in turn and together.
#[derive(Debug, Args)]
pub struct Abuse {
    /// Honest members of the room.
    #[arg(long, default_value_t = 20)]
    members: usize,
    /// Messages a second of one honest publisher.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// How long each part is measured, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often quiet and attack take turns; what is seen in all turns counts together.
    #[arg(long, default_value_t = 3)]
    turns: u32,
    /// Only this attack.
    #[arg(long)]
    only: Option<Kind>,
    /// What the gateways' memory may rise by, in MiB.
    #[arg(long)]
    goal_mib: Option<f64>,
    /// What the honest p99 may rise by, in percent.
    #[arg(long)]
    goal_percent: Option<f64>,
}

/// Which latencies of a part.
type Pick = fn(&Seen) -> &Latencies;

/// What was seen over all turns of one attack.
#[derive(Default)]
struct Sides {
    alone: Seen,
    beside: Seen,
    /// The highest rise of the gateways' memory in a turn, in bytes.
    memory_rise: i64,
}

impl Abuse {
    /// Measures quiet and attack in turn. `system` is the file that the children read too.
    pub async fn run(self, target: &Target, system: &Path) -> anyhow::Result<Outcome> {
        processes::settled(target).await?;
        let honest = Honest::join(target, self.members, self.rate).await?;
        tokio::time::sleep(WARM_UP).await;
        let before = processes::read(target)?;
        let mut figures = Vec::new();
        let mut rounds: Vec<Vec<Kind>> = Kind::value_variants().iter().map(|k| vec![*k]).collect();
        rounds.push(Kind::value_variants().to_vec());
        if let Some(only) = self.only {
            rounds = vec![vec![only]];
        }
        for round in rounds {
            let sides = Box::pin(self.take_turns(target, system, &honest, &round)).await?;
            let name = if round.len() > 1 { "all" } else { round[0].name() };
            self.compare(&mut figures, name, &sides);
        }
        let costs = processes::between(&before, &processes::read(target)?);
        let scenario = format!("abuse beside {} members at {}/s", self.members, self.rate);
        Ok(Outcome { scenario, figures, processes: costs })
    }

    async fn take_turns(
        &self,
        target: &Target,
        system: &Path,
        honest: &Honest,
        round: &[Kind],
    ) -> anyhow::Result<Sides> {
        let mut sides = Sides::default();
        for _ in 0..self.turns {
            let (alone, _) = self.part(target, honest).await?;
            let memory = memory_of(target, "gateway")?;
            let attackers: anyhow::Result<Vec<_>> =
                round.iter().map(|kind| Attackers::start(*kind, system)).collect();
            let attackers = attackers?;
            tokio::time::sleep(WARM_UP).await;
            let (beside, peak) = self.part(target, honest).await?;
            attackers.into_iter().try_for_each(Attackers::stop)?;
            honest.alive()?;
            sides.alone.merge(&alone);
            sides.beside.merge(&beside);
            sides.memory_rise = sides.memory_rise.max(peak.cast_signed() - memory.cast_signed());
            // What was closed is forgotten before the next quiet is measured.
            tokio::time::sleep(REST).await;
        }
        Ok(sides)
    }

    /// What the honest saw for a while, and the peak of the gateways' memory meanwhile, in bytes.
    async fn part(&self, target: &Target, honest: &Honest) -> anyhow::Result<(Seen, u64)> {
        honest.begin();
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let mut memory_peak = 0;
        while Instant::now() < end {
            memory_peak = memory_peak.max(memory_of(target, "gateway")?);
            tokio::time::sleep(LOOK).await;
        }
        Ok((honest.end(), memory_peak))
    }

    fn compare(&self, figures: &mut Vec<Figure>, name: &str, sides: &Sides) {
        let rise = sides.memory_rise as f64 / MIB;
        figures.push(Figure::at_most(format!("{name}_memory_rise_mib"), rise, self.goal_mib));
        let what: [(&str, Pick); 2] = [("delivery", |s| &s.deliveries), ("ack", |s| &s.acks)];
        for (what, pick) in what {
            for (quantile, part) in [("p50", 0.5), ("p99", 0.99)] {
                let alone = pick(&sides.alone).quantile(part) as f64;
                let beside = pick(&sides.beside).quantile(part) as f64;
                let figure = |tail: &str| format!("{name}_{what}_{quantile}_{tail}");
                figures.push(Figure::plain(figure("alone_us"), alone));
                figures.push(Figure::plain(figure("beside_us"), beside));
                let goal = self.goal_percent.filter(|_| quantile == "p99");
                let percent = (beside / alone - 1.0) * 100.0;
                figures.push(Figure::at_most(figure("rise_percent"), percent, goal));
            }
        }
        let lost = sides.beside.sent() - sides.beside.acked();
        figures.push(Figure::plain(format!("{name}_acks_missing"), lost as f64));
    }
}

/// A child process that attacks until its standard input ends.
struct Attackers(Child);

impl Attackers {
    /// Starts it and waits until the attack is under way.
    fn start(kind: Kind, system: &Path) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("the path of this program")?;
        let mut child = Command::new("nice")
            .args(["-n", "19"])
            .arg(own)
            .arg("--system")
            .arg(system)
            .args(["attack", kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the attackers")?;
        let stdout = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.trim() == "ready", "the attack {} did not start", kind.name());
        Ok(Self(child))
    }

    fn stop(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        self.0.wait().context("the attackers")?;
        Ok(())
    }
}
