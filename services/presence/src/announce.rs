//! Joins and leaves onto the bus, for the gateways that hold members of the room.
//!
//! Signals of one room that became true together travel together, in their order. Best effort, as
//! the bus is: never waits, never fails.
use std::collections::HashMap;
use std::sync::Arc;

use bus::{Bus, Outbound};
use domain::{RoomEvent, RoomName, RoomTraffic, Signal};

use crate::metrics;
use crate::store::Told;

/// Most signals in one message of the bus: some 50 KB, or 2 MB if everybody shows all that it may.
const SIGNALS_MAX: usize = 256;

/// Tells rooms who came and went.
#[derive(Clone)]
pub struct Announcer {
    bus: Arc<dyn Bus>,
}

impl Announcer {
    /// An announcer on a bus.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// Hands the signals to the bus: one message a room, more only for a crowd.
    pub fn tell(&self, told: Vec<Told>) {
        for (room, signals) in by_room(told) {
            metrics::signals(&signals);
            for part in signals.chunks(SIGNALS_MAX) {
                let traffic = RoomTraffic::Signals(part.to_vec());
                self.bus.publish(Outbound::Room(RoomEvent { room: room.clone(), traffic }));
            }
        }
    }
}

/// Keeps the order of the rooms' first signals, and the order in each room.
fn by_room(told: Vec<Told>) -> Vec<(RoomName, Vec<Signal>)> {
    let mut rooms: Vec<(RoomName, Vec<Signal>)> = Vec::new();
    let mut places: HashMap<RoomName, usize> = HashMap::new();
    for Told { room, signal } in told {
        let place = *places.entry(room.clone()).or_insert_with(|| {
            rooms.push((room, Vec::new()));
            rooms.len() - 1
        });
        rooms[place].1.push(signal);
    }
    rooms
}
