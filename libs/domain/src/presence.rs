//! Who is here: entries, changes and counts.
use bytes::Bytes;

use crate::{ConnectionId, GatewayId, Incarnation, JoinLeave, PrincipalId, RoomName};

/// One live connection of a principal, as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Who {
    /// The principal.
    pub id: PrincipalId,
    /// The name shown.
    pub name: String,
    /// JSON shown instead of the name, at most [`crate::INFO_BYTES_MAX`]; empty for none.
    pub info: Bytes,
    /// JSON shown beside it in one room, at most [`crate::INFO_BYTES_MAX`]; empty for none, and
    /// where no room is meant.
    pub room_info: Bytes,
    /// The connection; in rooms with `join_leave = user` the first one that came or the last that went.
    pub connection: ConnectionId,
}

impl Who {
    /// About how many bytes is shown of it.
    pub fn bytes(&self) -> usize {
        self.name.len() + self.info.len() + self.room_info.len()
    }
}

/// A connection that is in a room now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceEntry {
    /// Who.
    pub who: Who,
    /// The gateway that holds it.
    pub gateway: GatewayId,
}

/// How a connection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It unsubscribed or closed: a leave at once.
    Clean,
    /// Its link was lost: with `join_leave = user` the leave is held back 5 s.
    Lost,
}

/// One change that a gateway reports of its own connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceChange {
    /// A connection was accepted.
    Connected(Who),
    /// A connection ended. Its rooms were left by changes of their own before.
    Disconnected(ConnectionId),
    /// A connection entered a room.
    Entered {
        /// The room.
        room: RoomName,
        /// Who.
        who: Who,
        /// How its coming is told.
        join_leave: JoinLeave,
    },
    /// A connection left a room.
    Left {
        /// The room.
        room: RoomName,
        /// Which.
        connection: ConnectionId,
        /// How.
        departure: Departure,
    },
}

/// Changes of one gateway's lease, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceBatch {
    /// 1, 2, 3 … per lease. The store takes each number once and none out of order.
    pub number: u64,
    /// Whether joins are told to the rooms; false when a gateway registers all again.
    pub announce: bool,
    /// In order.
    pub changes: Vec<PresenceChange>,
}

/// Who is in a room, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PresenceCounts {
    /// Live connections.
    pub connections: u64,
    /// Distinct principals among them.
    pub principals: u64,
}

/// Who is here at all, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PresenceTotals {
    /// Live connections on all gateways.
    pub connections: u64,
    /// Distinct principals among them.
    pub principals: u64,
    /// Gateways with a live lease.
    pub gateways: u64,
}

/// A gateway with a live lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayInfo {
    /// Its name.
    pub gateway: GatewayId,
    /// This life of its process.
    pub incarnation: Incarnation,
    /// Live connections on it.
    pub connections: u64,
    /// What other gateways reach it by, as `http://host:port`; `None` if they cannot.
    pub peer_url: Option<String>,
}
