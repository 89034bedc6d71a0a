//! What can be set of the gateway's HTTP side: section `[gateway.http]`.
//!
//! Origins, the limits of upgrades and of API calls, and which proxies may name a caller's
//! address. The bounds of an open socket stand in `[gateway.connection]`.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Network;
use super::origin;

/// Section `[gateway.http]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Origins of pages that may open sockets and call the API, exactly as a browser sends them
    /// (`https://chat.example.com`). Empty: only pages that this gateway's own host serves.
    pub allowed_origins: Vec<String>,
    /// Lets pages of any origin in. For development only.
    pub dev_allow_any_origin: bool,
    /// Networks (`10.0.0.0/8`) of the proxies in front: only they are believed when they name a
    /// caller's address in `X-Forwarded-For`.
    pub trusted_proxies: Vec<String>,
    /// Sockets and streams on this gateway at once.
    pub connections_max: usize,
    /// Upgrades and opened streams a second, lastingly.
    pub upgrades_per_second: u32,
    /// Upgrades at once.
    pub upgrades_burst: u32,
    /// Upgrades a second of one address, lastingly; 0 for no limit. Behind a proxy it is of use
    /// only with `trusted_proxies`.
    pub upgrades_per_second_per_address: u32,
    /// Upgrades at once of one address.
    pub upgrades_burst_per_address: u32,
    /// Lets server-sent events be opened by GET, as browsers do: then the token stands in the
    /// address, and so in the log of every proxy on the way. Opening them by POST needs no leave.
    pub sse: bool,
    /// API calls a second of one principal, lastingly.
    pub requests_per_second: u32,
    /// API calls at once of one principal.
    pub requests_burst: u32,
    /// API calls on this gateway that may wait for an answer at once.
    pub requests_in_flight_max: usize,
    /// Largest body of an API call, in bytes. A message in it has a bound of its own.
    pub body_bytes_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout_ms: u64,
    /// For how long `/stats` gives the same figures.
    pub stats_cache_ms: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            dev_allow_any_origin: false,
            trusted_proxies: Vec::new(),
            connections_max: 50_000,
            upgrades_per_second: 1_000,
            upgrades_burst: 4_000,
            upgrades_per_second_per_address: 0,
            upgrades_burst_per_address: 200,
            sse: false,
            requests_per_second: 50,
            requests_burst: 200,
            requests_in_flight_max: 1_024,
            body_bytes_max: 128 * 1024,
            body_timeout_ms: 10_000,
            stats_cache_ms: 250,
        }
    }
}

impl HttpConfig {
    /// Everything that is wrong with it; each text begins with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (index, text) in self.allowed_origins.iter().enumerate() {
            if let Err(why) = origin::check_entry(text) {
                problems.push(format!("allowed_origins[{index}]: {why}"));
            }
        }
        for (index, text) in self.trusted_proxies.iter().enumerate() {
            if Network::parse(text).is_none() {
                problems.push(format!("trusted_proxies[{index}]: not a network, as 10.0.0.0/8"));
            }
        }
        let above_0 = [
            ("connections_max", self.connections_max),
            ("upgrades_per_second", self.upgrades_per_second as usize),
            ("upgrades_burst", self.upgrades_burst as usize),
            ("upgrades_burst_per_address", self.upgrades_burst_per_address as usize),
            ("requests_per_second", self.requests_per_second as usize),
            ("requests_burst", self.requests_burst as usize),
            ("requests_in_flight_max", self.requests_in_flight_max),
        ];
        for (key, value) in above_0 {
            if value == 0 {
                problems.push(format!("{key}: must be above 0"));
            }
        }
        if !(1_024..=16 * 1024 * 1024).contains(&self.body_bytes_max) {
            problems.push("body_bytes_max: 1024 to 16777216".to_owned());
        }
        if self.body_timeout_ms == 0 {
            problems.push("body_timeout_ms: must be above 0".to_owned());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(HttpConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn each_problem_begins_with_its_key() {
        let config = HttpConfig {
            allowed_origins: vec!["https://fine.example".into(), "*".into()],
            trusted_proxies: vec!["10.0.0.0/33".into()],
            requests_burst: 0,
            body_bytes_max: 5,
            ..HttpConfig::default()
        };
        let problems = config.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for key in
            ["allowed_origins[1]: ", "trusted_proxies[0]: ", "requests_burst: ", "body_bytes_max: "]
        {
            assert!(problems.iter().any(|text| text.starts_with(key)), "{key} in {problems:?}");
        }
    }
}
