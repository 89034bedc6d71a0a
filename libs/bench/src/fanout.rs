//! Messages to the members of rooms, at a steady rate.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use clap::Args;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::latency::Latencies;
use crate::processes::{self, Costs};
use crate::socket::Socket;
use crate::target::Target;

/// Rooms x members at a rate.
#[derive(Debug, Args)]
pub struct Fanout {
    /// Rooms.
    #[arg(long)]
    rooms: usize,
    /// Members of each room.
    #[arg(long)]
    members: usize,
    /// Messages a second over all rooms.
    #[arg(long)]
    rate: f64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Bytes of a message's text.
    #[arg(long, default_value_t = 128)]
    bytes: usize,
}

struct Counts {
    deliveries: AtomicU64,
    latencies_us: Latencies,
}

impl Fanout {
    /// Joins everybody, publishes by the clock, and measures the servers meanwhile.
    pub async fn run(self, target: &Target) -> anyhow::Result<Value> {
        let counts =
            Arc::new(Counts { deliveries: AtomicU64::new(0), latencies_us: Latencies::default() });
        let sockets = self.join(target).await?;
        for mut socket in sockets {
            let counts = counts.clone();
            tokio::spawn(async move {
                while let Ok(frame) = socket.frame().await {
                    let now = now_us();
                    for line in frame.split('\n').filter(|line| line.contains("\"pub\"")) {
                        counts.deliveries.fetch_add(1, Ordering::Relaxed);
                        if let Some(sent) = sent_us(line) {
                            counts.latencies_us.add(now.saturating_sub(sent));
                        }
                    }
                }
            });
        }
        let before = processes::read(target)?;
        let begun = Instant::now();
        let sent = self.publish(target).await?;
        let expected = sent * self.members as u64;
        let deadline = Instant::now() + Duration::from_secs(30);
        while counts.deliveries.load(Ordering::Relaxed) < expected && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let wall_s = begun.elapsed().as_secs_f64();
        let costs = processes::between(&before, &processes::read(target)?);
        let deliveries = counts.deliveries.load(Ordering::Relaxed);
        ensure!(deliveries == expected, "{deliveries} of {expected} deliveries came");
        Ok(self.figures(sent, deliveries, wall_s, &costs, &counts.latencies_us))
    }

    fn room(&self, index: usize) -> String {
        format!("bench-{}-{index}", std::process::id())
    }

    async fn join(&self, target: &Target) -> anyhow::Result<Vec<Socket>> {
        let joins = (0..self.rooms * self.members).map(|index| async move {
            let (url, token) = target.place(index);
            let mut socket = Socket::connect(url, token).await?;
            socket.subscribe(&self.room(index % self.rooms)).await?;
            anyhow::Ok(socket)
        });
        let joined: Vec<_> = futures_util::stream::iter(joins).buffer_unordered(64).collect().await;
        joined.into_iter().collect()
    }

    /// Sends by the clock; answers how many were sent.
    async fn publish(&self, target: &Target) -> anyhow::Result<u64> {
        let (url, token) = target.place(0);
        let mut socket = Socket::connect(url, token).await?;
        let text = "x".repeat(self.bytes);
        let begun = tokio::time::Instant::now();
        let total = (self.rate * self.seconds as f64) as u64;
        for number in 0..total {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(number as f64 / self.rate))
                .await;
            let room = self.room(number as usize % self.rooms);
            let data = json!({"at": now_us(), "text": text});
            socket.send("publish", json!({"channel": room, "data": data})).await?;
        }
        // The last answers, so that no publish is cut off.
        socket.call("history", json!({"channel": self.room(0)})).await?;
        tokio::spawn(async move { while socket.frame().await.is_ok() {} });
        Ok(total)
    }

    fn figures(
        &self,
        sent: u64,
        deliveries: u64,
        wall_s: f64,
        costs: &Costs,
        latencies: &Latencies,
    ) -> Value {
        let cpu_s = processes::cpu_s(costs);
        let gateway_s = processes::cpu_s_of(costs, "gateway");
        json!({
            "scenario": format!("fanout {} x {}", self.rooms, self.members),
            "messages": sent,
            "deliveries": deliveries,
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "cpu_us_per_delivery": cpu_s * 1e6 / deliveries as f64,
            "gateway_cpu_us_per_delivery": gateway_s * 1e6 / deliveries as f64,
            "deliveries_per_cpu_s": deliveries as f64 / cpu_s,
            "latency_p50_us": latencies.quantile(0.5),
            "latency_p99_us": latencies.quantile(0.99),
            "processes": costs,
        })
    }
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_micros() as u64).unwrap_or(0)
}

/// The time in `"at":…` without reading the whole message.
fn sent_us(line: &str) -> Option<u64> {
    let rest = line.split_once("\"at\":")?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
