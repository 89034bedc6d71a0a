//! The section `[bus]`: where the broker is, and every bound of the bus.
//!
//! No address means the in-process bus, which is right for one machine only. Addresses hold
//! passwords: they print as `***` and may lie in a file.
mod address;
mod brokers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use address::Target;
pub use address::{Address, InvalidAddress};
pub(crate) use brokers::Brokers;

use crate::{AmqpBus, Bus, MemoryBus};

/// Longest prefix in bytes: with it, no name grows over AMQP's 255 bytes.
const PREFIX_BYTES_MAX: usize = 64;

/// The section `[bus]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BusConfig {
    /// Brokers of one cluster, tried in turn: `amqp://user:password@host:port/vhost`, or `amqps://` for
    /// TLS. One text with commas is a list, too. Empty: the bus inside this process.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<Address>,
    /// A file with one address a line, added to `addresses`.
    pub addresses_file: Option<PathBuf>,
    /// PEM file with the authorities whose certificates a broker at `amqps://` may show. Without it
    /// those that the system believes.
    pub authority_file: Option<PathBuf>,
    /// Stands before the names of exchanges and queues, so that systems can share a vhost.
    pub prefix: String,
    /// AMQP heartbeat, seconds. A frozen broker is given up after two of them.
    pub heartbeat_s: u16,
    /// Longest wait for a connection and its greeting.
    pub connect_timeout_ms: u64,
    /// Longest wait for any answer of the broker; after it the connection is thrown away.
    pub answer_timeout_ms: u64,
    /// First wait before the addresses are tried again; doubles up to `retry_max_ms`, with jitter.
    pub retry_min_ms: u64,
    /// Longest wait before the addresses are tried again.
    pub retry_max_ms: u64,
    /// Deliveries that a gateway may hold unacknowledged.
    pub prefetch: u16,
    /// Bytes in a gateway's queue before its oldest messages are dropped.
    pub queue_bytes_max: u64,
    /// Messages that wait to be published before the oldest are dropped.
    pub buffer_messages_max: usize,
    /// Bytes that wait to be published before the oldest messages are dropped.
    pub buffer_bytes_max: usize,
    /// Publishes without a confirm before the next ones wait in the buffer.
    pub unconfirmed_max: usize,
    /// Age of a publish without a confirm at which the broker counts as down.
    pub stall_ms: u64,
    /// An idle publisher asks this often for a sign of life.
    pub probe_ms: u64,
    /// Bindings made or ended a second, at most, by one gateway.
    pub binds_per_second: u32,
    /// Events that may wait for the gateway's own code.
    pub events_max: usize,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            addresses_file: None,
            authority_file: None,
            prefix: String::new(),
            heartbeat_s: 5,
            connect_timeout_ms: 5_000,
            answer_timeout_ms: 10_000,
            retry_min_ms: 200,
            retry_max_ms: 10_000,
            prefetch: 128,
            queue_bytes_max: 16 * 1024 * 1024,
            buffer_messages_max: 10_000,
            buffer_bytes_max: 16 * 1024 * 1024,
            unconfirmed_max: 1_024,
            stall_ms: 5_000,
            probe_ms: 2_000,
            binds_per_second: 2_000,
            events_max: 256,
        }
    }
}

impl BusConfig {
    /// What is wrong with it, each text beginning with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(problem) = self.brokers() {
            problems.push(problem);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.prefix.len() > PREFIX_BYTES_MAX || !self.prefix.bytes().all(plain) {
            problems.push(format!(
                "prefix: at most {PREFIX_BYTES_MAX} characters of A-Z a-z 0-9 . _ -"
            ));
        }
        let mut within = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                problems.push(format!("{key}: {value} is not within {min} to {max}"));
            }
        };
        within("heartbeat_s", self.heartbeat_s.into(), 2, 60);
        within("connect_timeout_ms", self.connect_timeout_ms, 100, 60_000);
        within("answer_timeout_ms", self.answer_timeout_ms, 1_000, 120_000);
        within("retry_min_ms", self.retry_min_ms, 10, 60_000);
        within("retry_max_ms", self.retry_max_ms, self.retry_min_ms, 600_000);
        within("prefetch", self.prefetch.into(), 1, 10_000);
        within("queue_bytes_max", self.queue_bytes_max, 64 * 1024, 1 << 40);
        within("buffer_messages_max", self.buffer_messages_max as u64, 1, 10_000_000);
        within("buffer_bytes_max", self.buffer_bytes_max as u64, 64 * 1024, 1 << 32);
        // The client library queues 8,192 frames; far fewer, and a publish can never wait there.
        within("unconfirmed_max", self.unconfirmed_max as u64, 1, 4_096);
        within("stall_ms", self.stall_ms, 100, 600_000);
        within("probe_ms", self.probe_ms, 100, 600_000);
        within("binds_per_second", self.binds_per_second.into(), 1, 100_000);
        within("events_max", self.events_max as u64, 1, 1_000_000);
        problems
    }

    /// The same for a service that is a process of its own: on a bus inside itself its hints would
    /// reach nobody, so it must be given a broker.
    pub fn problems_apart(&self) -> Vec<String> {
        let mut problems = self.problems();
        if self.addresses.is_empty() && self.addresses_file.is_none() {
            problems.push("addresses: missing (or addresses_file)".to_owned());
        }
        problems
    }

    /// The brokers, checked; the error begins with the key.
    pub(crate) fn brokers(&self) -> Result<Brokers, String> {
        Brokers::of(self)
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}

/// Opens the bus that the section asks for. Connects in the background: needs a tokio runtime that
/// lives as long as the bus.
pub fn open(config: &BusConfig) -> Result<Arc<dyn Bus>, String> {
    let brokers = config.brokers()?;
    if brokers.targets.is_empty() {
        return Ok(Arc::new(MemoryBus::new(config)));
    }
    Ok(Arc::new(AmqpBus::new(config, brokers)))
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Address>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<Address>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::Many(many) => many,
        OneOrMany::One(text) => text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(Address::new)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problems() {
        assert_eq!(BusConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn a_service_of_its_own_needs_a_broker() {
        let missing = BusConfig::default().problems_apart();
        assert_eq!(missing, ["addresses: missing (or addresses_file)"]);
        let addresses = vec![Address::new("amqp://broker")];
        assert!(BusConfig { addresses, ..BusConfig::default() }.problems_apart().is_empty());
    }

    #[test]
    fn every_problem_is_told_at_once_and_names_its_key() {
        let config = BusConfig {
            addresses: vec![Address::new("amqp://u:secret@/x")],
            prefix: "a b".into(),
            heartbeat_s: 0,
            unconfirmed_max: 100_000,
            ..BusConfig::default()
        };
        let problems = config.problems();
        let keys: Vec<_> = problems.iter().filter_map(|text| text.split(':').next()).collect();
        assert_eq!(keys, ["addresses", "prefix", "heartbeat_s", "unconfirmed_max"]);
        assert!(!problems.join(" ").contains("secret"));
    }

    #[test]
    fn addresses_come_as_a_list_as_one_text_and_from_a_file_and_never_print() {
        let config: BusConfig =
            serde_json::from_str(r#"{"addresses": "amqp://u:secret@a, amqp://b:1/v"}"#).unwrap();
        assert_eq!(config.brokers().unwrap().targets.len(), 2);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "amqp://c\n\namqp://d\n").unwrap();
        let config = BusConfig {
            addresses: vec![Address::new("amqp://u:secret@a")],
            addresses_file: Some(file.path().into()),
            ..config
        };
        assert_eq!(config.brokers().unwrap().targets.len(), 3);
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn an_unreadable_file_is_a_problem() {
        let config =
            BusConfig { addresses_file: Some("/nonexistent".into()), ..Default::default() };
        assert!(config.problems().iter().any(|text| text.starts_with("addresses_file: ")));
    }
}
