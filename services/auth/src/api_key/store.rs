//! Where keys are kept: one small contract, on PostgreSQL and on SQLite.
//!
//! auth owns its schema (PostgreSQL schema `auth`) or file, and the migrations table in it.
use std::sync::Arc;

use async_trait::async_trait;
use domain::PrincipalId;
use rpc::auth::KeyInfo;
use tokio_util::sync::CancellationToken;

mod postgres;
mod sqlite;

pub use postgres::PostgresKeys;
pub use sqlite::SqliteKeys;

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// What may be shown.
    pub info: KeyInfo,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
}

/// Who acts, and when: kept as an audit row beside the act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The admin.
    pub by: PrincipalId,
}

/// The store could not do it, or did not say whether it did.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// The schema is not there yet.
    #[error("the database is not prepared yet")]
    NotPrepared,
    /// A row cannot be read.
    #[error("the key {0} is kept in a form that cannot be read")]
    Unreadable(String),
}

/// Result of the store.
pub type Stored<T> = Result<T, StoreError>;

/// Keeps keys. Each act and its audit row are one transaction.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Adds a key. Fails if its id is taken.
    async fn insert(&self, row: KeyRow, act: Act) -> Stored<()>;
    /// The key with that id, ended or not.
    async fn find(&self, key_id: &str) -> Stored<Option<KeyRow>>;
    /// At most `limit` keys, newest first.
    async fn list(&self, limit: u32) -> Stored<Vec<KeyInfo>>;
    /// Ends a key at `act.at_ms`; `false` if there is none. A key that has been ended before
    /// keeps its first end and gets no audit row.
    async fn revoke(&self, key_id: &str, act: Act) -> Stored<bool>;
}

/// Opens the store behind a URL. A SQLite file is prepared at once; PostgreSQL in the background,
/// until `shutdown`, so that tokens can be verified while it is away.
pub async fn open(
    url: &str,
    connections_max: u32,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<dyn KeyStore>> {
    if url.starts_with("sqlite:") {
        return Ok(Arc::new(SqliteKeys::open(url).await?));
    }
    Ok(Arc::new(PostgresKeys::open(url, connections_max, shutdown)?))
}

/// A row as both databases give it: id, name, roles, made, ends, ended.
type InfoColumns = (String, String, String, i64, Option<i64>, Option<i64>);

fn info(columns: InfoColumns) -> Stored<KeyInfo> {
    let (key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms) = columns;
    let Ok(roles) = serde_json::from_str(&roles) else {
        return Err(StoreError::Unreadable(key_id));
    };
    Ok(KeyInfo { key_id, name, roles, created_at_ms, expires_at_ms, revoked_at_ms })
}

fn hash(key_id: &str, bytes: Vec<u8>) -> Stored<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Unreadable(key_id.to_owned()))
}

fn roles_json(roles: &[String]) -> String {
    serde_json::Value::from(roles.to_vec()).to_string()
}
