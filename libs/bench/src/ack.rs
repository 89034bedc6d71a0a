//! From publish to ack: one publisher one after the other, then many publishers at once.
use std::time::Instant;

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::json;

use crate::goal::Figure;
use crate::outcome::Outcome;
use crate::processes;
use crate::socket::Socket;
use crate::target::Target;

/// How much.
#[derive(Debug, Args)]
pub struct Ack {
    /// Publishes of the single publisher.
    #[arg(long, default_value_t = 2_000)]
    publishes: usize,
    /// Publishers at once, each with a room of its own, afterwards.
    #[arg(long, default_value_t = 100)]
    publishers: usize,
    /// Publishes of each of them.
    #[arg(long, default_value_t = 200)]
    each: usize,
    /// Half of the single publisher's acks shall come within this, in microseconds.
    #[arg(long)]
    goal_p50_us: Option<f64>,
    /// Acks a second that all publishers together shall get.
    #[arg(long)]
    goal_per_s: Option<f64>,
}

impl Ack {
    /// Latency of one, throughput of many.
    pub async fn run(self, target: &Target) -> anyhow::Result<Outcome> {
        let (url, token) = target.place(0);
        let mut socket = Socket::connect(url, token).await?;
        let mut micros = publish(&mut socket, "ack-single", self.publishes).await?;
        micros.sort_unstable();
        let at = |part: f64| micros[((micros.len() - 1) as f64 * part) as usize] as f64;

        let mut sockets = Vec::new();
        for index in 0..self.publishers {
            let (url, token) = target.place(index);
            sockets.push(Socket::connect(url, token).await?);
        }
        let before = processes::read(target)?;
        let begun = Instant::now();
        let many = sockets.iter_mut().enumerate().map(|(index, socket)| async move {
            publish(socket, &format!("ack-{index}"), self.each).await
        });
        try_join_all(many).await?;
        let wall_s = begun.elapsed().as_secs_f64();
        let costs = processes::between(&before, &processes::read(target)?);
        let total = self.publishers * self.each;
        let each_us = processes::cpu_s(&costs) * 1e6 / total as f64;
        Ok(Outcome {
            scenario: format!("publish to ack, 1 and {} publishers", self.publishers),
            figures: vec![
                Figure::at_most("single_p50_us", at(0.5), self.goal_p50_us),
                Figure::plain("single_p99_us", at(0.99)),
                Figure::at_least("many_per_s", total as f64 / wall_s, self.goal_per_s),
                Figure::plain("many_cpu_us_per_publish", each_us),
            ],
            processes: costs,
        })
    }
}

async fn publish(socket: &mut Socket, room: &str, count: usize) -> anyhow::Result<Vec<u64>> {
    let mut micros = Vec::with_capacity(count);
    for number in 0..count {
        let begun = Instant::now();
        socket
            .call("publish", json!({"channel": room, "data": {"text": number.to_string()}}))
            .await?;
        micros.push(begun.elapsed().as_micros() as u64);
    }
    Ok(micros)
}
