//! Where presence is kept: in memory, or in a Redis whose address is a secret.
//!
//! The address may hold a password, so it is shown as `***` in every dump and log.
use std::borrow::Cow;
use std::fmt;

use anyhow::Context;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::PresenceConfig;

const MEMORY: &str = "memory";

/// `memory`, or the address of a Redis.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct StoreAddress(SecretString);

impl StoreAddress {
    /// In this process's memory.
    pub fn memory() -> Self {
        Self(SecretString::from(MEMORY))
    }

    /// The address of the Redis; `None` for memory.
    pub fn url(&self) -> Option<&str> {
        Some(self.0.expose_secret()).filter(|text| *text != MEMORY)
    }

    /// Whether it can be an address at all.
    pub fn is_sound(&self) -> bool {
        self.url().is_none_or(|url| {
            ["redis://", "redis+unix://", "unix://"].iter().any(|scheme| url.starts_with(scheme))
        })
    }

    fn shown(&self) -> &'static str {
        if self.url().is_some() { "***" } else { MEMORY }
    }
}

impl From<String> for StoreAddress {
    fn from(text: String) -> Self {
        Self(SecretString::from(text.trim()))
    }
}

/// Never shows the address.
impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

/// Never shows the address.
impl Serialize for StoreAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl JsonSchema for StoreAddress {
    fn schema_name() -> Cow<'static, str> {
        "StoreAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl PresenceConfig {
    /// The store's address, from `store_file` if that is set.
    pub fn store_address(&self) -> anyhow::Result<StoreAddress> {
        let Some(path) = &self.store_file else { return Ok(self.store.clone()) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("store_file: cannot read {}", path.display()))?;
        let address = StoreAddress::from(text);
        anyhow::ensure!(address.is_sound(), "store_file: neither memory nor redis://host:port");
        Ok(address)
    }
}
