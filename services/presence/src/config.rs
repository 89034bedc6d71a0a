//! The section `[presence]` of `roomcast.toml`.
//!
//! Defaults are the promises of the architecture: a lease of 10 s, renewed each 3 s, so that
//! presence is right at most 12 s after a crash. All pods of one store must have the same figures.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use runtime::config::{Secret, resolve};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::store::Terms;

/// How the presence service runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PresenceConfig {
    /// Where the service's own binary serves gRPC: `host:port`.
    pub listen: String,
    /// Where presence is kept: `redis://[user:password@]host:port[/database]`, or `rediss://` for TLS,
    /// or `memory` for one process only.
    pub store: Option<Secret>,
    /// A file that holds the store's address, instead of `store`.
    pub store_file: Option<PathBuf>,
    /// PEM file with the authorities whose certificates a Redis at `rediss://` may show. Without it
    /// those that the system believes.
    pub authority_file: Option<PathBuf>,
    /// Begins every key in Redis. Two clusters on one Redis need two.
    pub key_prefix: String,
    /// A gateway's lease lapses after so long without renewal.
    pub lease_ttl_ms: u64,
    /// Gateways are told to renew so often.
    pub lease_renew_ms: u64,
    /// A leave by a lost link is held back for so long, where `join_leave = user`.
    pub hold_ms: u64,
    /// Lapsed leases and held leaves are looked for so often.
    pub sweep_ms: u64,
    /// Most entries taken in one turn, so that a turn never keeps Redis busy for long.
    pub sweep_entries_max: u32,
    /// Counts are at most so old.
    pub counts_age_ms: u64,
    /// Most rooms whose counts are kept for `counts_age_ms`.
    pub counts_rooms_max: usize,
    /// Most entries in the answer for one room or one principal.
    pub entries_max: u32,
    /// Most changes in one batch of a gateway.
    pub changes_max: usize,
    /// Most batches and lease calls at work at the same time.
    pub writes_max: usize,
    /// Most connections to Redis.
    pub redis_connections_max: usize,
    /// Redis must have answered one command within so long.
    pub redis_timeout_ms: u64,
}

impl Default for PresenceConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:50051".to_owned(),
            store: None,
            store_file: None,
            authority_file: None,
            key_prefix: "roomcast".to_owned(),
            lease_ttl_ms: 10_000,
            lease_renew_ms: 3_000,
            hold_ms: 5_000,
            sweep_ms: 500,
            sweep_entries_max: 500,
            counts_age_ms: 250,
            counts_rooms_max: 10_000,
            entries_max: 1_000,
            changes_max: 65_536,
            writes_max: 256,
            redis_connections_max: 8,
            redis_timeout_ms: 1_000,
        }
    }
}

impl PresenceConfig {
    /// What is wrong with it: one text for each problem, the key first.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, text: &str| {
            if !fine {
                problems.push(text.to_owned());
            }
        };
        check(self.listen.parse::<SocketAddr>().is_ok(), "listen: not an address host:port");
        match (&self.store, &self.store_file) {
            (None, None) => check(false, "store: missing (or store_file)"),
            (Some(_), Some(_)) => check(false, "store: given twice, as a file too"),
            (Some(text), None) => {
                if let Err(why) = StoreAddress::parse(text.expose()) {
                    check(false, &format!("store: {why}"));
                }
            }
            (None, Some(_)) => {}
        }
        let believed = self.authority_file.as_deref().map(certificates::authorities);
        if let Some(Err(problem)) = believed {
            check(false, &problem.to_string());
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let prefix = self.key_prefix.as_bytes();
        check(
            (1..=64).contains(&prefix.len()) && prefix.iter().all(|b| plain(*b)),
            "key_prefix: 1 to 64 characters of A-Z a-z 0-9 _ - .",
        );
        check((100..=600_000).contains(&self.lease_ttl_ms), "lease_ttl_ms: 100 to 600000");
        check(
            self.lease_renew_ms > 0 && self.lease_renew_ms.saturating_mul(2) <= self.lease_ttl_ms,
            "lease_renew_ms: at least 1, and at most half of lease_ttl_ms",
        );
        check(self.hold_ms <= 600_000, "hold_ms: at most 600000");
        check(
            self.sweep_ms > 0 && self.sweep_ms.saturating_mul(4) <= self.lease_ttl_ms,
            "sweep_ms: at least 1, and at most a quarter of lease_ttl_ms",
        );
        check((1..=5_000).contains(&self.sweep_entries_max), "sweep_entries_max: 1 to 5000");
        check(self.counts_age_ms <= 5_000, "counts_age_ms: at most 5000");
        check((1..=10_000).contains(&self.entries_max), "entries_max: 1 to 10000");
        check((1..=1_000_000).contains(&self.changes_max), "changes_max: 1 to 1000000");
        check((1..=10_000).contains(&self.writes_max), "writes_max: 1 to 10000");
        check((1..=256).contains(&self.redis_connections_max), "redis_connections_max: 1 to 256");
        check((10..=60_000).contains(&self.redis_timeout_ms), "redis_timeout_ms: 10 to 60000");
        problems
    }

    /// The store that is meant, its address read from the file if need be.
    pub(crate) fn store_address(&self) -> anyhow::Result<StoreAddress> {
        let address = resolve(&self.store, &self.store_file).context("presence.store")?;
        let address = address.context("presence.store: missing")?;
        StoreAddress::parse(address.expose_secret()).context("presence.store")
    }

    /// For how long leases and held leaves hold.
    pub fn terms(&self) -> Terms {
        Terms {
            ttl: Duration::from_millis(self.lease_ttl_ms),
            hold: Duration::from_millis(self.hold_ms),
        }
    }
}

/// Where presence is kept.
pub(crate) enum StoreAddress {
    /// In this process.
    Memory,
    /// In a Redis, whose address may hold a password.
    Redis(SecretString),
}

impl StoreAddress {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
        match text.trim() {
            // What stands behind it would switch the check of certificates off.
            url if url.contains('#') => anyhow::bail!("an address of a store has no #"),
            "memory" => Ok(Self::Memory),
            url if schemes.iter().any(|scheme| url.starts_with(scheme)) => {
                Ok(Self::Redis(url.into()))
            }
            _ => anyhow::bail!("neither memory nor redis://host:port nor rediss://host:port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_lack_nothing_but_the_store() {
        assert_eq!(PresenceConfig::default().problems(), ["store: missing (or store_file)"]);
    }

    #[test]
    fn every_problem_is_told_and_begins_with_its_key() {
        let config = PresenceConfig {
            listen: "here".to_owned(),
            store: Some(Secret::new("http://x")),
            authority_file: Some("/nonexistent".into()),
            key_prefix: "{a}".to_owned(),
            lease_renew_ms: 9_000,
            sweep_ms: 0,
            ..PresenceConfig::default()
        };
        let keys: Vec<String> = config
            .problems()
            .iter()
            .filter_map(|text| Some(text.split_once(':')?.0.to_owned()))
            .collect();
        assert_eq!(
            keys,
            ["listen", "store", "authority_file", "key_prefix", "lease_renew_ms", "sweep_ms"]
        );
    }

    #[test]
    fn the_address_of_a_redis_is_never_shown() {
        let config = PresenceConfig {
            store: Some(Secret::new("redis://:hunter2@localhost:6379")),
            ..PresenceConfig::default()
        };
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }

    #[test]
    fn the_address_may_lie_in_a_file_but_not_in_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        std::fs::write(&path, "redis://localhost:1\n").unwrap();
        let config = PresenceConfig { store_file: Some(path), ..PresenceConfig::default() };
        assert!(matches!(config.store_address().unwrap(), StoreAddress::Redis(_)));
        let twice = PresenceConfig { store: Some(Secret::new("memory")), ..config.clone() };
        assert_eq!(twice.problems(), ["store: given twice, as a file too"]);
        let gone = PresenceConfig { store_file: Some("/nonexistent".into()), ..config };
        assert!(gone.store_address().is_err());
    }
}
