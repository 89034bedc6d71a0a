//! The rooms service as gateways know it.
mod convert;
mod remote;
mod server;
mod watch;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    Epoch, GatewayId, Item, MessageId, Order, Position, Principal, PrincipalId, Result, Rights,
    RoomName, RoomSettings, Sender, Tags,
};
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use crate::Call;

pub use remote::RemoteRooms;
pub use server::server;

/// Order, history, membership and moderation of all rooms.
#[async_trait]
pub trait Rooms: Send + Sync + 'static {
    /// May this principal join, and where does the log stand? Makes the room if its kind allows.
    ///
    /// The head is read after the call began: whoever joins with it misses nothing that was acked
    /// before. `PermissionDenied` for a forbidden, a banned and an unknown room alike. Idempotent.
    async fn join(&self, call: Call, request: Join) -> Result<Joined>;

    /// Adds a message to a room's log, or hands it to the bus in a room without one.
    ///
    /// Answered after the commit. Idempotent by the message id, which therefore is no option here:
    /// the gateway makes one per command when the client gave none. `MessageIdConflict` if the id
    /// was used for another payload.
    async fn publish(&self, call: Call, request: Publish) -> Result<Published>;

    /// Reads a page of a room's log for a principal, with its rights. Idempotent.
    async fn history(&self, call: Call, request: History) -> Result<HistoryPage>;

    /// Reads ranges of several logs for a gateway that fills its rings. No rights are asked:
    /// only gateways call it. The answers stand in the order of the ranges. Idempotent.
    ///
    /// A range may be answered in part: `items` is then a gapless start of it, limited by items or
    /// bytes, and the gateway asks again for the rest.
    async fn fetch(&self, call: Call, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>>;

    /// Closes every connection of a principal, on every gateway. Admins only. Audited.
    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()>;

    /// Ends every subscription of a principal to a room, without a kick's item in the log. Admins only. Audited.
    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()>;

    /// Subscribes every connection that a principal has now to a room. Admins only. Audited.
    ///
    /// `NotFound` if there is no such room and none is made; `PermissionDenied` also for a target
    /// that is banned, or no member where members alone may join. Answered when it is ordered: the
    /// gateways obey it soon after, and a connection that may not join is left as it is.
    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()>;

    /// Opens the stream of heads and orders for one gateway.
    ///
    /// The gateway sends which rooms it holds, from nothing; it gets each of those rooms' heads once
    /// and then whenever one moved, orders after `orders_after`, and a heartbeat every second. The
    /// stream ends with an error when the pod goes; the gateway opens another elsewhere and sends
    /// all its rooms again.
    async fn watch(
        &self,
        start: WatchStart,
        held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>>;
}

/// A wish to read a room live.
#[derive(Debug, Clone)]
pub struct Join {
    /// Who.
    pub principal: Principal,
    /// Which room.
    pub room: RoomName,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What the gateway must know of the room.
    pub settings: RoomSettings,
    /// What the principal may do in it.
    pub rights: Rights,
    /// The head: offset 0 for an empty log, an empty epoch in rooms without one.
    pub head: Position,
}

/// A message to be added.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The room.
    pub room: RoomName,
    /// Whose right it is, and whose message id.
    pub principal: Principal,
    /// The author as others see it; `None` publishes without one.
    pub sender: Option<Sender>,
    /// The idempotency key.
    pub message_id: MessageId,
    /// The gateway that took it.
    pub gateway: Option<GatewayId>,
    /// The author's tags. A retry must have the same.
    pub tags: Tags,
    /// The payload.
    pub data: Bytes,
}

/// A message that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its place; offset 0 and an empty epoch in rooms without a log.
    pub position: Position,
    /// Whether it had been added before, by an earlier try.
    pub duplicate: bool,
}

/// A page of history to be read.
#[derive(Debug, Clone)]
pub struct History {
    /// Who asks.
    pub principal: Principal,
    /// Of which room.
    pub room: RoomName,
    /// Read on from here (exclusive); `None` from the oldest kept item, or from the newest if reversed.
    pub since: Option<Position>,
    /// At most so many items; 0 asks for the head alone. Capped by the room's kind.
    pub limit: u32,
    /// Newest first.
    pub reverse: bool,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// In the order asked for.
    pub items: Vec<Item>,
    /// The head, read with the items.
    pub head: Position,
}

/// A range of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRange {
    /// The room.
    pub room: RoomName,
    /// The life of the log that the gateway believes in.
    pub epoch: Epoch,
    /// The first item wanted has this offset + 1.
    pub after: u64,
    /// The last one wanted; `u64::MAX` for the head.
    pub until: u64,
}

/// What a range holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The head now; another epoch than the range's means that the log was begun anew.
    pub head: Position,
    /// The oldest offset kept; 0 if none is.
    pub oldest: u64,
    /// Ascending and without a gap from `after + 1`; empty if that one is not kept, not yet there,
    /// or of another epoch.
    pub items: Vec<Item>,
}

/// An order to close a principal's connections.
#[derive(Debug, Clone)]
pub struct Disconnect {
    /// Who orders it.
    pub by: Principal,
    /// Whose.
    pub target: PrincipalId,
    /// Shown to the client, 120 bytes at most.
    pub reason: String,
    /// Whether the client may come back by itself.
    pub reconnect: bool,
}

/// An order to end a principal's subscriptions to a room.
#[derive(Debug, Clone)]
pub struct Unsubscribe {
    /// Who orders it.
    pub by: Principal,
    /// Whose.
    pub target: PrincipalId,
    /// Which room.
    pub room: RoomName,
    /// Shown to the client, 120 bytes at most.
    pub reason: String,
}

/// An order to subscribe a principal's connections to a room.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Who orders it.
    pub by: Principal,
    /// Whose.
    pub target: PrincipalId,
    /// Which room.
    pub room: RoomName,
    /// Told to the client: one JSON value of at most `domain::INFO_BYTES_MAX`; empty for nothing.
    pub data: Bytes,
}

/// How a gateway opens its stream.
#[derive(Debug, Clone)]
pub struct WatchStart {
    /// Which gateway.
    pub gateway: GatewayId,
    /// The last order obeyed; `None` for a new process, which begins after the newest one.
    pub orders_after: Option<u64>,
}

/// A change of the rooms that a gateway holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldRooms {
    /// Held from now on. A room that is held already has its head sent once more: a re-check.
    pub add: Vec<RoomName>,
    /// Held no longer.
    pub remove: Vec<RoomName>,
}

/// What the stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// First on every stream: the number after which its orders begin.
    Opened {
        /// The newest order before the stream, or `orders_after`.
        orders_after: u64,
    },
    /// Heads of held rooms that moved, or were asked for.
    Heads(Vec<(RoomName, Position)>),
    /// An order for gateways, numbers rising.
    Order(Order),
    /// Every second, so that silence tells of a dead pod: two missed, and the gateway changes pods.
    Heartbeat,
}
