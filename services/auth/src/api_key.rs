//! API keys for scripts: made and ended by admins, proved on every call.
//!
//! A key is looked up by its public id and compared by the SHA-256 of its secret in constant
//! time. What the store said is believed for two seconds at most, so that an ended key acts
//! everywhere within three. A store that cannot be asked is `Unavailable`, never a refusal.
mod cache;
mod secret;
pub mod store;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use domain::{Error, ErrorReason, Principal, PrincipalId, Result, Verified};
use rpc::auth::{CreatedKey, KeyInfo, NewKey};
use tokio::time::Instant;

use crate::role;
use cache::Cache;
pub use secret::{KeySecret, SECRET_PREFIX};
use store::{Act, KeyRow, KeyStore, StoreError};

/// The issuer of principals that a key stands for.
pub const ISSUER: &str = domain::API_KEY_ISSUER;
/// Longest name of a key, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most roles of a key.
pub const ROLES_MAX: usize = 32;
/// Longest life of a key with an end: ten years.
pub const TTL_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1000;
/// Most keys that a list shows.
pub const LIST_MAX: u32 = 1000;

/// The keys and the rules about them.
pub struct ApiKeys {
    store: Arc<dyn KeyStore>,
    cache: Cache,
}

impl ApiKeys {
    /// Keys that are kept in `store`.
    pub fn new(store: Arc<dyn KeyStore>) -> Self {
        Self { store, cache: Cache::default() }
    }

    /// Proves a key.
    pub async fn verify(&self, text: &str) -> Result<Verified> {
        let Some(shown) = KeySecret::parse(text) else { return Err(refused()) };
        let key_id = shown.key_id();
        let row = match self.cache.get(key_id) {
            Some(row) => row,
            None => {
                let asked = Instant::now();
                let found = self.store.find(key_id).await.map_err(unavailable)?;
                let row = Arc::new(found.ok_or_else(refused)?);
                self.cache.put(Arc::clone(&row), asked);
                row
            }
        };
        // The secret first: only who holds it is told what became of the key.
        if !shown.matches(&row.secret_hash) || row.info.revoked_at_ms.is_some() {
            return Err(refused());
        }
        if row.info.expires_at_ms.is_some_and(|end| end <= now_ms()) {
            return Err(Error::new(ErrorReason::CredentialExpired, "the API key has ended"));
        }
        let principal = Principal {
            id: PrincipalId::new(ISSUER, row.info.key_id.as_str()),
            name: row.info.name.clone(),
            info: Bytes::new(),
            roles: row.info.roles.clone(),
            grants: Vec::new(),
        };
        Ok(Verified { principal, expires_at_ms: row.info.expires_at_ms, rooms: Vec::new() })
    }

    /// Makes a key. The only answer that holds its secret.
    pub async fn create(&self, by: &Principal, new: NewKey) -> Result<CreatedKey> {
        role::require_admin(by)?;
        check(&new)?;
        let secret = KeySecret::random()
            .map_err(|_| Error::new(ErrorReason::Internal, "no random bits could be had"))?;
        let created_at_ms = now_ms();
        let ttl_ms = new.ttl_ms.and_then(|ttl| i64::try_from(ttl).ok());
        let info = KeyInfo {
            key_id: secret.key_id().to_owned(),
            name: new.name,
            roles: new.roles,
            created_at_ms,
            expires_at_ms: ttl_ms.map(|ttl| created_at_ms.saturating_add(ttl)),
            revoked_at_ms: None,
        };
        let row = KeyRow { info: info.clone(), secret_hash: secret.hash() };
        let act = Act { at_ms: created_at_ms, by: by.id.clone() };
        self.store.insert(row, act).await.map_err(unavailable)?;
        tracing::info!(key_id = info.key_id, by = by.id.hash(), "an API key was made");
        Ok(CreatedKey { info, secret: secret.expose() })
    }

    /// Keys that exist, newest first.
    pub async fn list(&self, by: &Principal) -> Result<Vec<KeyInfo>> {
        role::require_admin(by)?;
        self.store.list(LIST_MAX).await.map_err(unavailable)
    }

    /// Ends a key.
    pub async fn revoke(&self, by: &Principal, key_id: &str) -> Result<()> {
        role::require_admin(by)?;
        let unknown = || Error::new(ErrorReason::NotFound, "there is no such API key");
        if !secret::is_key_id(key_id) {
            return Err(unknown());
        }
        let act = Act { at_ms: now_ms(), by: by.id.clone() };
        let found = self.store.revoke(key_id, act).await.map_err(unavailable)?;
        self.cache.forget(key_id);
        if !found {
            return Err(unknown());
        }
        tracing::info!(key_id, by = by.id.hash(), "an API key was ended");
        Ok(())
    }
}

fn check(new: &NewKey) -> Result<()> {
    let length = new.name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&length) || new.name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "a key's name has 1 to 64 characters, none a control character",
        ));
    }
    if new.roles.len() > ROLES_MAX || !new.roles.iter().all(|role| role::is_role(role)) {
        return Err(Error::invalid("a key has at most 32 roles of 1 to 128 bytes"));
    }
    if new.ttl_ms.is_some_and(|ttl| ttl == 0 || ttl > TTL_MS_MAX) {
        return Err(Error::invalid("a key holds for 1 ms to ten years"));
    }
    Ok(())
}

/// One answer for all that is no key: nobody learns which keys exist.
fn refused() -> Error {
    Error::new(ErrorReason::InvalidCredential, "the API key is wrong")
}

fn unavailable(error: StoreError) -> Error {
    tracing::warn!(%error, "the store of API keys cannot be asked");
    Error::unavailable("API keys cannot be checked now")
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
