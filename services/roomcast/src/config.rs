//! The config of the all-in-one process: every service's section, and its own.
//!
//! It reads the same file as the services do. What differs on one machine (addresses of this
//! machine only, SQLite, memory) is supposed for keys that nobody gives, in [`suppose`], and
//! nowhere else.
pub mod command;
mod reference;

use std::path::PathBuf;

use runtime::config::{ConfigProblems, Loader};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The section `[roomcast]`: what only the all-in-one process has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomcastConfig {
    /// Where the log, the API keys and the development issuer's key lie. Made if it is not there.
    pub data_dir: PathBuf,
    /// What browsers reach this process by, as `http://localhost:8080`. Without it that is
    /// `localhost` and the port of `gateway.listen`, with `https` if `gateway.tls` is given.
    pub public_url: Option<String>,
    /// Whether the built-in development issuer signs in anybody under any name: for trying things
    /// out. It is off as soon as the config gives another way in: `auth.issuers`, a key under
    /// `auth.tokens`, `auth.backend.connect_url`, or `auth.anonymous`. The page needs an issuer, so without one nobody signs in there.
    pub dev_issuer: bool,
    /// Lets the development issuer be reached from other machines.
    pub dev_issuer_beyond_loopback: bool,
}

impl Default for RoomcastConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".roomcast"),
            public_url: None,
            dev_issuer: true,
            dev_issuer_beyond_loopback: false,
        }
    }
}

impl RoomcastConfig {
    /// What serde cannot see.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.data_dir.as_os_str().is_empty() {
            problems.push("data_dir: names no folder".to_owned());
        }
        let url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        if self.public_url.as_deref().is_some_and(|text| !url(text)) {
            problems.push("public_url: not a URL as https://chat.example.com".to_owned());
        }
        problems
    }
}

/// All sections of the all-in-one process.
#[derive(Debug, Clone)]
pub struct Config {
    pub gateway: gateway::GatewayConfig,
    pub auth: auth::AuthConfig,
    pub rooms: rooms::RoomsConfig,
    pub presence: presence::PresenceConfig,
    pub rpc: rpc::RpcConfig,
    pub roomcast: RoomcastConfig,
    /// Keys that are given and mean nothing in one process.
    pub idle_keys: Vec<&'static str>,
}

/// What connects processes: there is only one.
const IDLE_KEYS: [&str; 7] = [
    "bus.addresses",
    "bus.addresses_file",
    "rpc.auth",
    "rpc.rooms",
    "rpc.presence",
    "gateway.peer_listen",
    "gateway.peer_url",
];

impl Config {
    /// What browsers reach this process by.
    pub fn public_url(&self) -> String {
        let port = self.gateway.listen.rsplit(':').next().unwrap_or_default();
        let scheme = if self.gateway.tls.is_on() { "https" } else { "http" };
        let own = || format!("{scheme}://localhost:{port}");
        self.roomcast.public_url.clone().unwrap_or_else(own)
    }

    /// Whether the development issuer is on.
    pub fn has_dev_issuer(&self) -> bool {
        let auth = &self.auth;
        let other_ways = !auth.issuers.is_empty() || auth.tokens.has_keys() || auth.anonymous;
        self.roomcast.dev_issuer && !other_ways && !auth.backend.decides_connects()
    }
}

/// Reads a config for a command that only looks into it.
pub fn read(file: Option<PathBuf>) -> Result<Config, ConfigProblems> {
    let mut loader = Loader::open(file)?;
    let config = load(&mut loader);
    loader.finish()?;
    Ok(config)
}

/// Takes all sections.
pub fn load(loader: &mut Loader) -> Config {
    let roomcast = loader.section("roomcast", RoomcastConfig::problems);
    suppose(loader, &roomcast);
    let idle_keys = IDLE_KEYS.into_iter().filter(|key| loader.gives(key)).collect();
    Config {
        gateway: loader.section("gateway", gateway::GatewayConfig::problems),
        auth: loader.section("auth", auth::AuthConfig::problems),
        rooms: loader.section("rooms", rooms::RoomsConfig::problems),
        presence: loader.section("presence", presence::PresenceConfig::problems),
        rpc: loader.section("rpc", rpc::RpcConfig::problems),
        roomcast,
        idle_keys,
    }
}

/// What one machine has instead of a cluster, for keys that nobody gives.
fn suppose(loader: &mut Loader, roomcast: &RoomcastConfig) {
    let file = |name: &str| format!("sqlite://{}", roomcast.data_dir.join(name).display());
    for (key, value) in [
        ("gateway.listen", "127.0.0.1:8080".to_owned()),
        ("gateway.gateway_id", "roomcast".to_owned()),
        ("rooms.admin_listen", "127.0.0.1:50052".to_owned()),
        ("ops.listen", "127.0.0.1:9090".to_owned()),
    ] {
        loader.suppose(key, value);
    }
    // No balancer has to notice first that this process goes.
    loader.suppose("gateway.drain.accept_ms", 0);
    for (key, value) in [
        ("rooms.database", file("rooms.db")),
        ("auth.database", file("keys.db")),
        ("presence.store", "memory".to_owned()),
    ] {
        if !loader.gives(&format!("{key}_file")) {
            loader.suppose(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn loader(toml: &str) -> Loader {
        Loader::from_sources(toml, Path::new("roomcast.toml"), []).unwrap()
    }

    #[test]
    fn nothing_has_to_be_given() {
        let mut loader = loader("");
        let config = load(&mut loader);
        loader.finish().unwrap();
        assert_eq!(config.gateway.listen, "127.0.0.1:8080");
        assert_eq!(config.rooms.admin_listen, "127.0.0.1:50052");
        assert_eq!(config.public_url(), "http://localhost:8080");
        assert!(config.has_dev_issuer());
    }

    #[test]
    fn a_real_issuer_turns_the_development_issuer_off() {
        let mut loader = loader("[[auth.issuers]]\nurl = \"https://id.example.com/realms/chat\"");
        assert!(!load(&mut loader).has_dev_issuer());
    }

    #[test]
    fn any_other_way_in_turns_the_development_issuer_off() {
        for toml in [
            "[auth]\nanonymous = true",
            "[auth.tokens]\nhmac_secret = \"secret\"",
            "[auth.tokens]\njwks_file = \"/run/keys.json\"",
            "[auth.backend]\nconnect_url = \"http://127.0.0.1:1/connect\"",
        ] {
            assert!(!load(&mut loader(toml)).has_dev_issuer(), "{toml}");
        }
        assert!(load(&mut loader("[auth.tokens]\naudience = [\"chat\"]")).has_dev_issuer());
    }

    #[test]
    fn keys_that_mean_nothing_here_are_noticed() {
        let toml = "[bus]\naddresses = [\"amqp://broker\"]\n[rpc]\nattempt_ms = 900";
        assert_eq!(load(&mut loader(toml)).idle_keys, ["bus.addresses"]);
        assert!(load(&mut loader("")).idle_keys.is_empty());
    }

    #[test]
    fn what_is_given_stays() {
        let mut loader = loader(
            "[gateway]\nlisten = \"127.0.0.1:1\"\n[roomcast]\ndata_dir = \"/srv/chat\"\n\
             [rooms]\ndatabase_file = \"/run/secrets/database\"",
        );
        let config = load(&mut loader);
        loader.finish().unwrap();
        assert_eq!(config.gateway.listen, "127.0.0.1:1");
        assert_eq!(config.roomcast.data_dir, Path::new("/srv/chat"));
        assert_eq!(config.rooms.database_file.as_deref(), Some(Path::new("/run/secrets/database")));
    }
}
