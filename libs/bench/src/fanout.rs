//! Messages to the members of rooms, at a steady rate.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use clap::Args;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use serde_json::json;

use crate::goal::Figure;
use crate::latency::Latencies;
use crate::outcome::Outcome;
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
    /// Connections that publish, each with a share of the rooms.
    #[arg(long, default_value_t = 1)]
    publishers: usize,
    /// CPU of gateways and broker together that a delivery may cost, in microseconds.
    #[arg(long)]
    goal_us: Option<f64>,
}

struct Counts {
    deliveries: AtomicU64,
    latencies_us: Latencies,
}

impl Fanout {
    /// Joins everybody, publishes by the clock, and measures the servers meanwhile.
    pub async fn run(self, target: &Target) -> anyhow::Result<Outcome> {
        ensure!(self.publishers <= self.rooms, "a publisher without a room");
        let counts =
            Arc::new(Counts { deliveries: AtomicU64::new(0), latencies_us: Latencies::default() });
        for socket in self.join(target).await? {
            tokio::spawn(count(socket, counts.clone()));
        }
        processes::settled(target).await?;
        let before = processes::read(target)?;
        let begun = Instant::now();
        let shares = (0..self.publishers).map(|publisher| self.publish(target, publisher));
        let sent: u64 = try_join_all(shares).await?.iter().sum();
        let expected = sent * self.members as u64;
        let deadline = Instant::now() + Duration::from_secs(30);
        while counts.deliveries.load(Ordering::Relaxed) < expected && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let wall_s = begun.elapsed().as_secs_f64();
        let costs = processes::between(&before, &processes::read(target)?);
        let deliveries = counts.deliveries.load(Ordering::Relaxed);
        ensure!(deliveries == expected, "{deliveries} of {expected} deliveries came");
        Ok(self.outcome(sent, deliveries, wall_s, costs, &counts.latencies_us))
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

    /// One publisher's share, sent by the clock; answers how many were sent.
    async fn publish(&self, target: &Target, publisher: usize) -> anyhow::Result<u64> {
        let (url, token) = target.place(publisher);
        let mut socket = Socket::connect(url, token).await?;
        let rooms: Vec<_> = (publisher..self.rooms).step_by(self.publishers).collect();
        let rate = self.rate * rooms.len() as f64 / self.rooms as f64;
        let total = (rate * self.seconds as f64) as usize;
        let text = "x".repeat(self.bytes);
        let begun = tokio::time::Instant::now();
        for number in 0..total {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(number as f64 / rate)).await;
            let room = self.room(rooms[number % rooms.len()]);
            let data = json!({"at": now_us(), "text": text});
            socket.send("publish", json!({"channel": room, "data": data})).await?;
        }
        // Every answer is read: a refused publish is an error here, not a missing delivery later.
        socket.answered(total).await?;
        Ok(total as u64)
    }

    fn outcome(
        &self,
        sent: u64,
        deliveries: u64,
        wall_s: f64,
        costs: Costs,
        latencies: &Latencies,
    ) -> Outcome {
        let each_us = |cpu_s: f64| cpu_s * 1e6 / deliveries as f64;
        let cpu_s = processes::cpu_s(&costs);
        let gateways_s = processes::cpu_s_of(&costs, "gateway");
        let with_bus_s = gateways_s + processes::cpu_s_of(&costs, "rabbitmq");
        Outcome {
            scenario: format!("fanout {} x {} at {}/s", self.rooms, self.members, self.rate),
            figures: vec![
                Figure::at_most("fan_out_cpu_us_per_delivery", each_us(with_bus_s), self.goal_us),
                Figure::plain("gateways_cpu_us_per_delivery", each_us(gateways_s)),
                Figure::plain("system_cpu_us_per_delivery", each_us(cpu_s)),
                Figure::plain("deliveries_per_cpu_s", deliveries as f64 / cpu_s),
                Figure::plain("deliveries_per_s", deliveries as f64 / wall_s),
                Figure::plain("latency_p50_us", latencies.quantile(0.5) as f64),
                Figure::plain("latency_p99_us", latencies.quantile(0.99) as f64),
                Figure::plain("messages", sent as f64),
            ],
            processes: costs,
        }
    }
}

/// Counts a member's deliveries until its socket closes.
async fn count(mut socket: Socket, counts: Arc<Counts>) {
    while let Ok(frame) = socket.frame().await {
        let now = now_us();
        for line in frame.split('\n').filter(|line| line.contains("\"pub\"")) {
            counts.deliveries.fetch_add(1, Ordering::Relaxed);
            if let Some(sent) = sent_us(line) {
                counts.latencies_us.add(now.saturating_sub(sent));
            }
        }
    }
}

/// The time, Unix microseconds.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_micros() as u64).unwrap_or(0)
}

/// The time in `"at":…` without reading the whole message.
pub fn sent_us(line: &str) -> Option<u64> {
    let rest = line.split_once("\"at\":")?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
