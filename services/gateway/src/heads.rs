//! The gateway's stream to a rooms pod: heads of the rooms that it holds, orders, heartbeats.
//!
//! This is what makes delivery certain; the bus only makes it fast. The stream is opened again,
//! at another pod and with all rooms, when it ends or when two heartbeats are missed.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::{Position, RoomName};
use futures_util::StreamExt;
use parking_lot::Mutex;
use rpc::rooms::{HeldRooms, WatchEvent, WatchStart};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::Gateway;

/// Two heartbeats missed, and a little.
const SILENCE_MAX: Duration = Duration::from_millis(2_500);
/// Between two tries to open the stream.
const AGAIN: Duration = Duration::from_millis(200);
/// How long the opening may take.
const OPEN_WAIT: Duration = Duration::from_secs(2);
/// Rooms of one change.
const ROOMS_MAX: usize = 1_000;
/// Changes under way on a stream.
const CHANGES_MAX: usize = 16;
/// After a room is newly bound its head is looked at again.
const RECHECKS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3)];

/// See the file's head.
#[derive(Default)]
pub struct Heads {
    state: Mutex<State>,
    more: Notify,
}

#[derive(Default)]
struct State {
    /// What the stream was not told yet; true to add, also once more, false to remove.
    changes: HashMap<RoomName, bool>,
    rechecks: BTreeMap<Instant, Vec<RoomName>>,
}

impl Heads {
    /// The room is held from now on.
    pub fn hold(&self, room: &RoomName) {
        self.change(room, true);
    }

    /// The room is held no longer.
    pub fn release(&self, room: &RoomName) {
        self.change(room, false);
    }

    /// Asks for a room's head now and, because a binding may come late, a few times after.
    pub fn recheck(&self, room: &RoomName) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.changes.insert(room.clone(), true);
        for wait in RECHECKS {
            // Rounded, so that many rooms share few moments.
            let at = round_up(now + wait);
            state.rechecks.entry(at).or_default().push(room.clone());
        }
        drop(state);
        self.more.notify_one();
    }

    fn change(&self, room: &RoomName, add: bool) {
        self.state.lock().changes.insert(room.clone(), add);
        self.more.notify_one();
    }

    /// Follows the stream until `stop`.
    pub async fn run(self: Arc<Self>, gateway: Arc<Gateway>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (changes, held) = mpsc::channel(CHANGES_MAX);
            let orders_after = gateway.orders().upto();
            let start = WatchStart { gateway: gateway.id().clone(), orders_after };
            let opened = gateway.peers().rooms().watch(start, held);
            if let Ok(Ok(stream)) = tokio::time::timeout(OPEN_WAIT, opened).await {
                metrics::gauge!("roomcast_gateway_heads_stream").set(1.0);
                tokio::select! {
                    () = stop.cancelled() => return,
                    why = self.follow(&gateway, stream, changes) => {
                        tracing::info!(why, "the heads stream is opened again");
                    }
                }
                metrics::counter!("roomcast_gateway_heads_reopened_total").increment(1);
            }
            metrics::gauge!("roomcast_gateway_heads_stream").set(0.0);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn follow(
        &self,
        gateway: &Gateway,
        mut stream: futures_util::stream::BoxStream<'static, domain::Result<WatchEvent>>,
        changes: mpsc::Sender<HeldRooms>,
    ) -> &'static str {
        let rooms = gateway.rooms().stored();
        let mut all: Vec<RoomName> = rooms.iter().map(|room| room.name().clone()).collect();
        // What was to be removed is not on this stream at all.
        self.state.lock().changes.retain(|_, add| *add);
        let mut silent_since = Instant::now();
        loop {
            while let Ok(slot) = changes.try_reserve() {
                let change = if all.is_empty() {
                    self.take_changes()
                } else {
                    let rest = all.split_off(all.len().min(ROOMS_MAX));
                    Some(HeldRooms { add: std::mem::replace(&mut all, rest), remove: Vec::new() })
                };
                let Some(change) = change else { break };
                slot.send(change);
            }
            if changes.is_closed() {
                return "the pod takes no rooms any more";
            }
            let wake = self.next_recheck().min(silent_since + SILENCE_MAX);
            tokio::select! {
                event = stream.next() => {
                    silent_since = Instant::now();
                    match event {
                        Some(Ok(event)) => take(gateway, event).await,
                        Some(Err(_)) => return "it failed",
                        None => return "it ended",
                    }
                }
                () = self.more.notified() => {}
                () = tokio::time::sleep_until(wake) => {
                    if silent_since.elapsed() >= SILENCE_MAX {
                        return "two heartbeats were missed";
                    }
                }
            }
        }
    }

    fn take_changes(&self) -> Option<HeldRooms> {
        let mut state = self.state.lock();
        let now = Instant::now();
        while let Some(entry) = state.rechecks.first_entry() {
            if *entry.key() > now {
                break;
            }
            for room in entry.remove() {
                // A room that is to be removed is not looked at again.
                state.changes.entry(room).or_insert(true);
            }
        }
        if state.changes.is_empty() {
            return None;
        }
        let names: Vec<_> = state.changes.keys().take(ROOMS_MAX).cloned().collect();
        let mut held = HeldRooms::default();
        for name in names {
            match state.changes.remove(&name) {
                Some(true) => held.add.push(name),
                _ => held.remove.push(name),
            }
        }
        Some(held)
    }

    fn next_recheck(&self) -> Instant {
        let far = Instant::now() + SILENCE_MAX;
        self.state.lock().rechecks.first_key_value().map_or(far, |(at, _)| *at)
    }
}

async fn take(gateway: &Gateway, event: WatchEvent) {
    match event {
        WatchEvent::Opened { orders_after } => {
            gateway.saw_rooms();
            gateway.orders().begin(orders_after);
        }
        WatchEvent::Heads(heads) => heads.iter().for_each(|(room, head)| note(gateway, room, head)),
        WatchEvent::Order(order) => gateway.orders().obey(gateway.hub(), order, true).await,
        WatchEvent::Heartbeat => {}
    }
}

fn note(gateway: &Gateway, name: &RoomName, head: &Position) {
    match gateway.rooms().get(name) {
        Some(room) => gateway.filler().see_to(&room, room.note_head(head)),
        // Closed meanwhile, or re-checked after it was: the stream shall not hold it.
        None => gateway.heads().release(name),
    }
}

/// The next whole 50 ms since the first call.
fn round_up(at: Instant) -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let ms = at.saturating_duration_since(start).as_millis() as u64;
    start + Duration::from_millis(ms.div_ceil(50) * 50)
}
