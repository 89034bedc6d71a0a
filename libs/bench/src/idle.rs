//! Connections that have joined a room and say nothing: what each keeps in memory.
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;

use crate::goal::Figure;
use crate::outcome::Outcome;
use crate::processes;
use crate::socket::Socket;
use crate::target::Target;

/// How many.
#[derive(Debug, Args)]
pub struct Idle {
    /// Connections.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// Rooms over which they are spread.
    #[arg(long, default_value_t = 50)]
    rooms: usize,
    /// How long they are held, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Memory that a gateway may keep for each, in KiB (PSS).
    #[arg(long)]
    goal_kib: Option<f64>,
}

impl Idle {
    /// Memory before and after, and CPU while nothing happens.
    pub async fn run(self, target: &Target) -> anyhow::Result<Outcome> {
        let before = processes::read(target)?;
        let joins = (0..self.connections).map(|index| async move {
            let (url, token) = target.place(index);
            let mut socket = Socket::connect(url, token).await?;
            socket.subscribe(&format!("idle-{}", index % self.rooms)).await?;
            anyhow::Ok(socket)
        });
        let joined: Vec<_> = futures_util::stream::iter(joins).buffer_unordered(64).collect().await;
        let sockets = joined.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let holders: Vec<_> = sockets
            .into_iter()
            .map(|mut socket| tokio::spawn(async move { while socket.frame().await.is_ok() {} }))
            .collect();
        processes::settled(target).await?;
        let joined = processes::read(target)?;
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        let after = processes::read(target)?;
        let alive = holders.iter().filter(|holder| !holder.is_finished()).count();
        let idle = processes::between(&joined, &after);
        let grown: i64 = after
            .iter()
            .filter(|(name, _)| name.starts_with("gateway"))
            .map(|(name, cost)| {
                cost.pss_bytes as i64 - before.get(name).map_or(0, |cost| cost.pss_bytes as i64)
            })
            .sum();
        let each_kib = grown as f64 / 1024.0 / self.connections as f64;
        let idle_cpu = processes::cpu_s(&idle) / self.seconds as f64;
        Ok(Outcome {
            scenario: format!("idle {}", self.connections),
            figures: vec![
                Figure::at_most("gateway_pss_kib_per_connection", each_kib, self.goal_kib),
                Figure::plain("idle_cpu_s_per_s", idle_cpu),
                Figure::plain("connections_alive", alive as f64),
            ],
            processes: idle,
        })
    }
}
