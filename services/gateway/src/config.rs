//! What can be set of a gateway: section `[gateway]` of `roomcast.toml`.
//!
//! Bounds on clients stand in `limit/config.rs`, those on memory and rooms here. Nothing is read from the
//! environment but the host's name, for a gateway that was given none.
use domain::GatewayId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::Format;

use crate::limit::LimitsConfig;

/// Section `[gateway]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address for browsers and SDKs.
    pub listen: String,
    /// Name of this gateway, the same after a restart; empty takes the host's name.
    pub gateway_id: String,
    /// Threads that own sockets; 0 takes one for each core.
    pub workers: usize,
    /// Sockets that one worker accepts.
    pub connections_per_worker: usize,
    /// Accepted sockets that wait for a worker.
    pub backlog: u32,
    /// Kernel send buffer of a socket, in bytes: what a slow reader can pin.
    pub send_buffer_bytes: usize,
    /// Receive buffer of a socket, in bytes, once in the kernel and once in the process: how far a
    /// flood runs ahead of the gateway.
    pub receive_buffer_bytes: usize,
    /// How long an idle HTTP connection is kept.
    pub keep_alive_ms: u64,
    /// gRPC address for the other gateways, which bring what clients of HTTP streaming and of
    /// server-sent events send; open only if `peer_url` is given.
    pub peer_listen: String,
    /// What the other gateways reach that address by, as `http://10.0.0.7:50053`: this pod's own
    /// address and not a balancer's. Without it such clients must come to the same gateway each
    /// time. In Kubernetes `ROOMCAST_GATEWAY__PEER_URL` = `http://$(POD_IP):50053` sets it.
    pub peer_url: String,
    /// What a connection is given, and its clocks.
    pub connection: ConnectionConfig,
    /// What bounds a client, so that none can hurt another.
    pub limits: LimitsConfig,
    /// What is kept of rooms with local members.
    pub room: RoomConfig,
    /// How a gateway goes.
    pub drain: DrainConfig,
    /// HTTP routes beside the socket: origins, proxies, what is offered.
    pub http: crate::http::HttpConfig,
    /// TLS on the public port.
    pub tls: crate::tls::TlsConfig,
}

/// What one connection is given, and its clocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionConfig {
    /// Time between two pings.
    pub ping_ms: u64,
    /// After a token's end, how long a refresh may take.
    pub expiry_grace_ms: u64,
    /// What is added to that while auth cannot be reached.
    pub auth_outage_grace_ms: u64,
    /// Subscribe every connection to `system` by the server.
    pub system_channel: bool,
    /// Subscribe every connection to its own `user:<hash>` by the server.
    pub user_channel: bool,
    /// Whether clients that take numbers for rooms get them, so that their pushes need not name the
    /// room: `off`, `json` or `all`. In Protobuf the official JavaScript SDK (5.8) takes a number and
    /// then drops every push that has it, so `all` is for where nobody uses that.
    #[schemars(with = "String")]
    pub room_numbers: RoomNumbers,
}

/// To whom numbers for rooms are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomNumbers {
    /// To nobody.
    Off,
    /// To those who speak JSON.
    #[default]
    Json,
    /// To all.
    All,
}

/// Bounds and clocks of rooms with local members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomConfig {
    /// Recent items kept in memory, over all rooms, in bytes.
    pub ring_bytes_total: usize,
    /// Recent items kept in memory of one room, in bytes.
    pub ring_bytes_room: usize,
    /// How long an item that came too early waits for those before it.
    pub hole_wait_ms: u64,
    /// Items of one room that may wait so.
    pub held_items_max: usize,
    /// Items of one page read from history.
    pub page_items: u32,
    /// Items in a subscribe's own answer; the rest follows as pushes.
    pub recovery_items: usize,
    /// Bytes of them.
    pub recovery_bytes: usize,
    /// How long a room stays bound after its last member left.
    pub linger_ms: u64,
    /// Rooms bound one by one; beyond it whole shards are.
    pub binding_cap: usize,
}

/// How a gateway goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrainConfig {
    /// After it calls itself unready, how long it still accepts.
    pub accept_ms: u64,
    /// Over how long its sockets are closed.
    pub window_ms: u64,
    /// How long it waits for the last answers and closes.
    pub finish_ms: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            gateway_id: String::new(),
            workers: 0,
            connections_per_worker: 25_000,
            backlog: 4_096,
            send_buffer_bytes: 64 * 1024,
            receive_buffer_bytes: 16 * 1024,
            keep_alive_ms: 15_000,
            peer_listen: "0.0.0.0:50053".to_owned(),
            peer_url: String::new(),
            connection: ConnectionConfig::default(),
            limits: LimitsConfig::default(),
            room: RoomConfig::default(),
            drain: DrainConfig::default(),
            http: crate::http::HttpConfig::default(),
            tls: crate::tls::TlsConfig::default(),
        }
    }
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            ping_ms: 25_000,
            expiry_grace_ms: 25_000,
            auth_outage_grace_ms: 60_000,
            system_channel: true,
            user_channel: true,
            room_numbers: RoomNumbers::Json,
        }
    }
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            ring_bytes_total: 128 * 1024 * 1024,
            ring_bytes_room: 2 * 1024 * 1024,
            hole_wait_ms: 30,
            held_items_max: 1_024,
            page_items: 256,
            recovery_items: 300,
            recovery_bytes: 256 * 1024,
            linger_ms: 60_000,
            binding_cap: 1_000,
        }
    }
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self { accept_ms: 5_000, window_ms: 20_000, finish_ms: 10_000 }
    }
}

impl RoomNumbers {
    /// Whether those who speak a format get them.
    pub fn given(self, format: Format) -> bool {
        match self {
            Self::Off => false,
            Self::Json => format == Format::Json,
            Self::All => true,
        }
    }
}

impl GatewayConfig {
    /// Everything that is wrong with it; each text begins with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, text: &str| {
            if !fine {
                problems.push(text.to_owned());
            }
        };
        let named = self.gateway_id.is_empty() || GatewayId::parse(&self.gateway_id).is_ok();
        check(self.listen.contains(':'), "listen: not an address with a port");
        check(named, "gateway_id: 1 to 64 characters of A-Z a-z 0-9 . _ : -");
        check(self.connections_per_worker > 0, "connections_per_worker: must be above 0");
        check(self.backlog > 0, "backlog: must be above 0");
        check(self.send_buffer_bytes >= 4_096, "send_buffer_bytes: at least 4096");
        check(self.receive_buffer_bytes >= 4_096, "receive_buffer_bytes: at least 4096");
        check(self.peer_listen.contains(':'), "peer_listen: not an address with a port");
        let peer_url = self.peer_url().map_or(Ok(()), |url| rpc::config::check_address(&url));
        check(peer_url.is_ok(), "peer_url: not an address like http://host:port");
        let (c, l) = (&self.connection, &self.limits);
        check(c.ping_ms >= 1_000, "connection.ping_ms: at least 1000");
        check(l.pong_ms < c.ping_ms, "limits.pong_ms: must be shorter than connection.ping_ms");
        let r = &self.room;
        check(r.page_items > 0, "room.page_items: must be above 0");
        check(r.recovery_items > 0, "room.recovery_items: must be above 0");
        check(
            r.recovery_bytes < l.replies_bytes_max,
            "room.recovery_bytes: must be below limits.replies_bytes_max",
        );
        check(r.held_items_max > 0, "room.held_items_max: must be above 0");
        check(r.binding_cap > 0, "room.binding_cap: must be above 0");
        problems.extend(l.problems().into_iter().map(|text| format!("limits.{text}")));
        problems.extend(self.http.problems().into_iter().map(|text| format!("http.{text}")));
        problems.extend(self.tls.problems().into_iter().map(|text| format!("tls.{text}")));
        problems
    }

    /// What other gateways reach this one by, if that is given.
    pub fn peer_url(&self) -> Option<String> {
        Some(self.peer_url.clone()).filter(|url| !url.is_empty())
    }

    /// The gateway's name: the one given, else the host's with what does not fit replaced.
    pub fn id(&self) -> GatewayId {
        let given = if self.gateway_id.is_empty() { host_name() } else { self.gateway_id.clone() };
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
        let text: String = given.chars().map(plain).take(64).collect();
        GatewayId::parse(&self.gateway_id)
            .or_else(|_| GatewayId::parse(&text))
            .or_else(|_| GatewayId::parse("gateway"))
            .unwrap_or_else(|_| unreachable!("a fixed word fits the grammar"))
    }
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(GatewayConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn a_pong_that_outlasts_the_ping_is_a_problem() {
        let mut config = GatewayConfig::default();
        config.limits.pong_ms = config.connection.ping_ms;
        assert_eq!(config.problems().len(), 1);
        assert!(config.problems()[0].starts_with("limits.pong_ms:"));
    }

    #[test]
    fn numbers_are_for_json_unless_told_otherwise() {
        use RoomNumbers::{All, Json, Off};
        assert_eq!(ConnectionConfig::default().room_numbers, Json);
        let given = |numbers: RoomNumbers| Format::ALL.map(|format| numbers.given(format));
        assert_eq!([Off, Json, All].map(given), [[false, false], [true, false], [true, true]]);
    }

    #[test]
    fn a_gateway_has_a_name_whatever_the_host_is_called() {
        let named = GatewayConfig { gateway_id: "g-1".to_owned(), ..GatewayConfig::default() };
        assert_eq!(named.id().as_str(), "g-1");
        assert!(!GatewayConfig::default().id().as_str().is_empty());
    }
}
