//! All rooms with local members, or with members until a moment ago.
//!
//! Joining and leaving are decided under the table's lock, so that a room cannot be closed while
//! a member sits down in it. A closed room's ring is gone; who comes later reads the head again.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::{Position, RoomName, RoomSettings};
use parking_lot::RwLock;

use super::{Room, Shelf};
use crate::config::RoomConfig;
use crate::worker::inbox::Inbox;

/// See the file's head.
pub struct RoomTable {
    rooms: RwLock<HashMap<RoomName, Arc<Room>>>,
    shelf: Arc<Shelf>,
    held_items_max: usize,
    rooms_max: usize,
}

/// A member's seat.
pub struct Seated {
    /// The room.
    pub room: Arc<Room>,
    /// Whether it is the first local member since the room was made or left by all.
    pub first: bool,
    /// The worker's mark "news were told"; to be cleared before the ring is read.
    pub told: Arc<AtomicBool>,
}

impl RoomTable {
    /// An empty table for so many rooms.
    pub fn new(config: &RoomConfig, rooms_max: usize) -> Self {
        let shelf = Arc::new(Shelf::new(config.ring_bytes_total, config.ring_bytes_room));
        let held_items_max = config.held_items_max;
        Self { rooms: RwLock::default(), shelf, held_items_max, rooms_max }
    }

    /// The room, if it is here.
    pub fn get(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.rooms.read().get(name).cloned()
    }

    /// Seats a member of a worker. A room that is not here is made at `head`; `None` if there are
    /// too many already.
    pub fn sit(
        &self,
        name: &RoomName,
        settings: RoomSettings,
        head: &Position,
        inbox: &Arc<Inbox>,
    ) -> Option<Seated> {
        let mut rooms = self.rooms.write();
        if rooms.len() >= self.rooms_max && !rooms.contains_key(name) {
            return None;
        }
        let room = rooms
            .entry(name.clone())
            .or_insert_with(|| {
                let (held, shelf) = (self.held_items_max, self.shelf.clone());
                Arc::new(Room::new(name.clone(), settings, head.clone(), held, shelf))
            })
            .clone();
        let (members, told) = room.sit(inbox);
        Some(Seated { room, first: members == 1, told })
    }

    /// A member of a worker rises. Answers whether it was the last local one.
    pub fn rise(&self, name: &RoomName, inbox: &Arc<Inbox>) -> bool {
        let rooms = self.rooms.write();
        rooms.get(name).is_some_and(|room| room.rise(inbox) == 0)
    }

    /// Takes a room out if nobody sits in it.
    pub fn close(&self, name: &RoomName) -> bool {
        let mut rooms = self.rooms.write();
        let empty = rooms.get(name).is_some_and(|room| room.members() == 0);
        if empty {
            rooms.remove(name);
        }
        empty
    }

    /// All rooms whose log is kept.
    pub fn stored(&self) -> Vec<Arc<Room>> {
        self.rooms.read().values().filter(|room| room.settings().stored).cloned().collect()
    }

    /// Rooms here.
    pub fn count(&self) -> usize {
        self.rooms.read().len()
    }

    /// The memory of all rings.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }
}
