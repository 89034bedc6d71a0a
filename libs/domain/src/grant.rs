//! Rights to single rooms that a token proved, and how its maker wants the subscription to be.
use bytes::Bytes;

use crate::RoomName;

/// A right to read one room, proved by the operator's own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The room.
    pub room: RoomName,
    /// When the subscription ends unless it is refreshed, Unix milliseconds; `None` for never.
    pub until_ms: Option<i64>,
    /// What others see of the subscriber in this room: one JSON value without newlines; empty for nothing.
    pub info: Bytes,
    /// What the subscriber is told with the answer: one JSON value; empty for nothing.
    pub data: Bytes,
    /// What is to be other than the room's kind says.
    pub overrides: Overrides,
}

/// What one subscription has other than its room's kind says; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Whether it is seen by presence.
    pub presence: Option<bool>,
    /// Whether its coming and going is told.
    pub join_leave: Option<bool>,
    /// Whether it is told of coming and going, asked or not.
    pub push_join_leave: Option<bool>,
}

impl Grant {
    /// A right without an end and without wishes.
    pub fn new(room: RoomName) -> Self {
        let (info, data) = (Bytes::new(), Bytes::new());
        Self { room, until_ms: None, info, data, overrides: Overrides::default() }
    }
}
