//! Many connects at once, each with a token to be checked and a room to be joined.
use std::time::Instant;

use clap::Args;
use futures_util::StreamExt;
use serde_json::{Value, json};

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
}

impl Storm {
    /// CPU seconds of all servers for all connects.
    pub async fn run(self, target: &Target) -> anyhow::Result<Value> {
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
        Ok(json!({
            "scenario": format!("storm {}", self.connections),
            "connects": joined.len(),
            "told_to_come_back": joined.iter().map(|(_, tries)| tries).sum::<u64>(),
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "connects_per_cpu_s": joined.len() as f64 / cpu_s,
            "processes": costs,
        }))
    }
}
