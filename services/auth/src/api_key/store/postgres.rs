//! Keys in PostgreSQL, schema `auth`.
//!
//! The schema is migrated under sqlx's lock, safe with several processes, and retried until the
//! database is there; meanwhile every call fails at once. Time limits are the server's, so that
//! a stalled connection cannot hold a place in the pool for ever. An act and its audit row are
//! one statement.
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rpc::auth::KeyInfo;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio_util::sync::CancellationToken;

use super::{Act, InfoColumns, KeyRow, KeyStore, StoreError, Stored, hash, info, roles_json};

const SCHEMA: &str = "auth";
const MIGRATIONS_TABLE: &str = "auth.migrations";
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Keys in PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresKeys {
    pool: PgPool,
    prepared: Arc<AtomicBool>,
}

impl PostgresKeys {
    /// Prepares a pool for `postgres://…` and starts to migrate; connects to nothing before it returns.
    pub fn open(
        url: &str,
        connections_max: u32,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)?.application_name("roomcast-auth");
        let limits = [
            ("statement_timeout", "2000"),
            ("lock_timeout", "2000"),
            ("idle_in_transaction_session_timeout", "5000"),
            ("tcp_user_timeout", "5000"),
        ];
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(Duration::from_secs(2))
            .connect_lazy_with(options.clone().options(limits));
        let prepared = Arc::new(AtomicBool::new(false));
        tokio::spawn(prepare(options, Arc::clone(&prepared), shutdown));
        Ok(Self { pool, prepared })
    }

    fn pool(&self) -> Stored<&PgPool> {
        if self.prepared.load(Ordering::Acquire) {
            Ok(&self.pool)
        } else {
            Err(StoreError::NotPrepared)
        }
    }
}

/// Migrates until it succeeds.
async fn prepare(
    options: PgConnectOptions,
    prepared: Arc<AtomicBool>,
    shutdown: CancellationToken,
) {
    let mut wait = Duration::from_millis(200);
    loop {
        let result = tokio::select! {
            () = shutdown.cancelled() => return,
            result = migrate(&options) => result,
        };
        match result {
            Ok(()) => return prepared.store(true, Ordering::Release),
            Err(error) => tracing::warn!(%error, "the store of API keys cannot be prepared yet"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
        }
    }
}

async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    let connecting = tokio::time::timeout(Duration::from_secs(5), options.connect());
    let mut connection = connecting.await??;
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.create_schema(SCHEMA);
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    Ok(())
}

#[async_trait]
impl KeyStore for PostgresKeys {
    async fn insert(&self, row: KeyRow, act: Act) -> Stored<()> {
        sqlx::query(
            "WITH made AS (
                 INSERT INTO auth.api_keys
                     (key_id, secret_hash, name, roles, created_at_ms, expires_at_ms)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING key_id
             )
             INSERT INTO auth.key_audit (at_ms, act, key_id, by_issuer, by_subject)
             SELECT $7, 'create', key_id, $8, $9 FROM made",
        )
        .bind(&row.info.key_id)
        .bind(row.secret_hash.as_slice())
        .bind(&row.info.name)
        .bind(roles_json(&row.info.roles))
        .bind(row.info.created_at_ms)
        .bind(row.info.expires_at_ms)
        .bind(act.at_ms)
        .bind(act.by.issuer.as_ref())
        .bind(act.by.subject.as_ref())
        .execute(self.pool()?)
        .await?;
        Ok(())
    }

    async fn find(&self, key_id: &str) -> Stored<Option<KeyRow>> {
        type Columns = (String, String, String, i64, Option<i64>, Option<i64>, Vec<u8>);
        let found: Option<Columns> = sqlx::query_as(
            "SELECT key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms, secret_hash
             FROM auth.api_keys WHERE key_id = $1",
        )
        .bind(key_id)
        .fetch_optional(self.pool()?)
        .await?;
        let Some((id, name, roles, made, ends, ended, bytes)) = found else { return Ok(None) };
        let secret_hash = hash(&id, bytes)?;
        Ok(Some(KeyRow { info: info((id, name, roles, made, ends, ended))?, secret_hash }))
    }

    async fn list(&self, limit: u32) -> Stored<Vec<KeyInfo>> {
        let rows: Vec<InfoColumns> = sqlx::query_as(
            "SELECT key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms
             FROM auth.api_keys ORDER BY created_at_ms DESC, key_id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.pool()?)
        .await?;
        rows.into_iter().map(info).collect()
    }

    async fn revoke(&self, key_id: &str, act: Act) -> Stored<bool> {
        let (known,): (bool,) = sqlx::query_as(
            "WITH ended AS (
                 UPDATE auth.api_keys SET revoked_at_ms = $2
                 WHERE key_id = $1 AND revoked_at_ms IS NULL RETURNING key_id
             ), noted AS (
                 INSERT INTO auth.key_audit (at_ms, act, key_id, by_issuer, by_subject)
                 SELECT $2, 'revoke', key_id, $3, $4 FROM ended
             )
             SELECT EXISTS (SELECT 1 FROM auth.api_keys WHERE key_id = $1)",
        )
        .bind(key_id)
        .bind(act.at_ms)
        .bind(act.by.issuer.as_ref())
        .bind(act.by.subject.as_ref())
        .fetch_one(self.pool()?)
        .await?;
        Ok(known)
    }
}
