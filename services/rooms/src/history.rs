//! Reads of the logs: pages for principals, ranges for gateways.
//!
//! All reads go to the primary. A position of another epoch, or one beyond what is kept, is told
//! honestly. A position above the head in the same epoch can only mean that the log lost its end:
//! that is an alarm, and the room gets a new epoch.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Error, ErrorReason, Position, Result, RoomName};
use parking_lot::Mutex;
use rpc::rooms::{FetchRange, Fetched, History, HistoryPage};
use tokio::time::Instant;

use crate::membership::Membership;
use crate::metrics;
use crate::store::{LogPage, PageWanted, RangeLimits, Store, no_such_room};

/// Payload of one page at most; well below what a gRPC message may carry.
const PAGE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Payload of one answer to many ranges, about.
const FETCH_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Items of one range in one answer.
const FETCH_ITEMS_MAX: u32 = 500;
/// Ranges read in one statement.
const FETCH_STEP: usize = 64;
/// Ranges of one call.
const FETCH_RANGES_MAX: usize = 4_096;
/// Items of one page that an admin reads.
const ADMIN_PAGE_MAX: u32 = 1_000;
/// A room's epoch is renewed at most once in this time because of a position that somebody claims.
const RENEW_EVERY: Duration = Duration::from_secs(60);
const RENEWED_MAX: usize = 4_096;

/// Reads logs.
pub(crate) struct Reader {
    store: Arc<dyn Store>,
    membership: Arc<Membership>,
    renewed: Mutex<HashMap<RoomName, Instant>>,
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn Store>, membership: Arc<Membership>) -> Self {
        Self { store, membership, renewed: Mutex::default() }
    }

    /// See `rpc::rooms::Rooms::history`.
    pub(crate) async fn history(&self, request: History) -> Result<HistoryPage> {
        let (kind, view) = self.membership.read(&request.principal, &request.room).await?;
        if !kind.stored {
            return Err(Error::new(ErrorReason::NotOffered, "this room keeps no history"));
        }
        if request.limit == 0 && request.since.is_none() {
            return Ok(HistoryPage { items: Vec::new(), head: view.head });
        }
        let limit = request.limit.min(kind.history_page_max);
        self.page(&request, limit).await?.ok_or_else(Error::denied)
    }

    /// The same for an admin: any room, larger pages. `NotFound` without the room.
    pub(crate) async fn any_history(&self, request: &History) -> Result<HistoryPage> {
        let limit = request.limit.min(ADMIN_PAGE_MAX);
        self.page(request, limit).await?.ok_or_else(no_such_room)
    }

    async fn page(&self, request: &History, limit: u32) -> Result<Option<HistoryPage>> {
        let wanted = PageWanted {
            room: request.room.clone(),
            from: request.since.as_ref().map(|since| since.offset),
            reverse: request.reverse,
            items_max: limit,
            bytes_max: PAGE_BYTES_MAX,
        };
        let Some(page) = self.store.page(&wanted).await? else { return Ok(None) };
        if let Some(since) = &request.since {
            self.check(&request.room, since, &page, request.reverse).await?;
        }
        Ok(Some(HistoryPage { items: page.items, head: page.head }))
    }

    /// Whether the log can be read on from `since` without a silent jump.
    async fn check(
        &self,
        room: &RoomName,
        since: &Position,
        page: &LogPage,
        reverse: bool,
    ) -> Result<()> {
        if !since.epoch.is_empty() && since.epoch != page.head.epoch {
            return Err(unrecoverable());
        }
        if since.offset > page.head.offset {
            self.above_head(room, since, &page.head).await;
            return Err(unrecoverable());
        }
        let missed = since.offset < page.head.offset;
        let next_is_kept = page.oldest != 0 && page.oldest <= since.offset + 1;
        if missed && !next_is_kept && !reverse {
            return Err(unrecoverable());
        }
        Ok(())
    }

    /// See `rpc::rooms::Rooms::fetch`.
    pub(crate) async fn fetch(&self, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        if ranges.len() > FETCH_RANGES_MAX {
            let text = format!("at most {FETCH_RANGES_MAX} ranges in one call");
            return Err(Error::new(ErrorReason::LimitExceeded, text));
        }
        let mut all = Vec::with_capacity(ranges.len());
        let mut left = FETCH_BYTES_MAX;
        for step in ranges.chunks(FETCH_STEP) {
            // Once the answer is full the rest gets heads alone: an empty start of each range.
            let items_max = if left == 0 { 0 } else { FETCH_ITEMS_MAX };
            let bytes_max = left / step.len() as u64;
            let fetched = self.store.ranges(step, RangeLimits { items_max, bytes_max }).await?;
            for (range, fetched) in step.iter().zip(&fetched) {
                left = left.saturating_sub(payload_bytes(fetched));
                if fetched.head.epoch == range.epoch && range.after > fetched.head.offset {
                    let claimed = Position { epoch: range.epoch.clone(), offset: range.after };
                    self.above_head(&range.room, &claimed, &fetched.head).await;
                }
            }
            all.extend(fetched);
        }
        Ok(all)
    }

    /// Raises the alarm, and renews the room's epoch unless that was done a moment ago: a claim is
    /// only a claim, and must not let one liar make all members reload over and over.
    async fn above_head(&self, room: &RoomName, claimed: &Position, head: &Position) {
        metrics::position_above_head();
        tracing::error!(
            %room, claimed = claimed.offset, head = head.offset, epoch = %head.epoch,
            "a position above the head was shown: the log lost its end, or somebody lies"
        );
        if claimed.epoch.is_empty() || !self.may_renew(room) {
            return;
        }
        match self.store.renew_if_behind(room, claimed).await {
            Ok(true) => tracing::error!(%room, "the room has a new epoch"),
            Ok(false) => {}
            // Logged by the store; whoever claims it next tries again.
            Err(_) => drop(self.renewed.lock().remove(room)),
        }
    }

    fn may_renew(&self, room: &RoomName) -> bool {
        let mut renewed = self.renewed.lock();
        let now = Instant::now();
        renewed.retain(|_, at| now.duration_since(*at) < RENEW_EVERY);
        if renewed.contains_key(room) || renewed.len() >= RENEWED_MAX {
            return false;
        }
        renewed.insert(room.clone(), now);
        true
    }
}

fn unrecoverable() -> Error {
    let text = "the position lies in another epoch, or beyond what is kept";
    Error::new(ErrorReason::PositionUnrecoverable, text)
}

fn payload_bytes(fetched: &Fetched) -> u64 {
    fetched.items.iter().map(|item| item.body.bytes()).sum::<usize>() as u64
}
