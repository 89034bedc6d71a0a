//! The recent items of one room's log, contiguous from `lo` to `hi`, each encoded once.
//!
//! A cache: what is not in it is read from history. It only ever grows at `hi + 1` and shrinks at
//! `lo`, so a member that takes cursor + 1 sees each offset once and in order.
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use domain::{Body, Epoch, Event, Item, Position, PrincipalId, RoomName};
use wire::{Push, PushBody, Uncarried};

use crate::connection::carrier::{Carrier, Frames};
use crate::translate;

/// What an item costs beside its payload, roughly, in bytes.
const ITEM_OVERHEAD_BYTES: usize = 512;

/// An item with its frames, made at the first delivery by a carrier and shared by all of it.
#[derive(Debug)]
pub struct RingItem {
    room: RoomName,
    item: Item,
    frames: Frames,
}

/// See the file's head.
#[derive(Debug)]
pub struct Ring {
    epoch: Epoch,
    items: VecDeque<Arc<RingItem>>,
    hi: u64,
    bytes: usize,
}

/// What lies after a place in the ring.
#[derive(Debug, Clone)]
pub enum After {
    /// The next items, ascending from the place + 1.
    Items(Vec<Arc<RingItem>>),
    /// Nothing yet.
    Head,
    /// The next item is not in the ring any more.
    Behind,
}

impl RingItem {
    /// An item of `room`'s log.
    pub fn new(room: RoomName, item: Item) -> Self {
        Self { room, item, frames: Frames::default() }
    }

    /// Its offset; 0 in rooms without a log.
    pub fn offset(&self) -> u64 {
        self.item.offset
    }

    /// The item.
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// Whom it kicks, and why, if it is a kick.
    pub fn kick(&self) -> Option<(&PrincipalId, &str)> {
        match &self.item.body {
            Body::Event(Event::Kick { target, reason, .. }) => Some((target, reason)),
            Body::Message { .. } => None,
        }
    }

    /// Its push as `carrier` writes it.
    pub fn frame(&self, carrier: Carrier) -> Result<Bytes, Uncarried> {
        self.frames.get(carrier, || {
            Push::new(self.room.as_str(), PushBody::Pub(translate::publication(&self.item)))
        })
    }

    /// What it counts against the budget of rings.
    pub fn cost(&self) -> usize {
        // The payload once as it came, and at most once in the frame of each carrier.
        ITEM_OVERHEAD_BYTES + (1 + Carrier::COUNT) * self.item.body.bytes()
    }

    /// What it takes in an answer, roughly, in bytes.
    pub fn answer_bytes(&self) -> usize {
        ITEM_OVERHEAD_BYTES + self.item.body.bytes()
    }
}

impl Ring {
    /// An empty ring that goes on after `head`.
    pub fn new(head: Position) -> Self {
        Self { epoch: head.epoch, items: VecDeque::new(), hi: head.offset, bytes: 0 }
    }

    /// The life of the log that its offsets belong to.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The highest offset that it went past.
    pub fn hi(&self) -> u64 {
        self.hi
    }

    /// The lowest offset that it holds; `hi + 1` if it holds none.
    pub fn lo(&self) -> u64 {
        self.hi + 1 - self.items.len() as u64
    }

    /// What it costs, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The item with that offset, if it is held.
    pub fn get(&self, offset: u64) -> Option<&Arc<RingItem>> {
        let index = offset.checked_sub(self.lo())?;
        self.items.get(usize::try_from(index).ok()?)
    }

    /// Appends the item with offset `hi + 1`. Any other is refused, which is a defect of the caller.
    pub fn append(&mut self, item: Arc<RingItem>) -> bool {
        if item.offset() != self.hi + 1 {
            return false;
        }
        self.hi += 1;
        self.bytes += item.cost();
        self.items.push_back(item);
        true
    }

    /// What comes after `offset`, at most `limit` items.
    pub fn after(&self, offset: u64, limit: usize) -> After {
        if offset >= self.hi {
            return After::Head;
        }
        if offset + 1 < self.lo() {
            return After::Behind;
        }
        let from = (offset + 1 - self.lo()) as usize;
        let until = self.items.len().min(from.saturating_add(limit));
        After::Items(self.items.range(from..until).cloned().collect())
    }

    /// Drops the oldest items until at most `bytes` are left.
    pub fn trim(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let Some(item) = self.items.pop_front() else { return };
            self.bytes -= item.cost();
        }
    }
}
