//! The store for one machine: one SQLite file.
//!
//! WAL with `synchronous=FULL`: a commit is on the disk when it returns. One connection writes,
//! each transaction with BEGIN IMMEDIATE, so that no lock error ever shows; a pool of others reads.
mod append;
mod read;
mod statements;
mod trim;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use domain::{Order, Position, PrincipalId, Result, RoomName};
use rpc::admin::{AuditRow, Member};
use rpc::rooms::{FetchRange, Fetched};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::{
    Act, Append, AppendError, Appended, Audit, Done, Head, Keep, LogPage, PageWanted, RangeLimits,
    RoomFile, RoomId, RoomRow, Store, View, act, read_error,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");
const READERS: u32 = 4;
const ACQUIRE: Duration = Duration::from_secs(2);
/// Takes the file's write lock at once: a transaction that asks for it later may be refused.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// What SQLite answers to `PRAGMA synchronous` when it is FULL.
const SYNCHRONOUS_FULL: i64 = 2;

/// Logs in one SQLite file.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings its schema up to date. Fails if the
    /// file would not keep what is committed.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE).idle_timeout(None);
        let writer = pool()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .with_context(|| format!("cannot open the database {}", path.display()))?;
        durable(&writer).await?;
        migrate(&writer).await.context("cannot bring the schema up to date")?;
        let readers = pool().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }
}

/// One version back must still open the file: every migration only adds.
async fn migrate(writer: &SqlitePool) -> anyhow::Result<()> {
    let mut migrations = Migrator { ignore_missing: true, ..Migrator::DEFAULT };
    migrations.migrations = MIGRATIONS.migrations.clone();
    migrations.run(writer).await?;
    Ok(())
}

/// The settings are asked back, because SQLite ignores one that it cannot follow (a file on a
/// network share stays without WAL).
async fn durable(writer: &SqlitePool) -> anyhow::Result<()> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(writer).await?;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(writer).await?;
    anyhow::ensure!(synchronous >= SYNCHRONOUS_FULL, "synchronous is not FULL: {synchronous}");
    anyhow::ensure!(journal.eq_ignore_ascii_case("wal"), "the journal is {journal}, not WAL");
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(
        &self,
        batch: &[Append],
    ) -> std::result::Result<Vec<Result<Appended>>, AppendError> {
        append::append(&self.writer, batch).await
    }

    async fn ensure_room(&self, room: &RoomName) -> Result<()> {
        act::ensure_room(self.writer.begin_with(BEGIN), room).await.map_err(|e| read_error(&e))
    }

    async fn views(&self, wanted: &[(RoomName, PrincipalId)]) -> Result<Vec<Option<View>>> {
        read::views(&self.readers, wanted).await.map_err(|e| read_error(&e))
    }

    async fn heads_by_name(&self, rooms: &[RoomName]) -> Result<Vec<Head>> {
        read::heads_by_name(&self.readers, rooms).await.map_err(|e| read_error(&e))
    }

    async fn heads_by_id(&self, ids: &[RoomId]) -> Result<Vec<(RoomId, Position)>> {
        read::heads_by_id(&self.readers, ids).await.map_err(|e| read_error(&e))
    }

    async fn page(&self, wanted: &PageWanted) -> Result<Option<LogPage>> {
        read::page(&self.readers, wanted).await.map_err(|e| read_error(&e))?.transpose()
    }

    async fn ranges(&self, ranges: &[FetchRange], limits: RangeLimits) -> Result<Vec<Fetched>> {
        let fetched = read::ranges(&self.readers, ranges, limits).await;
        fetched.map_err(|e| read_error(&e))?.into_iter().collect()
    }

    async fn newest_order(&self) -> Result<u64> {
        read::newest_order(&self.readers).await.map_err(|e| read_error(&e))
    }

    async fn orders(&self, after: u64, limit: u32) -> Result<Vec<Order>> {
        let rows = read::orders(&self.readers, after, limit).await.map_err(|e| read_error(&e))?;
        rows.into_iter().filter_map(|row| super::encoding::order_of(row).transpose()).collect()
    }

    async fn act(&self, act: &Act, audit: &Audit) -> Result<Done> {
        act::act(self.writer.begin_with(BEGIN), act, audit).await.map_err(|e| read_error(&e))?
    }

    async fn renew_if_behind(&self, room: &RoomName, claimed: &Position) -> Result<bool> {
        act::renew_if_behind(self.writer.begin_with(BEGIN), room, claimed)
            .await
            .map_err(|e| read_error(&e))
    }

    async fn list_rooms(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomRow>> {
        read::list_rooms(&self.readers, prefix, after, limit).await.map_err(|e| read_error(&e))
    }

    async fn describe(&self, room: &RoomName) -> Result<Option<RoomFile>> {
        read::describe(&self.readers, room).await.map_err(|e| read_error(&e))
    }

    async fn members(&self, room: &RoomName) -> Result<Option<Vec<Member>>> {
        read::members(&self.readers, room).await.map_err(|e| read_error(&e))
    }

    async fn totals(&self) -> Result<(u64, u64)> {
        read::totals(&self.readers).await.map_err(|e| read_error(&e))
    }

    async fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        read::audit(&self.readers, before, limit).await.map_err(|e| read_error(&e))
    }

    async fn trim_items(&self, keep: &Keep) -> Result<u64> {
        trim::items(&self.writer, keep).await.map_err(|e| read_error(&e))
    }

    async fn trim_message_ids(&self, before_ms: i64) -> Result<u64> {
        trim::message_ids(&self.writer, before_ms).await.map_err(|e| read_error(&e))
    }

    async fn trim_orders(&self, before_ms: i64) -> Result<u64> {
        trim::orders(&self.writer, before_ms).await.map_err(|e| read_error(&e))
    }

    async fn trim_audit(&self, before_ms: i64) -> Result<u64> {
        trim::audit(&self.writer, before_ms).await.map_err(|e| read_error(&e))
    }

    fn observe(&self) {
        crate::metrics::pool("writer", self.writer.size(), self.writer.num_idle());
        crate::metrics::pool("readers", self.readers.size(), self.readers.num_idle());
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
