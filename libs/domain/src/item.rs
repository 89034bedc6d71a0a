//! What a room carries: positioned items of its log, and signals without a position.
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    ConnectionId, Epoch, GatewayId, MessageId, Position, PrincipalId, RoomName, Tags, Who,
};

/// About what an event takes, in bytes.
const EVENT_BYTES: usize = 256;

/// A W3C `traceparent` value: the trace that one publish belongs to.
pub type TraceParent = Arc<str>;

/// A positioned item of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// 1, 2, 3 … without a hole in one epoch; 0 in rooms without a log.
    pub offset: u64,
    /// The author's id for it, or the one that the gateway made.
    pub message_id: MessageId,
    /// When it was committed, Unix milliseconds of the rooms pod.
    pub time_ms: i64,
    /// What it says.
    pub body: Body,
    /// The trace of its publish, if that was sampled. Not stored: absent in history.
    pub trace: Option<TraceParent>,
}

/// Authored or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Authored by a principal.
    Message {
        /// Who wrote it; `None` when a backend published without a sender of its own.
        sender: Option<Sender>,
        /// The gateway that took it.
        gateway: Option<GatewayId>,
        /// What the author says of it beside the payload.
        tags: Tags,
        /// The payload, as given: JSON for JSON clients. At most [`crate::MESSAGE_BYTES_MAX`].
        data: Bytes,
    },
    /// Made by the service itself.
    Event(Event),
}

/// An unauthored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Ends all subscriptions of `target` that were authorised at a lower offset.
    Kick {
        /// Who is kicked.
        target: PrincipalId,
        /// Who did it, for the audit.
        by: PrincipalId,
        /// Why, shown to the members. May be empty.
        reason: String,
    },
}

/// The author of a message, as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Who it is.
    pub id: PrincipalId,
    /// The name shown.
    pub name: String,
    /// JSON shown instead of the name, at most [`crate::INFO_BYTES_MAX`]; empty for none.
    pub info: Bytes,
    /// JSON shown beside it in this room, at most [`crate::INFO_BYTES_MAX`]; empty for none.
    pub room_info: Bytes,
    /// The connection that it was published on; `None` over HTTP or gRPC.
    pub connection: Option<ConnectionId>,
}

/// Items of one room that were committed together, offsets rising by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomBatch {
    /// The life of the log that the offsets belong to.
    pub epoch: Epoch,
    /// At least one item.
    pub items: Vec<Item>,
}

/// What travels to the gateways that hold members of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// The room.
    pub room: RoomName,
    /// What it is.
    pub traffic: RoomTraffic,
}

/// The three kinds of a room's traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomTraffic {
    /// Items of the room's log.
    Items(RoomBatch),
    /// Items of a room without a log: offset 0, delivered as they come.
    Ephemeral(Vec<Item>),
    /// Signals, without an order against the log.
    Signals(Vec<Signal>),
}

/// An unpositioned, ephemeral item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Somebody came.
    Join(Who),
    /// Somebody went.
    Leave(Who),
}

impl Item {
    /// The item's place in the log's life `epoch`.
    pub fn position(&self, epoch: &Epoch) -> Position {
        Position { epoch: epoch.clone(), offset: self.offset }
    }
}

impl Body {
    /// About how many bytes it holds: the payload, its tags, and what is shown of the author.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Message { sender, tags, data, gateway: _ } => {
                let shown = |sender: &Sender| sender.info.len() + sender.room_info.len();
                data.len() + tags.bytes() + sender.as_ref().map_or(0, shown)
            }
            Self::Event(_) => EVENT_BYTES,
        }
    }
}

impl RoomBatch {
    /// The highest offset in it; 0 if it is empty.
    pub fn last_offset(&self) -> u64 {
        self.items.last().map_or(0, |item| item.offset)
    }
}
