//! Deletes what dead leases left behind and tells the leaves; tells held leaves that are due.
//!
//! Every pod runs one. The store gives each entry to one of them alone, so that nobody need be
//! elected and a pod that dies costs the others nothing. Turns are bounded; while there is
//! more, the next follows at once. A turn that began is finished, shutdown or not.
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::announce::Announcer;
use crate::metrics;
use crate::store::Store;

/// Sweeps one store.
pub(crate) struct Sweeper {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) announcer: Announcer,
    pub(crate) interval: Duration,
    pub(crate) entries_max: u32,
    /// Turns true once the store has answered.
    pub(crate) seen: watch::Sender<bool>,
}

impl Sweeper {
    /// Sweeps until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            match (self.sweep(&shutdown).await, failing) {
                (Ok(()), false) | (Err(_), true) => {}
                (Ok(()), true) => {
                    tracing::info!("the presence store is swept again");
                    failing = false;
                }
                (Err(error), false) => {
                    tracing::warn!(%error, "the presence store cannot be swept; trying on");
                    failing = true;
                }
            }
        }
    }

    async fn sweep(&self, shutdown: &CancellationToken) -> domain::Result<()> {
        loop {
            let swept = self.store.sweep(None, self.entries_max).await?;
            self.seen.send_if_modified(|seen| !std::mem::replace(seen, true));
            if swept.taken > 0 {
                tracing::debug!(taken = swept.taken, leaves = swept.told.len(), "swept");
                metrics::swept(swept.taken);
            }
            self.announcer.tell(swept.told);
            if !swept.more || shutdown.is_cancelled() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}
