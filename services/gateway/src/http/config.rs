//! What can be set of the gateway's HTTP side: section `[gateway.http]`.
//!
//! Origins, and which proxies may name a caller's address. What bounds a caller stands in
//! `[gateway.limits]`.
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
    /// Lets server-sent events be opened by GET, as browsers do: then the token stands in the
    /// address, and so in the log of every proxy on the way. Opening them by POST needs no leave.
    pub sse: bool,
    /// For how long `/stats` gives the same figures.
    pub stats_cache_ms: u64,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            dev_allow_any_origin: false,
            trusted_proxies: Vec::new(),
            sse: false,
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
            ..HttpConfig::default()
        };
        let problems = config.problems();
        assert_eq!(problems.len(), 2, "{problems:?}");
        for key in ["allowed_origins[1]: ", "trusted_proxies[0]: "] {
            assert!(problems.iter().any(|text| text.starts_with(key)), "{key} in {problems:?}");
        }
    }
}
