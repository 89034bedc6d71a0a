//! Carries out what the binding machine decides: bindings at the bus, rooms in the table, rooms
//! on the heads stream.
use std::sync::Arc;
use std::time::Duration;

use bus::{BindingKey, Bindings as BusBindings};
use domain::RoomName;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::RoomConfig;
use crate::heads::Heads;
use crate::room::Room;
use crate::room::binding::{Act, Binder, RoomState};
use crate::room::table::RoomTable;

/// Between two looks at rooms that linger.
const LOOK: Duration = Duration::from_millis(500);

/// See the file's head.
pub struct Bindings {
    binder: Mutex<Binder>,
    bus: Arc<dyn BusBindings>,
    rooms: Arc<RoomTable>,
    heads: Arc<Heads>,
    started: Instant,
    /// Told when a binding stands.
    stands: Notify,
}

impl Bindings {
    /// Nothing bound.
    pub fn new(
        config: &RoomConfig,
        bus: Arc<dyn BusBindings>,
        rooms: Arc<RoomTable>,
        heads: Arc<Heads>,
    ) -> Self {
        let binder = Mutex::new(Binder::new(config.binding_cap, config.linger_ms));
        Self { binder, bus, rooms, heads, started: Instant::now(), stands: Notify::new() }
    }

    /// A room got its first local member, who is authorised.
    pub fn joined(&self, room: &Arc<Room>) {
        if room.settings().stored {
            self.heads.hold(room.name());
        }
        let acts = self.binder.lock().join(room.name());
        self.carry_out(acts);
    }

    /// A room lost its last local member.
    pub fn left(&self, room: &RoomName) {
        let now = self.now();
        self.binder.lock().leave(room, now);
    }

    /// The broker has a binding.
    pub fn bound(&self, key: &BindingKey) {
        let acts = self.binder.lock().bound(key);
        self.carry_out(acts);
        self.stands.notify_waiters();
    }

    /// Waits until the traffic of a room with members comes here, `most` at most.
    pub async fn stand(&self, room: &RoomName, most: Duration) {
        let standing = async {
            loop {
                // Listens before it looks, so that nothing is missed between the two.
                let mut told = std::pin::pin!(self.stands.notified());
                told.as_mut().enable();
                if self.binder.lock().state(room) != RoomState::Binding {
                    return;
                }
                told.await;
            }
        };
        // Without the broker nothing stands, and life goes on.
        let _stood = tokio::time::timeout(most, standing).await;
    }

    /// The broker dropped a binding.
    pub fn unbound(&self, key: &BindingKey) {
        let acts = self.binder.lock().unbound(key);
        self.carry_out(acts);
    }

    /// The queue was lost.
    pub fn lost(&self) {
        let acts = self.binder.lock().lost();
        self.carry_out(acts);
    }

    /// The queue is back; what came meanwhile must be looked for.
    pub fn restored(&self) {
        let acts = self.binder.lock().restored();
        self.carry_out(acts);
        self.stands.notify_waiters();
        for room in self.rooms.stored() {
            self.heads.hold(room.name());
        }
    }

    /// Drops all bindings: the gateway goes.
    pub fn drop_all(&self) {
        let acts = self.binder.lock().drop_all();
        self.carry_out(acts);
    }

    /// How many bindings are asked for or stand, and whether they are of shards.
    pub fn standing(&self) -> (usize, bool) {
        let binder = self.binder.lock();
        (binder.legs(), binder.by_shard())
    }

    /// Lets rooms go that lingered long enough, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            let now = self.now();
            let acts = self.binder.lock().tick(now);
            self.carry_out(acts);
            let (bindings, by_shard) = self.standing();
            metrics::gauge!("roomcast_gateway_bindings").set(bindings as f64);
            metrics::gauge!("roomcast_gateway_bindings_by_shard").set(f64::from(by_shard));
            metrics::gauge!("roomcast_gateway_rooms").set(self.rooms.count() as f64);
        }
    }

    fn carry_out(&self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Bind(key) => self.bus.bind(key),
                Act::Unbind(key) => self.bus.unbind(key),
                Act::Recheck(room) => {
                    if self.rooms.get(&room).is_some_and(|room| room.settings().stored) {
                        self.heads.recheck(&room);
                    }
                }
                Act::Close(room) => self.close(&room),
            }
        }
    }

    fn close(&self, room: &RoomName) {
        if self.rooms.close(room) {
            self.heads.release(room);
            // Somebody may have come and made it anew since: then it is held again.
            if self.rooms.get(room).is_none() {
                return;
            }
            self.heads.hold(room);
        }
        // A member sat down while it was being closed.
        let acts = self.binder.lock().revive(room);
        self.carry_out(acts);
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
