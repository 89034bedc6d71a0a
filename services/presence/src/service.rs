//! The presence service: the trait of `rpc`, put together of leases and tracker.
use async_trait::async_trait;
use domain::{
    GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry,
    PresenceTotals, PrincipalId, Result, RoomName,
};
use rpc::Call;
use rpc::presence::{Lease, LeaseState, Presence};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::lease::Leases;
use crate::tracker::Tracker;

/// Who is here. Made by [`crate::start`].
pub struct PresenceService {
    pub(crate) leases: Leases,
    pub(crate) tracker: Tracker,
    pub(crate) tasks: TaskTracker,
    pub(crate) store_seen: watch::Receiver<bool>,
}

impl PresenceService {
    /// Waits until the store has answered once: then the service is ready, whatever comes later.
    /// False if the shutdown comes first.
    pub async fn store_seen(&self) -> bool {
        self.store_seen.clone().wait_for(|seen| *seen).await.is_ok()
    }

    /// Waits for what was begun before the shutdown: changes at work, and the sweeper's last turn.
    /// Bounded by the store's own time-outs.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[async_trait]
impl Presence for PresenceService {
    async fn open_lease(
        &self,
        call: Call,
        gateway: GatewayId,
        incarnation: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease> {
        self.leases.open(call, gateway, incarnation, peer_url).await
    }

    async fn renew_lease(&self, call: Call, lease: LeaseId) -> Result<LeaseState> {
        self.leases.renew(call, lease).await
    }

    async fn close_lease(&self, call: Call, lease: LeaseId) -> Result<()> {
        self.leases.close(call, lease).await
    }

    async fn apply(&self, call: Call, lease: LeaseId, batch: PresenceBatch) -> Result<LeaseState> {
        self.tracker.apply(call, lease, batch).await
    }

    async fn room(&self, call: Call, room: RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        self.tracker.room(call, room, limit).await
    }

    async fn room_counts(&self, call: Call, room: RoomName) -> Result<PresenceCounts> {
        self.tracker.room_counts(call, room).await
    }

    async fn totals(&self, call: Call) -> Result<PresenceTotals> {
        self.tracker.totals(call).await
    }

    async fn gateways(&self, call: Call) -> Result<Vec<GatewayInfo>> {
        self.tracker.gateways(call).await
    }

    async fn connections(&self, call: Call, principal: PrincipalId) -> Result<Vec<PresenceEntry>> {
        self.tracker.connections(call, principal).await
    }
}
