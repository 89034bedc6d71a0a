//! The one reader of a room's log on this gateway: what comes from the bus, from heads and from
//! fetches goes in here, and a contiguous ring comes out.
//!
//! Does no I/O: it tells what is missing and the filler fetches it. An item is appended only at
//! `hi + 1`; one that comes too early waits; another epoch is never believed but asked about.
//! A new generation means that offsets may mean other items now: no member goes on across it.
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::{Epoch, Position, RoomBatch};
use rpc::rooms::{FetchRange, Fetched};

use super::Handle;
use super::item::RingItem;
use super::ring::{After, Ring};
use super::shelf::Tally;

/// See the file's head.
#[derive(Debug)]
pub struct Reader {
    room: Handle,
    ring: Ring,
    generation: u64,
    held: BTreeMap<u64, Arc<RingItem>>,
    held_max: usize,
    /// The highest offset that is known to be committed in the ring's epoch.
    target: u64,
    /// Something spoke of another life of the log.
    suspect: bool,
}

/// What an input changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Members have something to read, or must be told that they cannot.
    pub news: bool,
    /// Whether and how soon something must be fetched.
    pub need: Need,
}

/// How soon something must be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing is missing.
    Nothing,
    /// A hole: what fills it may be on its way.
    Soon,
    /// At once.
    Now,
}

/// What lies after a member's place.
#[derive(Debug, Clone)]
pub enum Next {
    /// Items, nothing yet, or not in the ring any more.
    In(After),
    /// The log was begun anew since.
    Gone,
}

impl Reader {
    /// A reader that goes on after `head`, holding back `held_max` early items at most. What its
    /// ring takes goes on `tally`.
    pub fn new(room: Handle, head: Position, tally: Arc<Tally>, held_max: usize) -> Self {
        let target = head.offset;
        Self {
            room,
            ring: Ring::new(head, tally),
            generation: 1,
            held: BTreeMap::new(),
            held_max,
            target,
            suspect: false,
        }
    }

    /// The place after which it waits for the next item.
    pub fn position(&self) -> Position {
        Position { epoch: self.ring.epoch().clone(), offset: self.ring.hi() }
    }

    /// Rises with each restart.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What the ring costs, in bytes.
    pub fn bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// Drops the ring's oldest items until at most `bytes` are left.
    pub fn trim(&mut self, bytes: usize) {
        self.ring.trim(bytes);
    }

    /// What comes after `offset` for a member of `generation`.
    pub fn after(&self, generation: u64, offset: u64, limit: usize) -> Next {
        if generation == self.generation {
            Next::In(self.ring.after(offset, limit))
        } else {
            Next::Gone
        }
    }

    /// Takes a batch from the bus: a hint, in any order, perhaps twice.
    pub fn offer(&mut self, batch: &RoomBatch) -> Outcome {
        if &batch.epoch != self.ring.epoch() {
            self.suspect = true;
            return Outcome { news: false, need: Need::Now };
        }
        let before = self.ring.hi();
        for item in &batch.items {
            self.take(Arc::new(RingItem::new(self.room.clone(), item.clone())));
        }
        self.outcome(before)
    }

    /// Takes a head read from the log.
    pub fn note_head(&mut self, head: &Position) -> Outcome {
        if &head.epoch != self.ring.epoch() {
            self.suspect = true;
            return Outcome { news: false, need: Need::Now };
        }
        self.target = self.target.max(head.offset);
        self.outcome(self.ring.hi())
    }

    /// What must be fetched now, if anything. The filler asks one range of a room at a time.
    pub fn missing(&self) -> Option<FetchRange> {
        let hi = self.ring.hi();
        if self.suspect {
            return Some(self.range(hi, u64::MAX));
        }
        if self.target <= hi {
            return None;
        }
        // Up to the first item that is held already; it and those behind it follow by themselves.
        let until = self.held.keys().next().map_or(self.target, |first| first - 1);
        Some(self.range(hi, until.max(hi + 1)))
    }

    /// How many items the log is known to hold after its place.
    pub fn behind(&self) -> u64 {
        self.target.saturating_sub(self.ring.hi())
    }

    /// Takes the answer to a fetch of `asked`.
    pub fn fetched(&mut self, asked: &FetchRange, answer: Fetched) -> Outcome {
        let before = self.ring.hi();
        if &asked.epoch != self.ring.epoch() {
            return self.outcome(before);
        }
        self.suspect = false;
        let begun_anew = &answer.head.epoch != self.ring.epoch();
        // What was seen committed and is not there now was lost with a restored database.
        let seen = if asked.until == u64::MAX { asked.after } else { asked.until };
        if begun_anew || answer.head.offset < seen {
            self.restart(answer.head);
            return Outcome { news: true, need: Need::Nothing };
        }
        self.target = self.target.max(answer.head.offset);
        if answer.items.is_empty() && answer.oldest > self.ring.hi() + 1 {
            // Retention overtook the hole: members behind it find their next item gone.
            self.skip_to(answer.oldest - 1);
            return Outcome { news: true, need: self.need() };
        }
        for item in answer.items {
            self.take(Arc::new(RingItem::new(self.room.clone(), item)));
        }
        self.outcome(before)
    }

    fn take(&mut self, item: Arc<RingItem>) {
        let offset = item.offset();
        self.target = self.target.max(offset);
        if offset <= self.ring.hi() {
            let known = self.ring.get(offset);
            if known.is_some_and(|known| known.item().message_id != item.item().message_id) {
                // The same place with another item: one of the two is of another life of the log.
                self.suspect = true;
            }
            return;
        }
        if offset > self.ring.hi() + 1 {
            if self.held.len() < self.held_max {
                self.held.insert(offset, item);
            }
            return;
        }
        self.ring.append(item);
        while let Some(next) = self.held.remove(&(self.ring.hi() + 1)) {
            self.ring.append(next);
        }
        let hi = self.ring.hi();
        if self.held.first_key_value().is_some_and(|(offset, _)| *offset <= hi) {
            self.held = self.held.split_off(&(hi + 1));
        }
    }

    fn restart(&mut self, head: Position) {
        self.target = head.offset;
        self.ring = self.ring.anew(head);
        self.held.clear();
        self.generation += 1;
    }

    fn skip_to(&mut self, offset: u64) {
        let epoch: Epoch = self.ring.epoch().clone();
        self.ring = self.ring.anew(Position { epoch, offset });
        self.held = self.held.split_off(&(offset + 1));
        while let Some(next) = self.held.remove(&(self.ring.hi() + 1)) {
            self.ring.append(next);
        }
    }

    fn range(&self, after: u64, until: u64) -> FetchRange {
        FetchRange { room: self.room.name.clone(), epoch: self.ring.epoch().clone(), after, until }
    }

    fn outcome(&self, before: u64) -> Outcome {
        Outcome { news: self.ring.hi() > before, need: self.need() }
    }

    fn need(&self) -> Need {
        if self.suspect {
            Need::Now
        } else if self.target > self.ring.hi() {
            Need::Soon
        } else {
            Need::Nothing
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
