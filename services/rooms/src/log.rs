//! The way into the logs: lanes in which publishes are committed together.
//!
//! A room belongs to one lane, and a lane commits one batch at a time: so in a pod each room's
//! items enter in the order in which they were handed over. Everything is bounded; what does not
//! fit is refused as transient. An answer comes after the commit, the fan-out after the answer.
mod commit;
mod lane;

use std::sync::Arc;
use std::time::Duration;

use domain::{Error, Result, TraceParent};
use tokio_util::task::TaskTracker;

use crate::dispatch::Dispatch;
use crate::store::plan::too_late;
use crate::store::{Append, Appended, Store};

/// How much a lane takes in, and commits at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneLimits {
    /// Items that wait.
    pub waiting_items_max: usize,
    /// Bytes of payload that wait.
    pub waiting_bytes_max: usize,
    /// Items of one batch.
    pub batch_items_max: usize,
    /// Bytes of payload of one batch; one item may be larger.
    pub batch_bytes_max: usize,
    /// For so long one batch is tried.
    pub commit_max: Duration,
}

/// All lanes of this pod.
pub(crate) struct Log {
    lanes: Vec<Arc<lane::Lane>>,
}

impl Log {
    /// Starts the lanes; `tasks` tracks them. They end once [`Log::close`] was called and all is
    /// committed.
    pub(crate) fn start(
        store: &Arc<dyn Store>,
        dispatch: &Arc<Dispatch>,
        lanes: usize,
        limits: LaneLimits,
        tasks: &TaskTracker,
    ) -> Self {
        let lanes = (0..lanes.max(1)).map(|number| {
            let lane = Arc::new(lane::Lane::new(number, limits));
            tasks.spawn(lane.clone().run(store.clone(), dispatch.clone()));
            lane
        });
        Self { lanes: lanes.collect() }
    }

    /// Adds one item. `DeadlineExceeded` leaves the outcome unknown; `RateLimited` if the lane is
    /// full.
    pub(crate) async fn append(
        &self,
        item: Append,
        trace: Option<TraceParent>,
    ) -> Result<Appended> {
        let deadline = item.deadline;
        let hash = xxhash_rust::xxh3::xxh3_64(item.room.as_str().as_bytes());
        // Not the low bits: they are the shard, and a deployment may send shards to pods.
        let lane = (hash >> 32) as usize % self.lanes.len();
        let answered = self.lanes[lane].hand_over(item, trace)?;
        match tokio::time::timeout_at(deadline.0, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Error::unavailable("the log is closing; try another pod")),
            Err(_) => Err(too_late()),
        }
    }

    /// Takes nothing more; what waits is still committed.
    pub(crate) fn close(&self) {
        for lane in &self.lanes {
            lane.close();
        }
    }
}
