//! The words of roomcast as types: rooms, principals, positions, items, errors.
//!
//! Pure: no I/O, no clock, no async. Every other crate speaks in these types; the
//! prost types stop at the crates of layer 1. One concept has one name, and the name
//! is the one in `docs/GLOSSARY.md`.
mod admission;
mod control;
mod error;
mod grant;
mod id;
mod item;
mod position;
mod presence;
mod principal;
mod room;
mod session;
mod settings;
mod tags;

pub use admission::{Admission, Admitted, Decision, REFUSAL_BYTES_MAX, Refusal};
pub use control::{Notice, NoticeLevel, Order, OrderAct, SystemEvent};
pub use error::{Error, ErrorReason, Result};
pub use grant::{Grant, Overrides};
pub use id::{ConnectionId, GatewayId, Incarnation, InvalidId, LeaseId, MessageId};
pub use item::{Body, Event, Item, RoomBatch, RoomEvent, RoomTraffic, Sender, Signal, TraceParent};
pub use position::{Epoch, Position};
pub use presence::{
    Departure, GatewayInfo, PresenceBatch, PresenceChange, PresenceCounts, PresenceEntry,
    PresenceTotals, Who,
};
pub use principal::{
    ADMIN_ROLE, ANONYMOUS_ISSUER, API_KEY_ISSUER, Credential, Principal, PrincipalId, Verified,
};
pub use room::{InvalidRoomName, RoomName, Shard};
pub use session::Session;
pub use settings::{Envelope, JoinLeave, Recovery, Rights, RoomSettings};
pub use tags::{GATEWAY_TAG, InvalidTags, TAG_KEY_BYTES_MAX, TAG_VALUE_BYTES_MAX, TAGS_MAX, Tags};

/// Largest message body in bytes that any part accepts, on any way in.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Largest JSON in bytes that a token may show of its bearer: as its info, and as its info in one room.
pub const INFO_BYTES_MAX: usize = 4 * 1024;
