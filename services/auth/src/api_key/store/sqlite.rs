//! Keys in a SQLite file, for one machine.
//!
//! One connection: keys are few and read through a cache. WAL with full sync, so that a key
//! that was shown is there after a power cut, and one that was ended stays ended.
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use rpc::auth::KeyInfo;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Act, InfoColumns, KeyRow, KeyStore, Stored, hash, info, roles_json};

/// Keys in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteKeys {
    pool: SqlitePool,
}

impl SqliteKeys {
    /// Opens the file behind `sqlite://FILE`, makes it if there is none, and migrates it.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(2))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        Ok(Self { pool })
    }
}

const AUDIT: &str =
    "INSERT INTO key_audit (at_ms, act, key_id, by_issuer, by_subject) VALUES (?, ?, ?, ?, ?)";

async fn audit(
    transaction: &mut sqlx::SqliteTransaction<'_>,
    what: &str,
    key_id: &str,
    act: &Act,
) -> Stored<()> {
    sqlx::query(AUDIT)
        .bind(act.at_ms)
        .bind(what)
        .bind(key_id)
        .bind(act.by.issuer.as_ref())
        .bind(act.by.subject.as_ref())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn insert(&self, row: KeyRow, act: Act) -> Stored<()> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO api_keys (key_id, secret_hash, name, roles, created_at_ms, expires_at_ms)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&row.info.key_id)
        .bind(row.secret_hash.as_slice())
        .bind(&row.info.name)
        .bind(roles_json(&row.info.roles))
        .bind(row.info.created_at_ms)
        .bind(row.info.expires_at_ms)
        .execute(&mut *transaction)
        .await?;
        audit(&mut transaction, "create", &row.info.key_id, &act).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn find(&self, key_id: &str) -> Stored<Option<KeyRow>> {
        type Columns = (String, String, String, i64, Option<i64>, Option<i64>, Vec<u8>);
        let found: Option<Columns> = sqlx::query_as(
            "SELECT key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms, secret_hash
             FROM api_keys WHERE key_id = ?",
        )
        .bind(key_id)
        .fetch_optional(&self.pool)
        .await?;
        let Some((id, name, roles, made, ends, ended, bytes)) = found else { return Ok(None) };
        let secret_hash = hash(&id, bytes)?;
        Ok(Some(KeyRow { info: info((id, name, roles, made, ends, ended))?, secret_hash }))
    }

    async fn list(&self, limit: u32) -> Stored<Vec<KeyInfo>> {
        let rows: Vec<InfoColumns> = sqlx::query_as(
            "SELECT key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms
             FROM api_keys ORDER BY created_at_ms DESC, key_id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(info).collect()
    }

    async fn revoke(&self, key_id: &str, act: Act) -> Stored<bool> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ended = sqlx::query(
            "UPDATE api_keys SET revoked_at_ms = ? WHERE key_id = ? AND revoked_at_ms IS NULL",
        )
        .bind(act.at_ms)
        .bind(key_id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if ended > 0 {
            audit(&mut transaction, "revoke", key_id, &act).await?;
            transaction.commit().await?;
            return Ok(true);
        }
        let known: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM api_keys WHERE key_id = ?")
            .bind(key_id)
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(known.is_some())
    }
}
