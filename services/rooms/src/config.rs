//! The section `[rooms]` of the configuration.
//!
//! Durations are integers with their unit in the name. The database's address is a secret: it is
//! shown as `***`, and may stand in a file of its own (`database_file`).
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use runtime::config::{Secret, resolve};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

pub use crate::kinds::{Access, KindConfig};

/// How durable PostgreSQL must make a commit before it is acked, weakest first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SynchronousCommit {
    /// On the primary's disk.
    Local,
    /// And written by the synchronous standby.
    RemoteWrite,
    /// And on the standby's disk; without a standby the same as `local`.
    #[default]
    On,
    /// And visible on the standby.
    RemoteApply,
}

/// The rooms service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomsConfig {
    /// Where gateways call, gRPC.
    pub listen: String,
    /// Where ops scripts call, gRPC.
    pub admin_listen: String,
    /// The database: `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    pub database: Option<Secret>,
    /// A file that holds the database's address, instead of `database`.
    pub database_file: Option<PathBuf>,
    /// Start even if the database does not keep its promises. For tests; says so loudly.
    pub accept_unsafe_database: bool,
    /// PostgreSQL's `synchronous_commit` must be at least this.
    pub synchronous_commit: SynchronousCommit,
    /// Lanes in which publishes are committed together; each uses one connection.
    pub lanes: usize,
    /// Publishes that may wait in one lane.
    pub lane_items_max: usize,
    /// Bytes of payload that may wait in one lane.
    pub lane_bytes_max: usize,
    /// Publishes in one transaction.
    pub batch_items_max: usize,
    /// Bytes of payload in one transaction.
    pub batch_bytes_max: usize,
    /// Longest time for which a lane tries to commit one batch.
    pub commit_ms: u64,
    /// Connections for publishes and admin acts (PostgreSQL).
    pub publish_connections: u32,
    /// Connections for history (PostgreSQL).
    pub history_connections: u32,
    /// Connections for joins and the heads watch (PostgreSQL).
    pub heads_connections: u32,
    /// A statement is ended after this (PostgreSQL).
    pub statement_ms: u64,
    /// How often heads are compared.
    pub tick_ms: u64,
    /// Rooms that one gateway's stream may hold.
    pub watch_rooms_max: usize,
    /// How long a message id makes a retry safe; a day at least.
    pub message_id_keep_ms: u64,
    /// How long orders are kept for gateways that were away; an hour at least.
    pub order_keep_ms: u64,
    /// How long it is kept who administered what; a day at least.
    pub audit_keep_ms: u64,
    /// How often the janitor looks for what is no longer kept.
    pub janitor_ms: u64,
    /// Kinds of room by name. `default` is for names without a colon and is there even if not
    /// named.
    pub kinds: BTreeMap<String, KindConfig>,
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:50051".into(),
            admin_listen: "0.0.0.0:50052".into(),
            database: None,
            database_file: None,
            accept_unsafe_database: false,
            synchronous_commit: SynchronousCommit::On,
            lanes: 8,
            lane_items_max: 4_096,
            lane_bytes_max: 16 * 1024 * 1024,
            batch_items_max: 256,
            batch_bytes_max: 1024 * 1024,
            commit_ms: 3_000,
            publish_connections: 12,
            history_connections: 6,
            heads_connections: 4,
            statement_ms: 2_000,
            tick_ms: 250,
            watch_rooms_max: 200_000,
            message_id_keep_ms: DAY_MS,
            order_keep_ms: DAY_MS,
            audit_keep_ms: 400 * DAY_MS,
            janitor_ms: 60_000,
            kinds: BTreeMap::from([(crate::kinds::DEFAULT.into(), KindConfig::default())]),
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;

impl RoomsConfig {
    /// Everything that is wrong with it; each text begins with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, text) in [("listen", &self.listen), ("admin_listen", &self.admin_listen)] {
            if text.parse::<SocketAddr>().is_err() {
                problems.push(format!("{key}: not an address"));
            }
        }
        match (&self.database, &self.database_file) {
            (None, None) => problems.push("database: missing (or database_file)".into()),
            (Some(_), Some(_)) => problems.push("database: given twice, as a file too".into()),
            (Some(text), None) if Database::parse(text.expose()).is_err() => {
                problems.push("database: neither sqlite://PATH nor postgres://…".into());
            }
            _ => {}
        }
        let positive = [
            ("lanes", self.lanes),
            ("lane_items_max", self.lane_items_max),
            ("lane_bytes_max", self.lane_bytes_max),
            ("batch_items_max", self.batch_items_max),
            ("batch_bytes_max", self.batch_bytes_max),
            ("commit_ms", usize::try_from(self.commit_ms).unwrap_or(usize::MAX)),
            ("history_connections", self.history_connections as usize),
            ("heads_connections", self.heads_connections as usize),
            ("statement_ms", usize::try_from(self.statement_ms).unwrap_or(usize::MAX)),
            ("watch_rooms_max", self.watch_rooms_max),
            ("janitor_ms", usize::try_from(self.janitor_ms).unwrap_or(usize::MAX)),
        ];
        problems.extend(
            positive
                .into_iter()
                .filter(|(_, n)| *n == 0)
                .map(|(k, _)| format!("{k}: must not be 0")),
        );
        if (self.publish_connections as usize) <= self.lanes {
            problems.push("publish_connections: must be more than lanes".into());
        }
        if !(10..=1_000).contains(&self.tick_ms) {
            problems.push("tick_ms: must be 10 to 1000".into());
        }
        if self.message_id_keep_ms < DAY_MS {
            problems.push("message_id_keep_ms: must be a day at least".into());
        }
        if self.audit_keep_ms < DAY_MS {
            problems.push("audit_keep_ms: must be a day at least".into());
        }
        if self.order_keep_ms < HOUR_MS {
            problems.push("order_keep_ms: must be an hour at least".into());
        }
        for (name, kind) in &self.kinds {
            problems.extend(kind.problems(name));
        }
        problems
    }

    /// The database that is meant, its address read from the file if need be.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        let address = resolve(&self.database, &self.database_file).context("rooms.database")?;
        let address = address.context("rooms.database: missing")?;
        Database::parse(address.expose_secret())
    }
}

/// Which database, and where.
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server's address, with its password.
    Postgres(SecretString),
}

impl Database {
    fn parse(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(path.into()));
        }
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        anyhow::ensure!(postgres, "the database is neither sqlite://PATH nor postgres://…");
        Ok(Self::Postgres(text.to_owned().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_lack_nothing_but_the_database() {
        assert_eq!(RoomsConfig::default().problems(), ["database: missing (or database_file)"]);
    }

    #[test]
    fn the_database_is_never_shown() {
        let database = Some(Secret::new("postgres://u:hunter2@h/d"));
        let config = RoomsConfig { database, ..RoomsConfig::default() };
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("hunter2"));
        assert!(config.problems().is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = RoomsConfig {
            listen: "nowhere".into(),
            database: Some(Secret::new("mysql://x")),
            tick_ms: 5_000,
            ..RoomsConfig::default()
        };
        let problems = config.problems();
        for key in ["listen", "database", "tick_ms"] {
            assert!(problems.iter().any(|p| p.starts_with(key)), "{key} is not in {problems:?}");
        }
    }
}
