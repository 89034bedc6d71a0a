//! Presence of one process: a state behind a mutex, with the clock of the runtime.
//!
//! Keeps the contract of [`Store`] for the standalone shape and for tests. Loses everything with
//! its process, as do the gateways that it serves. Never waits: the lock is held for one batch
//! or one bounded turn.
use async_trait::async_trait;
use domain::{
    GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceCounts, PresenceEntry,
    PresenceTotals, PrincipalId, Result, RoomName,
};
use parking_lot::Mutex;
use rpc::presence::LeaseState;
use tokio::time::Instant;

use super::{Applied, Store, Swept, Terms};

mod reads;
mod state;
mod sweep;

use state::State;

/// The store of one process.
pub struct MemoryStore {
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(terms: Terms) -> Self {
        Self { state: Mutex::new(State::new(terms, Instant::now())) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(
        &self,
        gateway: GatewayId,
        incarnation: Incarnation,
        lease: LeaseId,
        peer_url: Option<String>,
    ) -> Result<()> {
        self.state.lock().open((gateway, incarnation, peer_url), lease, Instant::now());
        Ok(())
    }

    async fn renew(&self, lease: LeaseId) -> Result<LeaseState> {
        Ok(self.state.lock().renew(lease, Instant::now()))
    }

    async fn close(&self, lease: LeaseId) -> Result<()> {
        self.state.lock().close(lease);
        Ok(())
    }

    async fn apply(&self, lease: LeaseId, batch: &PresenceBatch) -> Result<Applied> {
        Ok(self.state.lock().apply(lease, batch, Instant::now()))
    }

    async fn room(&self, room: &RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        Ok(self.state.lock().room(room, limit, Instant::now()))
    }

    async fn room_counts(&self, room: &RoomName) -> Result<PresenceCounts> {
        Ok(self.state.lock().room_counts(room, Instant::now()))
    }

    async fn totals(&self) -> Result<PresenceTotals> {
        Ok(self.state.lock().totals(Instant::now()))
    }

    async fn gateways(&self) -> Result<Vec<GatewayInfo>> {
        Ok(self.state.lock().gateways(Instant::now()))
    }

    async fn connections(&self, principal: &PrincipalId, limit: u32) -> Result<Vec<PresenceEntry>> {
        Ok(self.state.lock().connections(principal, limit, Instant::now()))
    }

    async fn sweep(&self, only: Option<LeaseId>, limit: u32) -> Result<Swept> {
        Ok(self.state.lock().sweep(only, limit, Instant::now()))
    }
}
