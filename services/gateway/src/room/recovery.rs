//! What a subscribe with a position is answered: everything after it, or honestly nothing.
//!
//! Pure but for the page that it may need. A recovery is never partial: either the next item is
//! kept and the rest follows from the member's cursor, or the client must reload. Where a room's
//! newest item says it all, that one alone is given.
use std::sync::Arc;

use domain::{Position, Recovery, Result};
use wire::SubscribeRequest;

use super::Room;
use super::item::RingItem;
use super::pages::Pages;
use super::reader::Next;
use super::ring::After;
use crate::config::RoomConfig;

/// How a member starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// The place that the client is told: what comes after it is below or follows it.
    pub place: Position,
    /// Whether everything missed is below or follows it.
    pub recovered: bool,
    /// The first part of what was missed.
    pub items: Vec<Arc<RingItem>>,
}

/// What the request's position means against the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Nothing to recover: start at the head.
    Fresh,
    /// Nothing was missed.
    Current,
    /// Something was missed after this offset.
    Missed(u64),
    /// The log is another one.
    Foreign,
}

/// Where a member that sent `request` starts, if the room's log stands at `head`.
pub async fn start(
    request: &SubscribeRequest,
    head: &Position,
    generation: u64,
    room: &Room,
    pages: &Pages,
    config: &RoomConfig,
) -> Result<Start> {
    if request.recover && room.settings().recovery == Recovery::Cache {
        return newest(request, head, generation, room, pages).await;
    }
    let at_head = |recovered| Start::at(head, recovered);
    let after = match claim(request, head) {
        Claim::Fresh | Claim::Foreign => return Ok(at_head(false)),
        Claim::Current => return Ok(at_head(true)),
        Claim::Missed(after) => after,
    };
    let items = read(after, head, generation, room, pages).await?.into_iter();
    let items = items.take_while(|item| item.offset() <= head.offset).take(config.recovery_items);
    Ok(match items.collect::<Vec<_>>() {
        // The next item is not kept.
        items if items.is_empty() => at_head(false),
        items => Start { items, ..Start::after(after, head) },
    })
}

/// The same where the newest item is all that counts: that one, unless the client has it. It is
/// recovered if there is one that is kept, however long the client was away.
async fn newest(
    request: &SubscribeRequest,
    head: &Position,
    generation: u64,
    room: &Room,
    pages: &Pages,
) -> Result<Start> {
    let current = request.offset == head.offset && request.epoch == head.epoch.as_str();
    let Some(before) = head.offset.checked_sub(1).filter(|_| !current) else {
        return Ok(Start::at(head, head.offset > 0));
    };
    let items = read(before, head, generation, room, pages).await?;
    Ok(match items.into_iter().next() {
        Some(item) if item.offset() == head.offset => {
            Start { items: vec![item], ..Start::after(before, head) }
        }
        _ => Start::at(head, false),
    })
}

/// What comes after an offset: from the ring, or from a page of history.
async fn read(
    after: u64,
    head: &Position,
    generation: u64,
    room: &Room,
    pages: &Pages,
) -> Result<Vec<Arc<RingItem>>> {
    if let Next::In(After::Items(items)) = room.after(generation, after) {
        return Ok(items);
    }
    let page = pages.after(room.handle(), &head.epoch, after).await?;
    Ok(page.items_after(after).cloned().collect())
}

impl Start {
    /// At a room's head, with nothing that was missed.
    pub fn at(head: &Position, recovered: bool) -> Self {
        Self { place: head.clone(), recovered, items: Vec::new() }
    }

    fn after(offset: u64, head: &Position) -> Self {
        let place = Position { epoch: head.epoch.clone(), offset };
        Self { place, recovered: true, items: Vec::new() }
    }
}

fn claim(request: &SubscribeRequest, head: &Position) -> Claim {
    if !request.recover {
        return Claim::Fresh;
    }
    // An empty epoch is that of a client that has seen none: it counts as equal.
    if !request.epoch.is_empty() && request.epoch != head.epoch.as_str() {
        return Claim::Foreign;
    }
    match request.offset {
        offset if offset == head.offset => Claim::Current,
        offset if offset < head.offset => Claim::Missed(offset),
        _ => {
            // The head was read after the client saw that offset: the log lost something.
            metrics::counter!("roomcast_gateway_positions_above_head_total").increment(1);
            tracing::error!(room_kind = "stored", "a client's position lies above the head");
            Claim::Foreign
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Epoch;

    fn request(recover: bool, epoch: &str, offset: u64) -> SubscribeRequest {
        SubscribeRequest { recover, epoch: epoch.to_owned(), offset, ..Default::default() }
    }

    #[test]
    fn a_claim_is_judged_by_epoch_and_offset() {
        let head = Position { epoch: Epoch::new("e1"), offset: 10 };
        let cases = [
            (request(false, "", 0), Claim::Fresh),
            (request(false, "e1", 3), Claim::Fresh),
            (request(true, "e1", 10), Claim::Current),
            (request(true, "", 10), Claim::Current),
            (request(true, "e1", 3), Claim::Missed(3)),
            (request(true, "", 0), Claim::Missed(0)),
            (request(true, "_", 0), Claim::Foreign),
            (request(true, "e0", 10), Claim::Foreign),
            (request(true, "e1", 11), Claim::Foreign),
        ];
        for (request, claimed) in cases {
            assert_eq!(claim(&request, &head), claimed, "{request:?}");
        }
        let empty = Position { epoch: Epoch::new("e1"), offset: 0 };
        assert_eq!(claim(&request(true, "e1", 0), &empty), Claim::Current);
    }
}
