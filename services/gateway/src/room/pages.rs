//! Pages of history for members that are behind the ring, each asked for once.
//!
//! After a gateway's restart thousands of members need the same ranges: whoever asks for a page
//! that is under way waits for it, and a page is kept for a moment. Pages begin at multiples of
//! their size so that members at different places share them; where retention or a size limit
//! cuts such a page short, the exact range is asked for.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Epoch, Error, ErrorReason, Position, Result};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use rpc::rooms::{FetchRange, Fetched};
use tokio::time::Instant;

use super::Handle;
use super::item::RingItem;
use crate::peers::Peers;

/// How long a page that came may be used again.
const FRESH: Duration = Duration::from_secs(1);
/// Pages under way or kept, at most.
const PAGES_MAX: usize = 256;

/// Items of a log after some place.
#[derive(Debug)]
pub struct Page {
    /// The log's head when it was read.
    pub head: Position,
    /// The oldest offset kept; 0 if none.
    pub oldest: u64,
    items: Vec<Arc<RingItem>>,
}

/// A room by its number: its name may come back with another one, and a page holds frames.
type Key = (i64, Epoch, u64);
type Flight = Shared<BoxFuture<'static, Result<Arc<Page>>>>;

/// See the file's head.
pub struct Pages {
    peers: Arc<Peers>,
    size: u64,
    flights: Mutex<HashMap<Key, (Instant, Flight)>>,
}

impl Pages {
    /// Pages of `size` items.
    pub fn new(peers: Arc<Peers>, size: u32) -> Self {
        Self { peers, size: u64::from(size.max(1)), flights: Mutex::default() }
    }

    /// What comes after `after` in the log's life `epoch`.
    pub async fn after(&self, room: &Handle, epoch: &Epoch, after: u64) -> Result<Arc<Page>> {
        let start = after - after % self.size;
        let page = self.fly(room, epoch, start, true).await?;
        if page.items_after(after).next().is_some() || start == after && page.settles(epoch, after)
        {
            return Ok(page);
        }
        // Cut short, or older than what is asked for: the exact range, fresh.
        self.fly(room, epoch, after, false).await
    }

    fn fly(&self, room: &Handle, epoch: &Epoch, after: u64, kept: bool) -> Flight {
        let key: Key = (room.number, epoch.clone(), after);
        let mut flights = self.flights.lock();
        let now = Instant::now();
        if let Some((made, flight)) = flights.get(&key) {
            let under_way = flight.peek().is_none();
            let good = matches!(flight.peek(), Some(Ok(page)) if kept && !page.items.is_empty());
            if under_way || good && now.duration_since(*made) < FRESH {
                return flight.clone();
            }
        }
        let flight = self.take_off(room.clone(), epoch.clone(), after);
        if flights.len() >= PAGES_MAX {
            flights.retain(|_, (made, flight)| {
                flight.peek().is_none() && now.duration_since(*made) < FRESH * 5
            });
        }
        if flights.len() < PAGES_MAX {
            flights.insert(key, (now, flight.clone()));
        }
        flight
    }

    fn take_off(&self, room: Handle, epoch: Epoch, after: u64) -> Flight {
        metrics::counter!("roomcast_gateway_pages_total").increment(1);
        let peers = self.peers.clone();
        let until = after.saturating_add(self.size);
        let range = FetchRange { room: room.name.clone(), epoch, after, until };
        // On the process's runtime, so that it comes to its end whoever stops waiting.
        let task = self.peers.runtime().spawn(async move {
            let fetched = peers.fetch(range).await?;
            Ok(Arc::new(Page::new(&room, fetched)))
        });
        let broken = |_| Err(Error::new(ErrorReason::Internal, "the read of a page broke off"));
        task.map(move |joined| joined.unwrap_or_else(broken)).boxed().shared()
    }
}

impl Page {
    fn new(room: &Handle, fetched: Fetched) -> Self {
        let items = fetched.items.into_iter();
        let items: Vec<_> = items.map(|item| Arc::new(RingItem::new(room.clone(), item))).collect();
        for pair in items.windows(2) {
            pair[1].follow(&pair[0]);
        }
        Self { head: fetched.head, oldest: fetched.oldest, items }
    }

    /// The items after `after`, if the next one is among them.
    pub fn items_after(&self, after: u64) -> impl Iterator<Item = &Arc<RingItem>> {
        let first = self.items.first().map_or(u64::MAX, |item| item.offset());
        let reaches = first <= after + 1;
        self.items.iter().filter(move |item| reaches && item.offset() > after)
    }

    /// Whether an empty page after `after` is the whole truth: the log is another one, or nothing
    /// is there yet, or the next item is not kept.
    fn settles(&self, epoch: &Epoch, after: u64) -> bool {
        &self.head.epoch != epoch || self.head.offset <= after || self.oldest > after + 1
    }
}
