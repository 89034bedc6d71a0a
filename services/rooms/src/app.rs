//! The composition root: every part is made here, once, in a straight line.
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use rpc::auth::Auth;
use rpc::presence::Presence;
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Database, RoomsConfig};
use crate::dispatch::Dispatch;
use crate::heads::{Heads, WatchLimits};
use crate::history::Reader;
use crate::janitor::{self, Keeping};
use crate::kinds::Kinds;
use crate::log::{LaneLimits, Log};
use crate::membership::Membership;
use crate::metrics;
use crate::moderation::Moderation;
use crate::service::RoomsService;
use crate::store::Store;
use crate::store::postgres::{PostgresOptions, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// Audit rows of refused calls that wait to be written.
const REFUSALS_MAX: usize = 64;

/// The other parts that rooms speaks to.
pub struct Deps {
    /// Where committed items are handed to.
    pub bus: Arc<dyn Bus>,
    /// Asked for the figures that admins see.
    pub presence: Arc<dyn Presence>,
    /// Asked for API keys by admins.
    pub auth: Arc<dyn Auth>,
}

/// Starts the service: opens the database, brings its schema up to date and begins to work. After
/// `shutdown` what waits is still committed; await [`RoomsService::closed`] before the process
/// ends.
pub async fn start(
    config: RoomsConfig,
    deps: Deps,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<RoomsService>> {
    metrics::begin();
    let store = open(&config).await?;
    let tasks = TaskTracker::new();
    let kinds = Arc::new(Kinds::new(config.kinds.clone()));
    let dispatch = Arc::new(Dispatch::new(deps.bus));
    let log = Arc::new(Log::start(&store, &dispatch, config.lanes, lane_limits(&config), &tasks));
    let membership = Arc::new(Membership::new(kinds.clone(), store.clone()));
    let reader = Reader::new(store.clone(), membership.clone());
    let watch = WatchLimits {
        tick: Duration::from_millis(config.tick_ms),
        rooms_max: config.watch_rooms_max,
    };
    let heads = Heads::start(store.clone(), kinds.clone(), watch, shutdown.clone(), tasks.clone());
    let moderation = Moderation {
        store: store.clone(),
        kinds: kinds.clone(),
        membership: membership.clone(),
        log: log.clone(),
        dispatch: dispatch.clone(),
        heads: heads.clone(),
        tasks: tasks.clone(),
    };
    let keeping = Keeping {
        every: Duration::from_millis(config.janitor_ms),
        message_id_ms: config.message_id_keep_ms,
        order_ms: config.order_keep_ms,
        audit_ms: config.audit_keep_ms,
    };
    tasks.spawn(janitor::run(store.clone(), kinds.clone(), keeping, shutdown.clone()));
    tasks.spawn(close(shutdown, log.clone(), tasks.clone()));
    Ok(Arc::new(RoomsService {
        store,
        kinds,
        membership,
        log,
        reader,
        moderation,
        heads,
        dispatch,
        presence: deps.presence,
        auth: deps.auth,
        refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        tasks,
    }))
}

async fn close(shutdown: CancellationToken, log: Arc<Log>, tasks: TaskTracker) {
    shutdown.cancelled().await;
    log.close();
    tasks.close();
}

fn lane_limits(config: &RoomsConfig) -> LaneLimits {
    LaneLimits {
        waiting_items_max: config.lane_items_max,
        waiting_bytes_max: config.lane_bytes_max,
        batch_items_max: config.batch_items_max,
        batch_bytes_max: config.batch_bytes_max,
        commit_max: Duration::from_millis(config.commit_ms),
    }
}

async fn open(config: &RoomsConfig) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match config.database()? {
        Database::Sqlite(path) => Arc::new(SqliteStore::open(&path).await?),
        Database::Postgres(address) => {
            let options = PostgresOptions {
                publish_connections: config.publish_connections,
                history_connections: config.history_connections,
                heads_connections: config.heads_connections,
                statement: Duration::from_millis(config.statement_ms),
                commit: Duration::from_millis(config.commit_ms),
                synchronous_commit: config.synchronous_commit,
                accept_unsafe: config.accept_unsafe_database,
            };
            Arc::new(PostgresStore::open(address.expose_secret(), &options).await?)
        }
    })
}
