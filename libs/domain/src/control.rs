//! What concerns gateways rather than one room's members: orders and notices.
use bytes::Bytes;

use crate::{PrincipalId, RoomName};

/// A numbered order to all gateways. The control stream makes it certain, the bus only faster;
/// a gateway obeys each number once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Rises with each order; the database gives it.
    pub number: u64,
    /// When it was given, Unix milliseconds. Concerns only connections and subscriptions older than it.
    pub time_ms: i64,
    /// What to do.
    pub act: OrderAct,
}

/// What a gateway is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderAct {
    /// Close every connection of a principal.
    Disconnect {
        /// Whose.
        target: PrincipalId,
        /// Shown to the client. May be empty.
        reason: String,
        /// Whether the client may come back by itself.
        reconnect: bool,
    },
    /// End every subscription of a principal to a room, with push code 2000.
    Unsubscribe {
        /// Whose.
        target: PrincipalId,
        /// Which room.
        room: RoomName,
        /// Shown to the client. May be empty.
        reason: String,
    },
    /// Subscribe every connection of a principal to a room, unless it is subscribed already.
    Subscribe {
        /// Whose.
        target: PrincipalId,
        /// Which room.
        room: RoomName,
        /// Told with it: one JSON value of at most [`crate::INFO_BYTES_MAX`]; empty for nothing.
        data: Bytes,
    },
    /// Show a notice to every connection.
    Notice(Notice),
}

/// A system-wide text to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Lets a client show it once.
    pub id: String,
    /// The text.
    pub text: String,
    /// How grave it is.
    pub level: NoticeLevel,
}

/// How grave a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// For information.
    Info,
    /// Something is impaired.
    Warning,
}

/// What the fanout exchange carries to every gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemEvent {
    /// An order, early. The control stream brings the same one.
    Order(Order),
}
