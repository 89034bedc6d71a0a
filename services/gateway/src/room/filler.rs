//! Fetches what readers miss: holes, lost tails, and the truth about another epoch.
//!
//! Each room is in the queue at most once, many rooms go into one call, and few calls run at
//! once. A failed fetch is tried again for as long as the room is held.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rpc::rooms::FetchRange;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Room;
use super::reader::Need;
use crate::peers::Peers;

/// Rooms of one call.
const RANGES_MAX: usize = 64;
/// Calls at once.
const CALLS_MAX: usize = 8;
/// After a failed fetch, or one that brought nothing.
const AGAIN: Duration = Duration::from_millis(250);

/// See the file's head.
pub struct Filler {
    queue: Mutex<Queue>,
    more: Notify,
    hole_wait: Duration,
}

#[derive(Default)]
struct Queue {
    due: BTreeMap<(Instant, u64), Arc<Room>>,
    number: u64,
}

impl Filler {
    /// A filler that waits for `hole_wait` before it fetches what may be on its way.
    pub fn new(hole_wait: Duration) -> Self {
        Self { queue: Mutex::default(), more: Notify::new(), hole_wait }
    }

    /// Sees to what a room's reader needs.
    pub fn see_to(&self, room: &Arc<Room>, need: Need) {
        let wait = match need {
            Need::Nothing => return,
            Need::Soon => self.hole_wait,
            Need::Now => Duration::ZERO,
        };
        if room.begin_filling() {
            self.enqueue(room.clone(), wait);
        }
    }

    /// Works until it is told to stop.
    pub async fn run(self: Arc<Self>, peers: Arc<Peers>, stop: CancellationToken) {
        let calls = Arc::new(Semaphore::new(CALLS_MAX));
        loop {
            let next = self.queue.lock().due.first_key_value().map(|((at, _), _)| *at);
            let until = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.more.notified() => {}
                () = tokio::time::sleep_until(until) => {
                    let Ok(permit) = calls.clone().acquire_owned().await else { return };
                    let rooms = self.take_due();
                    let (filler, peers) = (self.clone(), peers.clone());
                    tokio::spawn(async move {
                        filler.fill(rooms, &peers).await;
                        drop(permit);
                    });
                }
            }
        }
    }

    fn enqueue(&self, room: Arc<Room>, wait: Duration) {
        let mut queue = self.queue.lock();
        queue.number += 1;
        let key = (Instant::now() + wait, queue.number);
        queue.due.insert(key, room);
        drop(queue);
        self.more.notify_one();
    }

    fn take_due(&self) -> Vec<Arc<Room>> {
        let mut queue = self.queue.lock();
        let now = Instant::now();
        let mut rooms = Vec::new();
        while rooms.len() < RANGES_MAX {
            match queue.due.first_entry() {
                Some(entry) if entry.key().0 <= now => rooms.push(entry.remove()),
                _ => break,
            }
        }
        rooms
    }

    async fn fill(&self, rooms: Vec<Arc<Room>>, peers: &Peers) {
        let mut asked: Vec<(Arc<Room>, FetchRange)> = Vec::new();
        for room in rooms {
            match room.missing() {
                Some(range) if room.members() > 0 => asked.push((room, range)),
                _ => self.done(&room, Duration::ZERO),
            }
        }
        if asked.is_empty() {
            return;
        }
        metrics::counter!("roomcast_gateway_fills_total").increment(asked.len() as u64);
        let ranges = asked.iter().map(|(_, range)| range.clone()).collect();
        match peers.fetch_all(ranges).await {
            Ok(answers) => {
                for ((room, range), answer) in asked.iter().zip(answers) {
                    let (_, generation) = room.position();
                    let _need = room.fetched(range, answer);
                    let (position, now) = room.position();
                    if now != generation {
                        tracing::warn!(epoch = %position.epoch, "a room's log was begun anew");
                        metrics::counter!("roomcast_gateway_room_restarts_total").increment(1);
                    }
                    let moved = now != generation || position.offset > range.after;
                    self.done(room, if moved { Duration::ZERO } else { AGAIN });
                }
            }
            Err(error) => {
                tracing::debug!(%error, rooms = asked.len(), "rooms could not be filled");
                metrics::counter!("roomcast_gateway_fill_errors_total").increment(1);
                for (room, _) in &asked {
                    self.done(room, AGAIN);
                }
            }
        }
    }

    /// Takes a room out, or puts it back if something is missing still or again.
    fn done(&self, room: &Arc<Room>, wait: Duration) {
        room.end_filling();
        if room.members() > 0 && room.missing().is_some() && room.begin_filling() {
            self.enqueue(room.clone(), wait.max(self.hole_wait));
        }
    }
}
