//! All rooms with local members, or with members until a moment ago.
//!
//! Joining and leaving are decided under the table's lock, so that a room cannot be closed while
//! a member sits down in it. A closed room's ring is gone; who comes later reads the head again.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use domain::{Position, RoomName, RoomSettings};
use parking_lot::RwLock;

use super::shelf::Shelf;
use super::{Handle, Room};
use crate::config::RoomConfig;
use crate::worker::inbox::Inbox;

/// See the file's head.
pub struct RoomTable {
    rooms: RwLock<HashMap<RoomName, Arc<Room>>>,
    shelf: Arc<Shelf>,
    held_items_max: usize,
    rooms_max: usize,
    /// The number of the next room that is made. None is ever given twice.
    next_number: AtomicI64,
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
        let next_number = AtomicI64::new(1);
        Self { rooms: RwLock::default(), shelf, held_items_max, rooms_max, next_number }
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
                let number = self.next_number.fetch_add(1, Ordering::Relaxed);
                let patched = settings.stored && settings.delta;
                let handle = Handle { name: name.clone(), number, patched };
                Arc::new(Room::new(handle, settings, head.clone(), held, shelf))
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

#[cfg(test)]
mod tests {
    use domain::{Envelope, JoinLeave, Recovery};

    use super::*;

    #[test]
    fn no_number_is_given_to_two_rooms_nor_twice_to_one() {
        let table = RoomTable::new(&RoomConfig::default(), 10);
        let (inbox, _orders) = Inbox::new();
        let settings = RoomSettings {
            stored: true,
            presence: true,
            join_leave: JoinLeave::Off,
            envelope: Envelope::None,
            recovery: Recovery::Log,
            delta: true,
            filters: false,
        };
        let sit = |name: &RoomName| {
            let seated = table.sit(name, settings, &Position::default(), &inbox);
            seated.expect("a seat").room.handle().clone()
        };
        let [one, other] = ["one", "other"].map(|name| RoomName::parse(name).unwrap());
        let (first, second) = (sit(&one), sit(&other));
        assert!(first.number > 0 && second.number > 0 && first.number != second.number);
        assert_eq!(sit(&one).number, first.number, "as long as it is held");
        assert!(first.patched);
        assert!(!table.close(&one) && !table.rise(&one, &inbox) && table.rise(&one, &inbox));
        assert!(table.close(&one));
        assert!(![first.number, second.number].contains(&sit(&one).number));
    }
}
