//! Leases: given, renewed, given back.
//!
//! The id is given here, so that a batch can be tied to one claim of one gateway; whether a lease
//! holds is the store's to say, by its own clock.
use std::sync::Arc;

use domain::{Error, ErrorReason, GatewayId, Incarnation, LeaseId, Result};
use rpc::Call;
use rpc::presence::{Lease, LeaseState};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::announce::Announcer;
use crate::config::PresenceConfig;
use crate::metrics;
use crate::store::Store;

/// What may change the store: bounded, and never cut off half-way.
///
/// A change runs in a task of its own, so that a caller who goes away neither loses the signals of
/// a change that took effect nor drops a connection's answer. The store bounds the task in time.
#[derive(Clone)]
pub(crate) struct Writes {
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Writes {
    pub(crate) fn new(writes_max: usize, tasks: TaskTracker) -> Self {
        Self { slots: Arc::new(Semaphore::new(writes_max)), tasks }
    }

    /// Runs `write` to its end; waits for it until the call's deadline.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: Call,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let late = |_| Error::unavailable("the presence store did not answer in time");
        let slot = timeout_at(call.deadline.0, self.slots.clone().acquire_owned())
            .await
            .map_err(late)?
            .map_err(|_| Error::unavailable("presence is shutting down"))?;
        let task = async move {
            let _slot = slot;
            write.await
        };
        let task = self.tasks.spawn(task.in_current_span());
        timeout_at(call.deadline.0, task)
            .await
            .map_err(late)?
            .map_err(|_| Error::new(ErrorReason::Internal, "a presence change broke off"))?
    }
}

/// Gives leases out.
pub(crate) struct Leases {
    store: Arc<dyn Store>,
    announcer: Announcer,
    writes: Writes,
    ttl_ms: u64,
    renew_ms: u64,
    sweep_entries_max: u32,
}

impl Leases {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        announcer: Announcer,
        writes: Writes,
        config: &PresenceConfig,
    ) -> Self {
        Self {
            store,
            announcer,
            writes,
            ttl_ms: config.lease_ttl_ms,
            renew_ms: config.lease_renew_ms,
            sweep_entries_max: config.sweep_entries_max,
        }
    }

    pub(crate) async fn open(
        &self,
        call: Call,
        gateway: GatewayId,
        incarnation: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease> {
        let (store, id) = (self.store.clone(), LeaseId::random());
        tracing::info!(%gateway, %incarnation, lease = %id, "a gateway takes a lease");
        let write = async move { store.open(gateway, incarnation, id, peer_url).await };
        self.writes.run(call, write).await?;
        metrics::lease_opened();
        Ok(Lease { id, ttl_ms: self.ttl_ms, renew_ms: self.renew_ms })
    }

    pub(crate) async fn renew(&self, call: Call, lease: LeaseId) -> Result<LeaseState> {
        let store = self.store.clone();
        let state = self.writes.run(call, async move { store.renew(lease).await }).await?;
        metrics::lease_state(state);
        Ok(state)
    }

    /// Ends the lease and tells the leaves under it, as far as the store answers: what is left
    /// over is the sweeper's.
    pub(crate) async fn close(&self, call: Call, lease: LeaseId) -> Result<()> {
        let (store, announcer) = (self.store.clone(), self.announcer.clone());
        let limit = self.sweep_entries_max;
        let write = async move {
            store.close(lease).await?;
            tracing::info!(%lease, "a gateway gave its lease back");
            while let Ok(swept) = store.sweep(Some(lease), limit).await {
                announcer.tell(swept.told);
                metrics::swept(swept.taken);
                if !swept.more {
                    break;
                }
            }
            Ok(())
        };
        self.writes.run(call, write).await
    }
}
