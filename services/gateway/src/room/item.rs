//! An item of a log as a gateway holds it: with its frames, and with what it costs.
//!
//! A frame is made at the first delivery to a member of its shape and shared by all of that shape;
//! so is the patch on the item before it. Workers deliver without the room's lock, also an item that
//! the ring has dropped meanwhile; what the item counts is settled between them by one atomic number.
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};

use bytes::Bytes;
use domain::{Body, Event, Item, PrincipalId};
use wire::{Format, Publication, Push, PushBody, Uncarried, fossil};

use super::Handle;
use super::shelf::Tally;
use crate::connection::frames::{Frames, Payload, Shape};
use crate::translate;

/// What an item costs beside its payload and its frames, roughly, in bytes.
const ITEM_OVERHEAD_BYTES: usize = 512;
/// Of this process alone, so that nobody can make two payloads with one print.
static PRINTS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// See the file's head.
#[derive(Debug)]
pub struct RingItem {
    room: Handle,
    item: Item,
    frames: Frames,
    /// Only in rooms whose kind allows patches.
    lineage: Option<Box<Lineage>>,
    /// The account of the ring that it is or was in; none if it came with a page.
    tally: OnceLock<Arc<Tally>>,
    /// What it counts there; 0 while it is in no ring.
    counted: AtomicUsize,
}

/// What patches need to know of an item.
#[derive(Debug, Default)]
struct Lineage {
    /// The item before it; not known of the first one in a ring or page, and gone with it.
    previous: OnceLock<Weak<RingItem>>,
    /// See [`RingItem::print`].
    print: OnceLock<u64>,
    /// The patch on the item before it, if that is known and the patch shorter than the payload.
    patch: OnceLock<Option<Patch>>,
}

#[derive(Debug)]
struct Patch {
    /// The print of what it is made of.
    base: u64,
    bytes: Bytes,
}

impl RingItem {
    /// An item of `room`'s log.
    pub fn new(room: Handle, item: Item) -> Self {
        let (tally, counted) = (OnceLock::new(), AtomicUsize::new(0));
        let lineage = room.patched.then(Box::default);
        Self { room, item, frames: Frames::default(), lineage, tally, counted }
    }

    /// It comes after `previous` in the log. To be told before it is shared.
    pub fn follow(&self, previous: &Arc<Self>) {
        if let Some(lineage) = &self.lineage
            && previous.offset() + 1 == self.offset()
        {
            lineage.previous.get_or_init(|| Arc::downgrade(previous));
        }
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

    /// Its push as members of `shape` get it.
    pub fn frame(&self, shape: Shape) -> Result<Bytes, Uncarried> {
        self.frames.get(shape, || self.push(shape), |bytes| self.count_more(bytes))
    }

    fn push(&self, shape: Shape) -> Result<Push, Uncarried> {
        let publication = self.written(shape.carrier.format(), shape.payload)?;
        let Handle { name, number, .. } = &self.room;
        let named = Push::new(name.as_str(), PushBody::Pub(publication));
        Ok(if shape.numbered {
            Push { id: *number, channel: String::new(), ..named }
        } else {
            named
        })
    }

    /// It as a publication in an answer. A payload that the format cannot carry is given as it is,
    /// so that the answer as a whole cannot be written.
    pub fn publication(&self, format: Format, payload: Payload) -> Publication {
        self.written(format, payload).unwrap_or_else(|_| translate::publication(&self.item))
    }

    fn written(&self, format: Format, payload: Payload) -> Result<Publication, Uncarried> {
        let mut publication = translate::publication(&self.item);
        let patch = (payload == Payload::Patch).then(|| self.patch()).flatten();
        if let Some(patch) = patch {
            publication.data = format.patch(&patch.bytes, &publication.data)?;
            publication.delta = true;
        } else if payload != Payload::Plain {
            publication.data = format.whole(&publication.data)?;
        }
        Ok(publication)
    }

    /// What tells its payload from every other one.
    pub fn print(&self) -> u64 {
        let print = || PRINTS.hash_one(&*translate::payload(&self.item));
        self.lineage.as_ref().map_or_else(print, |lineage| *lineage.print.get_or_init(print))
    }

    /// Whether there is a patch that makes its payload out of the one with that print.
    pub fn patches(&self, print: u64) -> bool {
        self.patch().is_some_and(|patch| patch.base == print)
    }

    fn patch(&self) -> Option<&Patch> {
        let lineage = self.lineage.as_ref()?;
        let make = || {
            let previous = lineage.previous.get()?.upgrade()?;
            let (base, own) = (translate::payload(&previous.item), translate::payload(&self.item));
            let bytes = fossil::patch(&base, &own)?;
            self.count_more(bytes.len());
            Some(Patch { base: previous.print(), bytes })
        };
        lineage.patch.get_or_init(make).as_ref()
    }

    /// What it takes in an answer, roughly, in bytes.
    pub fn answer_bytes(&self) -> usize {
        ITEM_OVERHEAD_BYTES + self.item.body.bytes()
    }

    /// It comes into a ring: it counts from now on, and so does every frame that is made of it.
    pub fn count_in(&self, tally: &Arc<Tally>) {
        let tally = self.tally.get_or_init(|| tally.clone());
        let cost = ITEM_OVERHEAD_BYTES + self.item.body.bytes();
        tally.add(cost);
        self.counted.store(cost, Ordering::Release);
    }

    /// It leaves the ring: it counts no more, whoever holds it still.
    pub fn count_out(&self) {
        let counted = self.counted.swap(0, Ordering::AcqRel);
        if let Some(tally) = self.tally.get() {
            tally.take(counted);
        }
    }

    /// Something more was made of it.
    fn count_more(&self, bytes: usize) {
        let Some(tally) = self.tally.get() else { return };
        // First the account, then the item: who takes the item off takes what stands there.
        tally.add(bytes);
        let inside = |counted: usize| (counted > 0).then_some(counted + bytes);
        let counted = self.counted.fetch_update(Ordering::AcqRel, Ordering::Acquire, inside);
        if counted.is_err() {
            tally.take(bytes);
        }
    }
}
