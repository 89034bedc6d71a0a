//! The honest: members of one room who read, and one who writes by the clock.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::fanout::{now_us, sent_us};
use crate::latency::Latencies;
use crate::socket::Socket;
use crate::target::Target;

const ROOM: &str = "abuse-honest";

/// What they saw in one part of the run.
#[derive(Default)]
pub struct Seen {
    /// From publish to each member, microseconds.
    pub deliveries: Latencies,
    /// From publish to its ack, microseconds.
    pub acks: Latencies,
    sent: AtomicU64,
    acked: AtomicU64,
}

impl Seen {
    /// Adds what was seen in another part.
    pub fn merge(&self, other: &Self) {
        self.deliveries.merge(&other.deliveries);
        self.acks.merge(&other.acks);
        self.sent.fetch_add(other.sent(), Ordering::Relaxed);
        self.acked.fetch_add(other.acked(), Ordering::Relaxed);
    }

    /// Messages sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages answered.
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed).min(self.sent())
    }
}

/// What the tasks share: where to note, and whether one of them was thrown out.
#[derive(Default)]
struct Shared {
    now: Mutex<Arc<Seen>>,
    lost: AtomicBool,
}

impl Shared {
    fn seen(&self) -> Arc<Seen> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, seen: Arc<Seen>) -> Arc<Seen> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, seen)
    }
}

/// See the file's head.
pub struct Honest(Arc<Shared>);

impl Honest {
    /// Joins everybody and begins to write.
    pub async fn join(target: &Target, members: usize, rate: f64) -> anyhow::Result<Self> {
        let shared = Arc::<Shared>::default();
        for index in 0..members {
            let (url, token) = target.place(index);
            let mut socket = Socket::connect(url, token).await?;
            socket.subscribe(ROOM).await?;
            let shared = shared.clone();
            tokio::spawn(async move {
                while let Ok(frame) = socket.frame().await {
                    let (now, seen) = (now_us(), shared.seen());
                    for sent in frame.split('\n').filter_map(sent_us) {
                        seen.deliveries.add(now.saturating_sub(sent));
                    }
                }
                shared.lost.store(true, Ordering::Relaxed);
            });
        }
        let (url, token) = target.place(members);
        let socket = Socket::connect(url, token).await?;
        let writer = shared.clone();
        tokio::spawn(async move {
            if let Err(error) = write(socket, rate, &writer).await {
                eprintln!("the honest publisher: {error:#}");
                writer.lost.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self(shared))
    }

    /// Begins a part of the run.
    pub fn begin(&self) {
        self.0.put(Arc::default());
    }

    /// What was seen since it began.
    pub fn end(&self) -> Seen {
        let mut seen = self.0.put(Arc::default());
        // A task may be about to note something; it is through in a moment.
        loop {
            match Arc::try_unwrap(seen) {
                Ok(seen) => return seen,
                Err(shared) => seen = shared,
            }
            std::thread::yield_now();
        }
    }

    /// Fails if one of them was thrown out.
    pub fn alive(&self) -> anyhow::Result<()> {
        ensure!(!self.0.lost.load(Ordering::Relaxed), "an honest client was thrown out");
        Ok(())
    }
}

/// Sends by the clock and notes each answer.
async fn write(mut socket: Socket, rate: f64, shared: &Shared) -> anyhow::Result<()> {
    let mut waiting = HashMap::<u32, Instant>::new();
    let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    loop {
        tokio::select! {
            _ = clock.tick() => {
                let data = json!({"at": now_us(), "text": "x".repeat(128)});
                let id = socket.send("publish", json!({"channel": ROOM, "data": data})).await?;
                waiting.insert(id, Instant::now());
                shared.seen().sent.fetch_add(1, Ordering::Relaxed);
            }
            frame = socket.frame() => {
                let (frame, seen) = (frame?, shared.seen());
                for line in frame.split('\n') {
                    let reply: Value = serde_json::from_str(line).unwrap_or_default();
                    let id = reply["id"].as_u64().and_then(|id| u32::try_from(id).ok());
                    let Some(sent) = id.and_then(|id| waiting.remove(&id)) else { continue };
                    ensure!(reply.get("error").is_none(), "refused: {line}");
                    seen.acks.add(sent.elapsed().as_micros() as u64);
                    seen.acked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}
