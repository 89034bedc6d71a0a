//! The recent items of one room's log, contiguous from `lo` to `hi`, each encoded once.
//!
//! A cache: what is not in it is read from history. It only ever grows at `hi + 1` and shrinks at
//! `lo`, so a member that takes cursor + 1 sees each offset once and in order.
use std::collections::VecDeque;
use std::sync::Arc;

use domain::{Epoch, Position};

use super::item::RingItem;
use super::shelf::Tally;

/// See the file's head.
#[derive(Debug)]
pub struct Ring {
    epoch: Epoch,
    items: VecDeque<Arc<RingItem>>,
    hi: u64,
    tally: Arc<Tally>,
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

impl Ring {
    /// An empty ring that goes on after `head`.
    pub fn new(head: Position, tally: Arc<Tally>) -> Self {
        Self { epoch: head.epoch, items: VecDeque::new(), hi: head.offset, tally }
    }

    /// An empty ring on the same account, to stand in its stead.
    pub fn anew(&self, head: Position) -> Self {
        Self::new(head, self.tally.clone())
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
        self.tally.bytes()
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
        if let Some(last) = self.items.back() {
            item.follow(last);
        }
        item.count_in(&self.tally);
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
        while self.bytes() > bytes {
            let Some(item) = self.items.pop_front() else { return };
            item.count_out();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Members may hold its items a little longer; the account is not theirs.
        self.items.iter().for_each(|item| item.count_out());
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
