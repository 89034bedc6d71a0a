//! What a presence store is, whichever it is: `memory` for one process, `redis` for many pods.
//!
//! The comments on [`Store`] are the contract; `tests/store_contract.rs` runs it on both. A store
//! decides what is told (it alone knows who was first and last) and does it in one atomic step
//! with the change itself, so that two pods never tell the same thing.
use std::time::Duration;

use async_trait::async_trait;
use domain::{
    GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry,
    PresenceTotals, PrincipalId, Result, RoomName, Signal,
};
use rpc::presence::LeaseState;

pub mod memory;
pub mod redis;

/// Leases, entries and counts.
///
/// A lease is *live* while it was renewed within its TTL, was not closed, and no younger lease of
/// its gateway was opened. Every read counts live leases alone. A lease that is not live keeps its
/// entries until `sweep` takes them; until then they stand for "nobody was told that they went".
///
/// Whether a room was told of somebody is a state of two values, and signals are its edges: a join
/// is told only if the last that was told was a leave (or nothing), a leave only after a join. With
/// `JoinLeave::Connection` the state belongs to a connection, with `JoinLeave::User` to a
/// principal on all gateways together; with `JoinLeave::Off` nothing is ever told.
///
/// A store that outlives its gateways may refuse reads with `Unavailable` while no lease was ever
/// opened: it cannot tell "nobody is here" from "everything was lost just now". It may also refuse
/// them after nobody swept for half a TTL, until each gateway whose lease lapsed meanwhile has
/// opened another or was swept: renewals were as impossible as sweeps.
///
/// Every call fails with `Unavailable` if the store cannot be asked in time, and has then perhaps
/// taken effect; all of them may be repeated.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes `lease` a live lease of `gateway`. Its older leases are not live from then on.
    ///
    /// Their entries wait to be swept until the older lease would have lapsed by itself (the TTL
    /// is the hold-back for users who come back); with the same `incarnation` a whole TTL more,
    /// since that gateway is about to register them again under `lease`.
    async fn open(
        &self,
        gateway: GatewayId,
        incarnation: Incarnation,
        lease: LeaseId,
        peer_url: Option<String>,
    ) -> Result<()>;

    /// Renews a live lease for a whole TTL. `Lost`, and no effect, if it is not live, or if the
    /// store lost data since it was opened.
    async fn renew(&self, lease: LeaseId) -> Result<LeaseState>;

    /// Ends a lease: not live at once, and free to be swept at once. Without effect if unknown.
    async fn close(&self, lease: LeaseId) -> Result<()>;

    /// Applies a batch under a live lease.
    ///
    /// `Lost`, and no effect, if the lease is not live or the number leaves a gap. A number that
    /// was applied changes nothing and tells nothing. Entering twice is entering once; leaving
    /// without having entered is nothing.
    ///
    /// An entry that an older lease of the same gateway still holds for the same connection moves
    /// over silently. With `announce` false a join is told only to a room that was told of a leave
    /// when this gateway's older lease was swept.
    async fn apply(&self, lease: LeaseId, batch: &PresenceBatch) -> Result<Applied>;

    /// At most `limit` entries of a room, of live leases, in no order.
    async fn room(&self, room: &RoomName, limit: u32) -> Result<Vec<PresenceEntry>>;

    /// How many are in a room.
    async fn room_counts(&self, room: &RoomName) -> Result<PresenceCounts>;

    /// How many are here at all.
    async fn totals(&self) -> Result<PresenceTotals>;

    /// Gateways with a live lease.
    async fn gateways(&self) -> Result<Vec<GatewayInfo>>;

    /// At most `limit` live connections of a principal, in no order.
    async fn connections(&self, principal: &PrincipalId, limit: u32) -> Result<Vec<PresenceEntry>>;

    /// One bounded turn of tidying: takes up to `limit` entries and connections of leases that
    /// lapsed or were closed, and up to `limit` held leaves that are due. Each entry is taken by
    /// one caller alone, who then tells what is returned.
    ///
    /// If nobody swept for half a TTL while there was something to sweep, the service was away and
    /// gateways could not renew: lapsed leases and held leaves then wait one TTL more.
    /// `only` restricts the turn to one lease, and to its entries.
    async fn sweep(&self, only: Option<LeaseId>, limit: u32) -> Result<Swept>;
}

/// For how long things hold. Two pods of one store must agree on it.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// A lease lapses after so long without renewal.
    pub ttl: Duration,
    /// A leave by a lost link is held back for so long (`JoinLeave::User`).
    pub hold: Duration,
}

/// What a batch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether the lease holds.
    pub state: LeaseState,
    /// To be told, in order.
    pub told: Vec<Told>,
}

/// What a turn of tidying did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// To be told, in order.
    pub told: Vec<Told>,
    /// How many entries, connections and holds were taken.
    pub taken: u64,
    /// Whether the limit ended the turn: there is more to take now.
    pub more: bool,
}

/// A signal and its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The room.
    pub room: RoomName,
    /// The signal.
    pub signal: Signal,
}

impl Terms {
    /// Nobody swept for so long: the service was away.
    pub fn absence(&self) -> Duration {
        self.ttl / 2
    }

    /// For so long a gateway that comes back finds out which leaves were told meanwhile. Longer than
    /// any socket of a paused gateway lives; shorter than memory matters.
    pub fn remembrance(&self) -> Duration {
        self.ttl * 6
    }
}
