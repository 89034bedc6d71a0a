//! The heads watch: tells gateways how far the logs of their rooms reach, whatever the broker does.
//!
//! One loop reads the heads of all rooms held by any stream, by primary key and once for all,
//! compares them with what was last told and sends the changed ones; it follows the orders
//! likewise. A room that is added has its head read anew at once, many additions together. A stream
//! that is not read is ended: nothing here waits for a gateway.
mod stream;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Error, Result};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use rpc::rooms::{HeldRooms, WatchEvent, WatchStart};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kinds::Kinds;
use crate::metrics;
use crate::store::Store;
use table::Table;

/// Events that may wait in one stream.
const STREAM_EVENTS_MAX: usize = 512;
/// Orders read in one tick.
const ORDERS_MAX: u32 = 1_000;

/// How the watch runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchLimits {
    /// Time between two comparisons.
    pub tick: Duration,
    /// Rooms that one stream may hold.
    pub rooms_max: usize,
}

/// The streams of this pod and the loop that feeds them.
pub(crate) struct Heads {
    store: Arc<dyn Store>,
    kinds: Arc<Kinds>,
    limits: WatchLimits,
    table: Mutex<Table>,
    wake: Notify,
    orders_now: AtomicBool,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Heads {
    /// Starts the loop.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        kinds: Arc<Kinds>,
        limits: WatchLimits,
        shutdown: CancellationToken,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        let heads = Arc::new(Self {
            store,
            kinds,
            limits,
            table: Mutex::default(),
            wake: Notify::new(),
            orders_now: AtomicBool::new(false),
            shutdown,
            tasks: tasks.clone(),
        });
        tasks.spawn(heads.clone().run());
        heads
    }

    /// See `rpc::rooms::Rooms::watch`.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        start: WatchStart,
        held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        if self.shutdown.is_cancelled() {
            return Err(Error::unavailable("this pod is going"));
        }
        let newest = self.store.newest_order().await?;
        // A number above the newest one was seen before the database was restored: it means nothing
        // now.
        let orders_after = start.orders_after.map_or(newest, |after| after.min(newest));
        let (out, events) = mpsc::channel(STREAM_EVENTS_MAX);
        // The channel is new and has room.
        let _ = out.try_send(WatchEvent::Opened { orders_after });
        let id = self.table.lock().open(out.clone(), orders_after);
        tracing::info!(gateway = %start.gateway, orders_after, "a gateway watches");
        self.tasks.spawn(stream::serve(self.clone(), id, start.gateway, held, out));
        self.hasten();
        let end = futures_util::stream::once(async {
            Err(Error::unavailable("the stream ended; open another"))
        });
        Ok(ReceiverStream::new(events).map(Ok).chain(end).boxed())
    }

    /// Looks for orders at once: one was just given here.
    pub(crate) fn hasten(&self) {
        self.orders_now.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.limits.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut well = true;
        loop {
            let whole = tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = ticks.tick() => true,
                () = self.wake.notified() => false,
            };
            let done = self.round(whole).await;
            // The store has logged why; here is told only that the watch stands still, and goes on.
            if done.is_err() && well {
                tracing::error!("the heads watch stands still: the log cannot be read");
            } else if done.is_ok() && !well {
                tracing::info!("the heads watch goes on");
            }
            well = done.is_ok();
        }
    }

    async fn round(&self, whole: bool) -> Result<()> {
        self.added().await?;
        if whole {
            self.compare().await?;
        }
        if self.orders_now.swap(false, Ordering::Relaxed) || whole {
            self.orders().await?;
        }
        Ok(())
    }

    /// Sends the heads of rooms that were added since the last round, read now.
    async fn added(&self) -> Result<()> {
        let asked = self.table.lock().take_asked();
        if asked.is_empty() {
            return Ok(());
        }
        let rooms: Vec<_> = asked.keys().cloned().collect();
        match self.store.heads_by_name(&rooms).await {
            Ok(heads) => {
                self.table.lock().learn(heads, &asked);
                Ok(())
            }
            Err(error) => {
                self.table.lock().ask_again(asked);
                Err(error)
            }
        }
    }

    /// Compares the heads of all held rooms with what was told.
    async fn compare(&self) -> Result<()> {
        let started = Instant::now();
        let (ids, streams) = {
            let table = self.table.lock();
            (table.ids(), table.streams())
        };
        let read = if ids.is_empty() { Vec::new() } else { self.store.heads_by_id(&ids).await? };
        // Rooms without a number yet, and those whose number stands for another log than it did.
        let doubtful = self.table.lock().compare(&ids, read);
        if !doubtful.is_empty() {
            let heads = self.store.heads_by_name(&doubtful).await?;
            self.table.lock().learn(heads, &std::collections::HashMap::new());
        }
        metrics::tick(started.elapsed(), ids.len(), streams);
        self.store.observe();
        Ok(())
    }

    /// Sends each stream the orders after the last one that it got.
    async fn orders(&self) -> Result<()> {
        if self.table.lock().streams() == 0 {
            return Ok(());
        }
        let newest = self.store.newest_order().await?;
        let Some(after) = self.table.lock().orders_wanted(newest) else { return Ok(()) };
        let orders = self.store.orders(after, ORDERS_MAX).await?;
        if orders.len() == ORDERS_MAX as usize {
            self.hasten();
        }
        self.table.lock().obey(&orders);
        Ok(())
    }
}
