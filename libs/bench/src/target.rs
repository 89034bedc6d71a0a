//! The system under load, as `roomcast-cluster` describes it.
use std::collections::BTreeMap;

use serde::Deserialize;

/// Where it is and who may come in.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    /// Socket URLs of the gateways.
    pub urls: Vec<String>,
    /// Access tokens; connection `n` takes the `n`th, going round.
    pub tokens: Vec<String>,
    /// Process ids by name.
    pub processes: BTreeMap<String, u32>,
}

impl Target {
    /// Where connection `index` goes, and with which token.
    pub fn place(&self, index: usize) -> (&str, &str) {
        (&self.urls[index % self.urls.len()], &self.tokens[index % self.tokens.len()])
    }
}
