//! What goes into a store and comes out of it, whichever it is.
//!
//! Plain values without behaviour; the contract that gives them meaning stands on the trait in
//! [`super::Store`].
use domain::{Body, Epoch, Item, MessageId, Order, OrderAct, Position, PrincipalId, RoomName};
use rpc::Deadline;

/// An item to be added to a room's log.
#[derive(Debug, Clone)]
pub struct Append {
    /// The room.
    pub room: RoomName,
    /// Whether the log makes the room if there is none; the store itself never does.
    pub make_room: bool,
    /// Whose message id it is, and whose right.
    pub owner: PrincipalId,
    /// The right that is looked at once more under the room's lock.
    pub needs: Needs,
    /// The idempotency key, scoped to owner and room.
    pub message_id: MessageId,
    /// SHA-256 of the payload: tells a retry from another payload under the same id.
    pub digest: [u8; 32],
    /// What the item says.
    pub body: Body,
    /// Not committed any more once this has passed.
    pub deadline: Deadline,
    /// What else happens in the same transaction, if the item is new.
    pub along: Vec<Along>,
}

/// The part of a right that lives in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// None: the service itself or an admin acts.
    Nothing,
    /// Not to be banned.
    NoBan,
    /// Not to be banned, and to be a member.
    Membership,
}

/// What is written together with an item.
#[derive(Debug, Clone)]
pub enum Along {
    /// Ends the target's membership; with `ban` keeps it out.
    Expel(Expel),
    /// Leaves an audit row.
    Audit(Audit),
}

/// Takes a principal out of a room.
#[derive(Debug, Clone)]
pub struct Expel {
    /// Whom.
    pub target: PrincipalId,
    /// Why.
    pub reason: String,
    /// Whether it may not come back.
    pub ban: bool,
}

/// An audit row to be written.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Who acts.
    pub by: PrincipalId,
    /// The call's name.
    pub act: &'static str,
    /// On what.
    pub target: String,
}

/// Where an item stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its place.
    pub position: Position,
    /// When it was committed first, Unix milliseconds.
    pub time_ms: i64,
    /// Whether an earlier try had added it.
    pub duplicate: bool,
}

/// Why a whole batch has no results.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The outcome is unknown, or the batch lost against another: it is safe to append it again.
    #[error("the batch must be appended again: {0}")]
    Again(String),
    /// The database refused a value; nothing was committed. Appending one by one finds it.
    #[error("the database refused a value: {0}")]
    Data(String),
    /// Anything else; nothing was committed as far as is known.
    #[error("the batch failed: {0}")]
    Failed(String),
}

/// A room as one principal sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its head.
    pub head: Position,
    /// The oldest offset kept; 0 if none is.
    pub oldest: u64,
    /// Whether the principal is banned from it.
    pub banned: bool,
    /// Whether the principal is a durable member.
    pub member: bool,
}

/// A room's number in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub i64);

/// A room's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub id: RoomId,
    /// Its name.
    pub room: RoomName,
    /// The head.
    pub position: Position,
}

/// A page of one log to be read.
#[derive(Debug, Clone)]
pub struct PageWanted {
    /// The room.
    pub room: RoomName,
    /// Exclusive start; `None` begins at the end that the direction starts from.
    pub from: Option<u64>,
    /// Newest first.
    pub reverse: bool,
    /// At most so many items.
    pub items_max: u32,
    /// At most so many bytes of payload, but always one item.
    pub bytes_max: u64,
}

/// A page of one log, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The head.
    pub head: Position,
    /// The oldest offset kept; 0 if none is.
    pub oldest: u64,
    /// In the order asked for.
    pub items: Vec<Item>,
}

/// Limits of a read over many logs, for each of them.
#[derive(Debug, Clone, Copy)]
pub struct RangeLimits {
    /// At most so many items of one log.
    pub items_max: u32,
    /// At most so many bytes of payload of one log, but always one item.
    pub bytes_max: u64,
}

/// A change made by an admin, or the mere note of one.
#[derive(Debug, Clone)]
pub enum Act {
    /// Makes a room. `AlreadyExists` if there is one.
    CreateRoom {
        /// Its name.
        room: RoomName,
        /// Its title.
        title: String,
    },
    /// Makes a principal a member. No error if it is one. `NotFound` without the room.
    AddMember {
        /// The room.
        room: RoomName,
        /// Who.
        member: PrincipalId,
    },
    /// Ends a membership and orders the end of its subscriptions. `NotFound` without the room.
    RemoveMember {
        /// The room.
        room: RoomName,
        /// Who.
        member: PrincipalId,
    },
    /// Takes a principal out of a room without an item in its log. `NotFound` without the room.
    Expel {
        /// The room.
        room: RoomName,
        /// Whom, and why.
        expel: Expel,
    },
    /// Lifts a ban. No error if there is none. `NotFound` without the room.
    Unban {
        /// The room.
        room: RoomName,
        /// Whose.
        target: PrincipalId,
    },
    /// Gives an order to all gateways.
    Order(OrderAct),
    /// Gives one room, or all, a new epoch. `NotFound` without the room.
    RenewEpochs {
        /// Which; `None` for all.
        room: Option<RoomName>,
    },
    /// Changes nothing: an act that happened elsewhere, with its outcome.
    Note {
        /// `ok`, or the reason's word.
        outcome: &'static str,
    },
}

/// What an act brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Nothing to tell.
    Nothing,
    /// The room that was made.
    Room(RoomRow),
    /// The order that was given.
    Order(Order),
    /// So many rooms were renewed.
    Renewed(u64),
}

/// A room as admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// Its name.
    pub room: RoomName,
    /// Its title.
    pub title: String,
    /// Its head.
    pub head: Position,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// The oldest offset kept; 0 if none is.
    pub oldest: u64,
    /// Items kept.
    pub items: u64,
}

/// All that the database knows of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomFile {
    /// As in a list.
    pub row: RoomRow,
    /// Durable members.
    pub members: u64,
    /// Who is banned, at most 1,000.
    pub banned: Vec<PrincipalId>,
}

/// How much of the logs of one kind is kept.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The kind.
    pub kind: String,
    /// At most so many items a room.
    pub items_max: u64,
    /// Nothing committed before this, Unix milliseconds.
    pub since_ms: i64,
}

/// What a round of the janitor removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Items of logs.
    pub items: u64,
    /// Message ids.
    pub message_ids: u64,
    /// Orders.
    pub orders: u64,
    /// Audit rows.
    pub audit: u64,
}

/// The oldest offset that is kept, 0 if none is.
pub(crate) fn oldest(trimmed: i64, head: i64) -> u64 {
    if trimmed < head { trimmed.unsigned_abs() + 1 } else { 0 }
}

/// An offset as a column holds it. No log gets as far as the bound.
pub(crate) fn bounded(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// A position of a database's columns.
pub(crate) fn position(epoch: String, offset: i64) -> Position {
    Position { epoch: Epoch::new(epoch), offset: offset.unsigned_abs() }
}
