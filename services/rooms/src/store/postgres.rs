//! The store for many pods: PostgreSQL, the primary.
//!
//! Schema `rooms`, with a migrations table of its own. Publishes, history and heads have pools of
//! their own, so that none can starve another; each statement is bounded by the server and each use
//! of a connection by us. A connection whose use was broken off is thrown away, never returned.
mod append;
mod check;
mod pool;
mod read;
mod statements;
mod trim;

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use domain::{Order, Position, PrincipalId, Result, RoomName};
use rpc::admin::{AuditRow, Member};
use rpc::rooms::{FetchRange, Fetched};
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};

use super::{
    Act, Append, AppendError, Appended, Audit, Done, Head, Keep, LogPage, PageWanted, RangeLimits,
    RoomFile, RoomId, RoomRow, Store, View, act, read_error,
};
use crate::config::SynchronousCommit;
use pool::{Lent, bounded};

pub(crate) use check::server as unsafe_settings;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");
/// Keeps two pods from migrating at once; not the lock that other services' migrations take.
const MIGRATION_LOCK: i64 = 0x726f_6f6d_735f_6d67;

/// All rooms' epochs in one transaction: as long as there are rooms, once after a restore.
const RENEW_ALL_MAX: Duration = Duration::from_secs(600);

/// How the database is used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections for publishes and acts.
    pub publish_connections: u32,
    /// Connections for history.
    pub history_connections: u32,
    /// Connections for joins and the heads watch.
    pub heads_connections: u32,
    /// The server ends a statement after this.
    pub statement: Duration,
    /// A publish transaction is given up after this, and its connection thrown away.
    pub commit: Duration,
    /// The weakest `synchronous_commit` that is accepted.
    pub synchronous_commit: SynchronousCommit,
    /// Start on a database that does not keep its promises.
    pub accept_unsafe: bool,
}

/// Logs in PostgreSQL.
pub struct PostgresStore {
    publish: PgPool,
    history: PgPool,
    heads: PgPool,
    commit: Duration,
    wait: Duration,
}

impl PostgresStore {
    /// Connects, refuses a database that would lose acked messages, and brings the schema up to
    /// date.
    pub async fn open(address: &str, options: &PostgresOptions) -> anyhow::Result<Self> {
        let connect = PgConnectOptions::from_str(address)
            // The parser's own text could show the password.
            .map_err(|_| anyhow::anyhow!("the database's address cannot be read"))?
            .application_name("roomcast-rooms");
        prepare(&connect, options).await?;
        let connect = connect.options([
            ("search_path", "rooms".to_owned()),
            ("statement_timeout", options.statement.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "10000".to_owned()),
        ]);
        let pool = |connections| pool::open(connect.clone(), connections);
        Ok(Self {
            publish: pool(options.publish_connections),
            history: pool(options.history_connections),
            heads: pool(options.heads_connections),
            commit: options.commit,
            wait: options.statement + Duration::from_secs(1),
        })
    }
}

async fn prepare(connect: &PgConnectOptions, options: &PostgresOptions) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect_with(connect).await.context("cannot connect")?;
    check::verdict(check::server(&mut conn, options.synchronous_commit).await?, options)?;
    migrate(&mut conn).await.context("cannot bring the schema up to date")?;
    check::verdict(check::schema(&mut conn).await?, options)?;
    conn.close().await?;
    Ok(())
}

async fn migrate(conn: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::raw_sql("SET lock_timeout = '60s'").execute(&mut *conn).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK).execute(&mut *conn).await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'rooms')")
            .fetch_one(&mut *conn)
            .await?;
    if !exists {
        sqlx::raw_sql("CREATE SCHEMA rooms").execute(&mut *conn).await?;
    }
    sqlx::raw_sql("SET search_path = rooms").execute(&mut *conn).await?;
    // A pod of the version before this one may start beside it: every migration only adds.
    let mut migrations = Migrator { locking: false, ignore_missing: true, ..Migrator::DEFAULT };
    migrations.migrations = MIGRATIONS.migrations.clone();
    migrations.run_direct(None, conn, false).await?;
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(MIGRATION_LOCK).execute(&mut *conn).await?;
    Ok(())
}

/// Runs one use of a connection: bounded, and thrown away unless it ended well.
macro_rules! lend {
    ($store:ident . $pool:ident, $conn:ident => $work:expr) => {{
        let mut lent = Lent::take(&$store.$pool).await.map_err(|e| read_error(&e))?;
        let got = {
            let $conn = &mut *lent;
            bounded($store.wait, $work).await
        };
        lent.back(got).map_err(|e| read_error(&e))
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn append(
        &self,
        batch: &[Append],
    ) -> std::result::Result<Vec<Result<Appended>>, AppendError> {
        append::append(&self.publish, batch, self.commit).await
    }

    async fn ensure_room(&self, room: &RoomName) -> Result<()> {
        lend!(self.publish, conn => act::ensure_room(conn.begin(), room))
    }

    async fn views(&self, wanted: &[(RoomName, PrincipalId)]) -> Result<Vec<Option<View>>> {
        lend!(self.heads, conn => read::views(conn, wanted))
    }

    async fn heads_by_name(&self, rooms: &[RoomName]) -> Result<Vec<Head>> {
        lend!(self.heads, conn => read::heads_by_name(conn, rooms))
    }

    async fn heads_by_id(&self, ids: &[RoomId]) -> Result<Vec<(RoomId, Position)>> {
        lend!(self.heads, conn => read::heads_by_id(conn, ids))
    }

    async fn page(&self, wanted: &PageWanted) -> Result<Option<LogPage>> {
        lend!(self.history, conn => read::page(conn, wanted))?.transpose()
    }

    async fn ranges(&self, ranges: &[FetchRange], limits: RangeLimits) -> Result<Vec<Fetched>> {
        lend!(self.history, conn => read::ranges(conn, ranges, limits))?
    }

    async fn newest_order(&self) -> Result<u64> {
        lend!(self.heads, conn => read::newest_order(conn))
    }

    async fn orders(&self, after: u64, limit: u32) -> Result<Vec<Order>> {
        let rows = lend!(self.heads, conn => read::orders(conn, after, limit))?;
        rows.into_iter().filter_map(|row| super::encoding::order_of(row).transpose()).collect()
    }

    async fn act(&self, act: &Act, audit: &Audit) -> Result<Done> {
        let mut lent = Lent::take(&self.publish).await.map_err(|e| read_error(&e))?;
        let wait = match act {
            Act::RenewEpochs { room: None } => RENEW_ALL_MAX,
            _ => self.wait,
        };
        let got = bounded(wait, act::act(lent.begin(), act, audit)).await;
        lent.back(got).map_err(|e| read_error(&e))?
    }

    async fn renew_if_behind(&self, room: &RoomName, claimed: &Position) -> Result<bool> {
        lend!(self.publish, conn => act::renew_if_behind(conn.begin(), room, claimed))
    }

    async fn list_rooms(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomRow>> {
        lend!(self.history, conn => read::list_rooms(conn, prefix, after, limit))
    }

    async fn describe(&self, room: &RoomName) -> Result<Option<RoomFile>> {
        lend!(self.history, conn => read::describe(conn, room))
    }

    async fn members(&self, room: &RoomName) -> Result<Option<Vec<Member>>> {
        lend!(self.history, conn => read::members(conn, room))
    }

    async fn totals(&self) -> Result<(u64, u64)> {
        lend!(self.history, conn => read::totals(conn))
    }

    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        lend!(self.history, conn => read::audit(conn, before, limit))
    }

    async fn trim_items(&self, keep: &Keep) -> Result<u64> {
        trim::items(self, keep).await
    }

    async fn trim_message_ids(&self, before_ms: i64) -> Result<u64> {
        trim::message_ids(self, before_ms).await
    }

    async fn trim_orders(&self, before_ms: i64) -> Result<u64> {
        lend!(self.publish, conn => trim::orders(conn, before_ms))
    }

    async fn trim_audit(&self, before_ms: i64) -> Result<u64> {
        lend!(self.publish, conn => trim::audit(conn, before_ms))
    }

    fn observe(&self) {
        for (name, pool) in
            [("publish", &self.publish), ("history", &self.history), ("heads", &self.heads)]
        {
            crate::metrics::pool(name, pool.size(), pool.num_idle());
        }
    }

    async fn close(&self) {
        self.publish.close().await;
        self.history.close().await;
        self.heads.close().await;
    }
}

use lend;
