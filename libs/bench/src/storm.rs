//! Many connects at once, each with a token to be checked and a room to be joined.
use std::time::Instant;

use clap::Args;
use futures_util::StreamExt;

use crate::goal::Figure;
use crate::outcome::Outcome;
use crate::processes;
use crate::socket::Socket;
use crate::target::Target;

/// How many.
#[derive(Debug, Args)]
pub struct Storm {
    /// Connects.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// Connects on their way at once.
    #[arg(long, default_value_t = 200)]
    at_once: usize,
    /// Rooms over which they are spread.
    #[arg(long, default_value_t = 50)]
    rooms: usize,
    /// Connects that a CPU second of all processes shall do.
    #[arg(long)]
    goal_per_cpu_s: Option<f64>,
}

impl Storm {
    /// CPU seconds of all servers for all connects.
    pub async fn run(self, target: &Target) -> anyhow::Result<Outcome> {
        let before = processes::read(target)?;
        let begun = Instant::now();
        let joins = (0..self.connections).map(|index| async move {
            let (url, token) = target.place(index);
            let mut tries = 0;
            loop {
                let joined = async {
                    let mut socket = Socket::connect(url, token).await?;
                    socket.subscribe(&format!("storm-{}", index % self.rooms)).await?;
                    anyhow::Ok(socket)
                };
                match joined.await {
                    Ok(socket) => return Ok((socket, tries)),
                    Err(error) if tries > 50 => return Err(error),
                    Err(_) => tries += 1,
                }
                // What a client does that is told to come back later.
                tokio::time::sleep(std::time::Duration::from_millis(100 * tries)).await;
            }
        });
        let joins = futures_util::stream::iter(joins).buffer_unordered(self.at_once);
        let joined = joins.collect::<Vec<anyhow::Result<(Socket, u64)>>>().await;
        let joined = joined.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let wall_s = begun.elapsed().as_secs_f64();
        let costs = processes::between(&before, &processes::read(target)?);
        let cpu_s = processes::cpu_s(&costs);
        let per_cpu_s = joined.len() as f64 / cpu_s;
        let retries: u64 = joined.iter().map(|(_, tries)| tries).sum();
        Ok(Outcome {
            scenario: format!("storm {}", self.connections),
            figures: vec![
                Figure::at_least("connects_per_cpu_s", per_cpu_s, self.goal_per_cpu_s),
                Figure::plain("connects_per_s", joined.len() as f64 / wall_s),
                Figure::plain("told_to_come_back", retries as f64),
            ],
            processes: costs,
        })
    }
}
