//! Asks Redis whether this service could work with it, and changes nothing.
//!
//! For `roomcast doctor`. A sentence says what is there, or what is wrong; it never holds the
//! address, which may hold a password.
use std::time::Duration;

use redis::{AsyncConnectionConfig, InfoDict};
use secrecy::ExposeSecret as _;

use crate::config::{PresenceConfig, StoreAddress};
use crate::store::redis::client;

/// Looks at the configured store.
pub async fn check(config: &PresenceConfig) -> Result<String, String> {
    let url = match config.store_address().map_err(|error| format!("{error:#}"))? {
        StoreAddress::Memory => {
            return Ok("kept in this process's memory: nothing to ask".to_owned());
        }
        StoreAddress::Redis(url) => url,
    };
    let client = client(url.expose_secret(), config).map_err(|error| format!("{error:#}"))?;
    let timeout = Duration::from_millis(config.redis_timeout_ms);
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    let place = client.get_connection_info().addr().to_string();
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&limits)
        .await
        .map_err(|error| format!("cannot connect to {place}: {error}"))?;
    let info: InfoDict = redis::cmd("INFO")
        .query_async(&mut connection)
        .await
        .map_err(|error| format!("{place} does not tell about itself: {error}"))?;
    let word = |key: &str| info.get::<String>(key).unwrap_or_default();
    judge(&place, &word("redis_version"), &word("role"), &word("maxmemory_policy"))
}

fn judge(place: &str, version: &str, role: &str, policy: &str) -> Result<String, String> {
    if role != "master" {
        return Err(format!("{place} is a {role}: presence is written on the primary"));
    }
    // Eviction would take leases and entries away one by one, which looks like people leaving.
    if policy != "noeviction" {
        return Err(format!("{place} has maxmemory-policy {policy}: it must be noeviction"));
    }
    Ok(format!("Redis {version} at {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::Secret;

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_told_without_its_password() {
        let store = Some(Secret::new("redis://:hunter2@127.0.0.1:1"));
        let config = PresenceConfig { store, ..PresenceConfig::default() };
        let text = check(&config).await.unwrap_err();
        assert!(text.starts_with("cannot connect to 127.0.0.1:1: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let memory =
            PresenceConfig { store: Some(Secret::new("memory")), ..PresenceConfig::default() };
        assert!(check(&memory).await.unwrap().contains("memory"));
    }

    #[test]
    fn a_replica_and_one_that_evicts_are_refused() {
        assert!(judge("r:6379", "7.0.15", "master", "noeviction").is_ok());
        assert!(judge("r:6379", "7.0.15", "slave", "noeviction").is_err());
        assert!(judge("r:6379", "7.0.15", "master", "allkeys-lru").is_err());
    }
}
