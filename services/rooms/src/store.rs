//! Where the logs live: one contract, PostgreSQL and SQLite behind it.
//!
//! The trait's comments are the specification; `tests/store_contract.rs` runs the same suite over
//! both. Whatever keeps a database from answering is `Unavailable`, logged here and nowhere else.
//! Nothing about locks or connections shows through.
mod act;
mod encoding;
pub(crate) mod plan;
pub mod postgres;
mod records;
pub mod sqlite;
mod statements;

use async_trait::async_trait;
use domain::{Error, ErrorReason, Order, PrincipalId, Result, RoomName};
use rpc::admin::{AuditRow, Member};
use rpc::rooms::{FetchRange, Fetched};

pub(crate) use encoding::{event_bytes, tags_bytes};
pub use records::{
    Act, Along, Append, AppendError, Appended, Audit, Done, Expel, Head, Keep, LogPage, Needs,
    PageWanted, RangeLimits, RoomFile, RoomId, RoomRow, Trimmed, View,
};
pub(crate) use records::{bounded, oldest, position};

/// The logs of all rooms, their members, orders and audit.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds items to their rooms' logs in one transaction that is durable when this returns.
    ///
    /// The results stand in the order of the batch. Offsets of new items continue the room's head
    /// without a hole, in the order of the batch. An item whose message id is known changes
    /// nothing: its first place with `duplicate` set, or `MessageIdConflict` for another digest.
    /// The batch must not hold the same (room, owner, message id) twice. Looked at under the room's
    /// lock: the deadline (`DeadlineExceeded`) and what `needs` asks (`PermissionDenied`). After a
    /// transient failure the owner's later items for that room fail likewise. `NotFound` for a
    /// room that does not exist.
    async fn append(
        &self,
        batch: &[Append],
    ) -> std::result::Result<Vec<Result<Appended>>, AppendError>;

    /// Makes a room unless it exists. Durable when this returns. Idempotent.
    async fn ensure_room(&self, room: &RoomName) -> Result<()>;

    /// Rooms as principals see them, in the order asked; `None` for a room that does not exist.
    async fn views(&self, wanted: &[(RoomName, PrincipalId)]) -> Result<Vec<Option<View>>>;

    /// Heads by name. Rooms that do not exist are left out; no order is promised.
    async fn heads_by_name(&self, rooms: &[RoomName]) -> Result<Vec<Head>>;

    /// Heads by number, for the heads watch: (number, head). No order is promised.
    async fn heads_by_id(&self, ids: &[RoomId]) -> Result<Vec<(RoomId, domain::Position)>>;

    /// A page of one log, its head and its oldest offset, all of one moment. `None` without the
    /// room.
    async fn page(&self, wanted: &PageWanted) -> Result<Option<LogPage>>;

    /// Ranges of many logs, in the order asked. A room that does not exist has an empty head.
    async fn ranges(&self, ranges: &[FetchRange], limits: RangeLimits) -> Result<Vec<Fetched>>;

    /// The number of the newest order ever given; 0 before the first.
    async fn newest_order(&self) -> Result<u64>;

    /// Orders after a number, numbers rising, at most `limit`. Whoever sees a number has seen, or
    /// can read, every lower one that is kept. Acts that only a newer version knows are left out.
    async fn orders(&self, after: u64, limit: u32) -> Result<Vec<Order>>;

    /// Does an act and leaves its audit row in one transaction; a refused act leaves one too.
    async fn act(&self, act: &Act, audit: &Audit) -> Result<Done>;

    /// Gives a room a new epoch if `claimed` lies above its head in its epoch, which only a log
    /// that lost its end can explain. Answers whether it did.
    async fn renew_if_behind(&self, room: &RoomName, claimed: &domain::Position) -> Result<bool>;

    /// Rooms by name, those beginning with `prefix`, after `after`, at most `limit`.
    async fn list_rooms(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomRow>>;

    /// All about one room.
    async fn describe(&self, room: &RoomName) -> Result<Option<RoomFile>>;

    /// A room's durable members, at most 10,000; `None` without the room.
    async fn members(&self, room: &RoomName) -> Result<Option<Vec<Member>>>;

    /// How many rooms there are, and how many items are kept in them.
    async fn totals(&self) -> Result<(u64, u64)>;

    /// Audit rows, newest first, below `before` if given, at most `limit`.
    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRow>>;

    /// Removes the beginnings of logs that are no longer kept. Never makes a hole: what is left of
    /// a log is its end. Does nothing while another pod's janitor works.
    async fn trim_items(&self, keep: &Keep) -> Result<u64>;

    /// Forgets message ids of items committed before `before_ms`. Does nothing while another pod's
    /// janitor works.
    async fn trim_message_ids(&self, before_ms: i64) -> Result<u64>;

    /// Forgets orders given before `before_ms`. Does nothing while another pod's janitor works.
    async fn trim_orders(&self, before_ms: i64) -> Result<u64>;

    /// Removes audit rows left before `before_ms`. Does nothing while another pod's janitor works.
    async fn trim_audit(&self, before_ms: i64) -> Result<u64>;

    /// Writes the pools' gauges.
    fn observe(&self);

    /// Closes the connections.
    async fn close(&self);
}

/// The room that an admin named does not exist.
pub(crate) fn no_such_room() -> Error {
    Error::new(ErrorReason::NotFound, "there is no such room")
}

/// Logs what a database answered, and tells the caller no more than it must know.
pub(crate) fn read_error(error: &sqlx::Error) -> Error {
    if let Some(code) = error.as_database_error().and_then(|e| e.code())
        && (code.starts_with("22") || code.starts_with("23"))
    {
        tracing::warn!(%error, "the database refused a value");
        return Error::invalid("a value cannot be stored");
    }
    metrics::counter!("roomcast_rooms_database_errors_total").increment(1);
    tracing::warn!(%error, "the database did not answer");
    Error::unavailable("the log cannot be reached; try again")
}
