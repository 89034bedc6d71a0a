//! What a gateway must know of a room's kind. The rules themselves stay in the rooms service.
use serde::{Deserialize, Serialize};

/// How coming and going is told to a room's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum JoinLeave {
    /// Not at all.
    Off,
    /// At once, for every connection: what the SDKs expect.
    #[default]
    Connection,
    /// For a principal's first and last connection; lost links are held back 5 s.
    User,
}

/// What a publish's payload looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// A chat message: a JSON object whose `id`, if given, is the message id.
    #[default]
    Chat,
    /// The application's own; never looked at.
    None,
}

/// What a client that comes back to a room is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Everything after its position, or an honest no.
    #[default]
    Log,
    /// The newest item alone, if it does not have it: for rooms whose last item says it all.
    Cache,
}

/// What a gateway needs of a room's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomSettings {
    /// Whether items are stored: offsets, history and recovery; else an ack means handed to the bus.
    pub stored: bool,
    /// Whether presence is kept.
    pub presence: bool,
    /// How coming and going is told.
    pub join_leave: JoinLeave,
    /// The payload's shape.
    pub envelope: Envelope,
    /// What a client that comes back is given.
    pub recovery: Recovery,
    /// Whether payloads may come as patches on the ones before them.
    pub delta: bool,
    /// Whether a subscriber may filter by tags.
    pub filters: bool,
}

/// What one principal may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// Publish into it.
    pub publish: bool,
    /// Kick from it, and see who is in it without being a member.
    pub moderate: bool,
}
