//! The section `[rpc]`: where the other services are, and how patiently they are called.
use serde::{Deserialize, Serialize};

use crate::tls::RpcTlsConfig;

/// Where the other services are, and how they are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RpcConfig {
    /// Addresses of auth, as `http://host:port` (`https` with `rpc.tls`). Each host may stand for many pods.
    pub auth: Vec<String>,
    /// Addresses of rooms.
    pub rooms: Vec<String>,
    /// Addresses of presence.
    pub presence: Vec<String>,
    /// How long one attempt of an idempotent call waits before it is made on another endpoint, milliseconds.
    pub attempt_ms: u64,
    /// How long connecting to an endpoint may take, milliseconds.
    pub connect_ms: u64,
    /// How often each host is looked up again, milliseconds.
    pub resolve_ms: u64,
    /// How often a silent connection is probed, milliseconds.
    pub keep_alive_ms: u64,
    /// How long a probe may stay without an answer, milliseconds.
    pub keep_alive_wait_ms: u64,
    /// How many of 100 calls may be retried; a few each second may always.
    pub retry_percent: u32,
    /// After so many failures in a row an endpoint is left alone for a while.
    pub breaker_failures: u32,
    /// How many calls a server works on at once; those beyond are refused as transient.
    pub server_calls_max: usize,
    /// How old a connection to a server may grow, milliseconds, give or take a tenth.
    pub server_connection_age_ms: u64,
    /// How long a server waits for its last calls at its end, milliseconds.
    pub server_drain_ms: u64,
    /// TLS between the services.
    pub tls: RpcTlsConfig,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            auth: vec!["http://127.0.0.1:50051".to_owned()],
            rooms: vec!["http://127.0.0.1:50061".to_owned()],
            presence: vec!["http://127.0.0.1:50071".to_owned()],
            attempt_ms: 800,
            connect_ms: 500,
            resolve_ms: 5_000,
            keep_alive_ms: 10_000,
            keep_alive_wait_ms: 3_000,
            retry_percent: 10,
            breaker_failures: 5,
            server_calls_max: 2_000,
            server_connection_age_ms: 300_000,
            server_drain_ms: 10_000,
            tls: RpcTlsConfig::default(),
        }
    }
}

/// Checks an address like `http://host:port` or `https://host:port`; says what is wrong with it.
pub fn check_address(address: &str) -> Result<(), &'static str> {
    crate::channel::Host::parse(address).map(|_| ())
}

impl RpcConfig {
    /// Everything that is wrong with it; each text begins with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, addresses) in
            [("auth", &self.auth), ("rooms", &self.rooms), ("presence", &self.presence)]
        {
            if addresses.is_empty() {
                problems.push(format!("{key}: no address"));
            }
            for address in addresses {
                let https = address.starts_with("https:");
                if let Err(why) = check_address(address) {
                    problems.push(format!("{key}: {address:?}: {why}"));
                } else if https && !self.tls.is_on() {
                    problems.push(format!("{key}: {address:?}: https needs the files of rpc.tls"));
                }
            }
        }
        let positive = [
            ("attempt_ms", self.attempt_ms),
            ("connect_ms", self.connect_ms),
            ("keep_alive_ms", self.keep_alive_ms),
            ("keep_alive_wait_ms", self.keep_alive_wait_ms),
            ("breaker_failures", self.breaker_failures.into()),
            ("server_calls_max", self.server_calls_max as u64),
        ];
        problems.extend(
            positive
                .iter()
                .filter(|(_, value)| *value == 0)
                .map(|(key, _)| format!("{key}: must not be 0")),
        );
        if !(10..=5_000).contains(&self.resolve_ms) {
            problems
                .push("resolve_ms: must be 10 to 5000: pods that went must be noticed".to_owned());
        }
        if self.server_connection_age_ms < 10_000 {
            problems.push("server_connection_age_ms: must be at least 10000".to_owned());
        }
        if self.retry_percent > 100 {
            problems.push("retry_percent: must be at most 100".to_owned());
        }
        problems.extend(self.tls.problems().into_iter().map(|text| format!("tls.{text}")));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(RpcConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn all_problems_are_told_at_once_by_their_keys() {
        let config = RpcConfig {
            auth: vec!["https://auth:50051".into(), "auth:50051".into(), "http://auth".into()],
            rooms: vec![],
            attempt_ms: 0,
            resolve_ms: 60_000,
            ..RpcConfig::default()
        };
        let problems = config.problems();
        let keys: Vec<_> = problems.iter().filter_map(|p| p.split(':').next()).collect();
        assert_eq!(keys, ["auth", "auth", "auth", "rooms", "attempt_ms", "resolve_ms"]);
    }
}
