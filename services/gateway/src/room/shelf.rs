//! The memory of rings: one budget for all of a gateway, and what each room's ring takes of it.
//!
//! What is counted is what was made: an item when it is appended, each of its frames when a member
//! first needs it. Workers make frames without the room's lock, so the counts are atomic, and they
//! are only ever too high for a moment, never too low.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a ring may hold however crowded the shelf is: the newest items must live until the workers
/// have walked their members.
const ROOM_BYTES_MIN: usize = 64 * 1024;

/// The memory that all rings of a gateway share.
#[derive(Debug)]
pub struct Shelf {
    bytes: AtomicUsize,
    total_max: usize,
    room_max: usize,
}

/// What one ring takes of the shelf.
#[derive(Debug)]
pub struct Tally {
    bytes: AtomicUsize,
    shelf: Arc<Shelf>,
}

impl Shelf {
    /// A budget for all rings, and one for each.
    pub fn new(total_max: usize, room_max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), total_max, room_max }
    }

    /// What all rings cost now, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether more than half of the budget is used: what nobody needs should go.
    pub fn crowded(&self) -> bool {
        self.bytes() > self.total_max / 2
    }

    /// How large a ring of so many bytes may stay.
    pub fn allowed(&self, bytes: usize) -> usize {
        let others = self.bytes().saturating_sub(bytes);
        let left = self.total_max.saturating_sub(others);
        bytes.min(left.max(ROOM_BYTES_MIN)).min(self.room_max)
    }
}

impl Tally {
    /// A ring that takes nothing yet.
    pub fn new(shelf: Arc<Shelf>) -> Self {
        Self { bytes: AtomicUsize::new(0), shelf }
    }

    /// What the ring costs now, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// It grew.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shelf.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It shrank by what was added before.
    pub fn take(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shelf.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_gets_what_the_others_leave_and_never_less_than_the_least() {
        let shelf = Arc::new(Shelf::new(1 << 20, 512 << 10));
        let (one, other) = (Tally::new(shelf.clone()), Tally::new(shelf.clone()));
        one.add(700 << 10);
        assert_eq!((shelf.allowed(one.bytes()), shelf.crowded()), (512 << 10, true));
        other.add(400 << 10);
        assert_eq!(shelf.allowed(other.bytes()), (1024 - 700) << 10);
        one.add(324 << 10);
        assert_eq!(shelf.allowed(other.bytes()), ROOM_BYTES_MIN);
        one.take(1024 << 10);
        assert_eq!((shelf.bytes(), shelf.allowed(other.bytes())), (400 << 10, 400 << 10));
    }
}
