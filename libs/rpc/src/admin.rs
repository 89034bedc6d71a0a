//! The admin service: what ops scripts call, on the rooms service's admin port.
//!
//! Each act leaves an audit row in the same transaction, a refused one too. Every call is made by
//! a principal with the role `admin`; `PermissionDenied` otherwise.
mod convert;
mod guard;
mod remote;
mod server;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    GatewayInfo, MessageId, Notice, Position, PresenceEntry, PresenceTotals, Principal,
    PrincipalId, Result, RoomName, Tags,
};

use crate::Call;
use crate::auth::{CreatedKey, KeyInfo, NewKey};
use crate::rooms::{Disconnect, History, HistoryPage, Published, Subscribe, Unsubscribe};

pub use guard::Guard;
pub use remote::RemoteAdmin;
pub use server::server;

/// Administers the whole system.
#[async_trait]
pub trait Admin: Send + Sync + 'static {
    /// Figures of the whole system.
    async fn stats(&self, call: Call, by: Principal) -> Result<Stats>;
    /// Rooms that exist, by name; a page after `after`, at most 1,000.
    async fn list_rooms(
        &self,
        call: Call,
        by: Principal,
        prefix: String,
        after: Option<RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomInfo>>;
    /// One room. `NotFound` if there is none.
    async fn describe_room(&self, call: Call, by: Principal, room: RoomName) -> Result<RoomDetail>;
    /// Makes a room. `AlreadyExists` if there is one.
    async fn create_room(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        title: String,
    ) -> Result<RoomInfo>;
    /// Durable members of a room.
    async fn list_members(&self, call: Call, by: Principal, room: RoomName) -> Result<Vec<Member>>;
    /// Makes a principal a durable member of a room.
    async fn add_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()>;
    /// Ends a durable membership, and the member's subscriptions.
    async fn remove_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()>;
    /// Live connections in a room, or of a principal, or both filters at once; at most 1,000.
    async fn list_connections(
        &self,
        call: Call,
        by: Principal,
        of: ConnectionsOf,
    ) -> Result<Vec<PresenceEntry>>;
    /// A page of any room's history. `request.principal` is `by`.
    async fn history(&self, call: Call, request: History) -> Result<HistoryPage>;
    /// Publishes into any room, without a sender. A message id makes a retry safe.
    async fn publish(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        message_id: MessageId,
        tags: Tags,
        data: Bytes,
    ) -> Result<Published>;
    /// Shows a notice to every connection.
    async fn broadcast(&self, call: Call, by: Principal, notice: Notice) -> Result<()>;
    /// Ends a principal's subscriptions to a room by an item of its log, and its durable membership.
    /// With `ban` it may not come back until that is lifted.
    async fn kick(&self, call: Call, by: Principal, kick: Kick) -> Result<Position>;
    /// Lifts a ban. No error if there is none.
    async fn unban(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        target: PrincipalId,
    ) -> Result<()>;
    /// Closes every connection of a principal.
    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()>;
    /// Ends a principal's subscriptions to a room, without an item in its log.
    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()>;
    /// Subscribes the connections that a principal has now to a room; see `Rooms::subscribe`.
    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()>;
    /// Gives every room, or one, a new epoch: to be called once after a restore from a backup.
    /// Answers how many rooms were renewed.
    async fn renew_epochs(&self, call: Call, by: Principal, room: Option<RoomName>) -> Result<u64>;
    /// Newest audit rows first, before `before_number` if given; at most 1,000.
    async fn list_audit(
        &self,
        call: Call,
        by: Principal,
        before_number: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>>;
    /// Makes an API key.
    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey>;
    /// API keys that exist.
    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>>;
    /// Ends an API key at once.
    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()>;
}

/// Figures of the whole system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The product's version.
    pub version: String,
    /// Rooms that exist.
    pub rooms: u64,
    /// Items in all logs.
    pub items: u64,
    /// `None` while presence cannot be asked: unknown is not zero.
    pub presence: Option<PresenceTotals>,
    /// Live gateways; `None` while presence cannot be asked.
    pub gateways: Option<Vec<GatewayInfo>>,
}

/// What a list shows of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its name.
    pub room: RoomName,
    /// Its title in any script; may be empty.
    pub title: String,
    /// Its head.
    pub head: Position,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
}

/// All that is known of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomDetail {
    /// As in a list.
    pub info: RoomInfo,
    /// Its kind.
    pub kind: String,
    /// The oldest offset kept; 0 if none is.
    pub oldest: u64,
    /// Items kept.
    pub items: u64,
    /// Durable members.
    pub members: u64,
    /// Live connections and principals; `None` while presence cannot be asked.
    pub counts: Option<domain::PresenceCounts>,
    /// Who is banned.
    pub banned: Vec<PrincipalId>,
}

/// A durable member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: PrincipalId,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

/// Which live connections are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionsOf {
    /// Those in this room.
    pub room: Option<RoomName>,
    /// Those of this principal.
    pub principal: Option<PrincipalId>,
}

/// A kick to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kick {
    /// From which room.
    pub room: RoomName,
    /// Who.
    pub target: PrincipalId,
    /// Why, shown to the members; 120 bytes at most.
    pub reason: String,
    /// Whether it may not come back.
    pub ban: bool,
}

/// One act, done or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Rises with each row.
    pub number: u64,
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// Who.
    pub by: PrincipalId,
    /// The call's name, as `kick`.
    pub act: String,
    /// On what, as `room=general target=…`.
    pub target: String,
    /// `ok`, or the reason's word.
    pub outcome: String,
}
