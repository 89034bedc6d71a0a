//! The presence service as the others know it.
mod convert;
mod remote;
mod server;

use async_trait::async_trait;
use domain::{
    GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry,
    PresenceTotals, PrincipalId, Result, RoomName,
};

use crate::Call;

pub use remote::RemotePresence;
pub use server::server;

/// Who is here: leases of gateways, entries under them, counts.
///
/// Whatever keeps the store from being asked is `Unavailable`: never an empty list, never zero.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// Gives a gateway a new lease. Its older leases are dead from then on. Idempotent in effect.
    /// `peer_url` is what other gateways reach it by, as `http://host:port`.
    async fn open_lease(
        &self,
        call: Call,
        gateway: GatewayId,
        incarnation: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease>;

    /// Renews a lease for its whole TTL. Idempotent.
    async fn renew_lease(&self, call: Call, lease: LeaseId) -> Result<LeaseState>;

    /// Gives a lease back; entries still under it leave cleanly. Idempotent.
    async fn close_lease(&self, call: Call, lease: LeaseId) -> Result<()>;

    /// Applies a batch of changes. Idempotent by its number: an older number changes nothing.
    /// `LeaseState::Lost` also for a number that leaves a gap: the gateway takes a new lease and registers all again.
    async fn apply(&self, call: Call, lease: LeaseId, batch: PresenceBatch) -> Result<LeaseState>;

    /// Who is in a room: `limit` entries at most (the service has caps of its own, on their number
    /// and on what they take). Idempotent.
    async fn room(&self, call: Call, room: RoomName, limit: u32) -> Result<Vec<PresenceEntry>>;

    /// How many are in a room. Idempotent.
    async fn room_counts(&self, call: Call, room: RoomName) -> Result<PresenceCounts>;

    /// How many are here at all. Idempotent.
    async fn totals(&self, call: Call) -> Result<PresenceTotals>;

    /// Gateways with a live lease. Idempotent.
    async fn gateways(&self, call: Call) -> Result<Vec<GatewayInfo>>;

    /// Live connections of a principal on all gateways. Idempotent.
    async fn connections(&self, call: Call, principal: PrincipalId) -> Result<Vec<PresenceEntry>>;
}

/// A lease that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// It lapses after so long without a renewal.
    pub ttl_ms: u64,
    /// Renew it so often.
    pub renew_ms: u64,
}

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It does.
    Held,
    /// It lapsed, or the store lost its data: take a new one and register everything again.
    Lost,
}
