//! Puts the presence service together.
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::announce::Announcer;
use crate::config::{PresenceConfig, StoreAddress};
use crate::lease::{Leases, Writes};
use crate::metrics;
use crate::service::PresenceService;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::store::redis::RedisStore;
use crate::sweeper::Sweeper;
use crate::tracker::Tracker;

/// Starts the service and its sweeper. Does not wait for Redis: until that answers, every call is
/// `Unavailable`.
///
/// # Errors
/// An address of a store that cannot be read or understood.
pub async fn start(
    config: PresenceConfig,
    bus: Arc<dyn Bus>,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<PresenceService>> {
    metrics::begin();
    let store = open_store(&config)?;
    let announcer = Announcer::new(bus);
    let tasks = TaskTracker::new();
    let writes = Writes::new(config.writes_max, tasks.clone());
    let seen = watch::Sender::new(false);
    let store_seen = seen.subscribe();
    let sweeper = Sweeper {
        store: store.clone(),
        announcer: announcer.clone(),
        interval: Duration::from_millis(config.sweep_ms),
        entries_max: config.sweep_entries_max,
        seen,
    };
    tasks.spawn(sweeper.run(shutdown));
    Ok(Arc::new(PresenceService {
        leases: Leases::new(store.clone(), announcer.clone(), writes.clone(), &config),
        tracker: Tracker::new(store, announcer, writes, &config),
        tasks,
        store_seen,
    }))
}

fn open_store(config: &PresenceConfig) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match config.store_address()? {
        StoreAddress::Memory => Arc::new(MemoryStore::new(config.terms())),
        StoreAddress::Redis(url) => Arc::new(RedisStore::new(url.expose_secret(), config)?),
    })
}
