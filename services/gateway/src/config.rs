//! What can be set of a gateway: section `[gateway]` of `roomcast.toml`.
//!
//! Every bound of the gateway stands here with its default. Nothing is read from the
//! environment but the host's name, for a gateway that was given none.
use domain::GatewayId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// How long an idle HTTP connection is kept.
    pub keep_alive_ms: u64,
    /// gRPC address for the other gateways, which bring what clients of HTTP streaming and of
    /// server-sent events send; open only if `peer_url` is given.
    pub peer_listen: String,
    /// What the other gateways reach that address by, as `http://10.0.0.7:50053`: this pod's own
    /// address and not a balancer's. Without it such clients must come to the same gateway each
    /// time. In Kubernetes `ROOMCAST_GATEWAY__PEER_URL` = `http://$(POD_IP):50053` sets it.
    pub peer_url: String,
    /// What a connection may do.
    pub connection: ConnectionConfig,
    /// What is kept of rooms with local members.
    pub room: RoomConfig,
    /// How a gateway goes.
    pub drain: DrainConfig,
    /// HTTP routes beside the socket: origins, upgrades, limits by address.
    pub http: crate::http::HttpConfig,
    /// TLS on the public port.
    pub tls: crate::tls::TlsConfig,
}

/// Bounds and clocks of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionConfig {
    /// Largest message from a client, in bytes.
    pub message_bytes_max: usize,
    /// Most commands in one frame.
    pub commands_per_frame_max: usize,
    /// Commands of one connection that may wait for an answer at once; beyond it nothing is read.
    pub commands_in_flight_max: usize,
    /// Rooms that one connection may be subscribed to.
    pub subscriptions_max: usize,
    /// Commands a second of one connection, lastingly.
    pub commands_per_second: u32,
    /// Commands at once of one connection.
    pub commands_burst: u32,
    /// Publishes a second of one user on this gateway, lastingly.
    pub user_publishes_per_second: u32,
    /// Connections of one user on this gateway; 0 for no limit.
    pub connections_per_user_max: usize,
    /// Connects that ask auth at once; the others wait their turn.
    pub connects_in_flight_max: usize,
    /// A connect must come within this time; the clock stands while auth is asked.
    pub connect_timeout_ms: u64,
    /// A started frame must be finished within this time.
    pub frame_timeout_ms: u64,
    /// Time between two pings.
    pub ping_ms: u64,
    /// Time for the pong; shorter than `ping_ms`.
    pub pong_ms: u64,
    /// After a token's end, how long a refresh may take.
    pub expiry_grace_ms: u64,
    /// What is added to that while auth cannot be reached.
    pub auth_outage_grace_ms: u64,
    /// A room's feed pauses while so many bytes wait for the socket.
    pub feed_pause_bytes: usize,
    /// Replies and unpositioned pushes that may wait for the socket, in bytes; beyond it: 3008.
    pub replies_bytes_max: usize,
    /// Something waits and the socket takes nothing for so long: 3008.
    pub slow_ms: u64,
    /// How long the peer may take to answer a close.
    pub close_ms: u64,
    /// Subscribe every connection to `system` by the server.
    pub system_channel: bool,
    /// Subscribe every connection to its own `user:<hash>` by the server.
    pub user_channel: bool,
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
            keep_alive_ms: 15_000,
            peer_listen: "0.0.0.0:50053".to_owned(),
            peer_url: String::new(),
            connection: ConnectionConfig::default(),
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
            message_bytes_max: 64 * 1024,
            commands_per_frame_max: 256,
            commands_in_flight_max: 32,
            subscriptions_max: 128,
            commands_per_second: 100,
            commands_burst: 400,
            user_publishes_per_second: 200,
            connections_per_user_max: 100,
            connects_in_flight_max: 256,
            connect_timeout_ms: 15_000,
            frame_timeout_ms: 10_000,
            ping_ms: 25_000,
            pong_ms: 8_000,
            expiry_grace_ms: 25_000,
            auth_outage_grace_ms: 60_000,
            feed_pause_bytes: 64 * 1024,
            replies_bytes_max: 1024 * 1024,
            slow_ms: 30_000,
            close_ms: 3_000,
            system_channel: true,
            user_channel: true,
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
        check(self.peer_listen.contains(':'), "peer_listen: not an address with a port");
        let peer_url = self.peer_url().map_or(Ok(()), |url| rpc::config::check_address(&url));
        check(peer_url.is_ok(), "peer_url: not an address like http://host:port");
        let c = &self.connection;
        check(
            (1_024..=domain::MESSAGE_BYTES_MAX * 16).contains(&c.message_bytes_max),
            "connection.message_bytes_max: 1024 to 1048576",
        );
        check(c.commands_per_frame_max > 0, "connection.commands_per_frame_max: must be above 0");
        check(c.commands_in_flight_max > 0, "connection.commands_in_flight_max: must be above 0");
        check(c.commands_per_second > 0, "connection.commands_per_second: must be above 0");
        check(c.commands_burst > 0, "connection.commands_burst: must be above 0");
        check(
            c.user_publishes_per_second > 0,
            "connection.user_publishes_per_second: must be above 0",
        );
        check(c.connects_in_flight_max > 0, "connection.connects_in_flight_max: must be above 0");
        check(c.ping_ms >= 1_000, "connection.ping_ms: at least 1000");
        check(c.pong_ms < c.ping_ms, "connection.pong_ms: must be shorter than ping_ms");
        check(c.feed_pause_bytes > 0, "connection.feed_pause_bytes: must be above 0");
        check(c.replies_bytes_max >= 65_536, "connection.replies_bytes_max: at least 65536");
        check(c.slow_ms >= 1_000, "connection.slow_ms: at least 1000");
        let r = &self.room;
        check(r.page_items > 0, "room.page_items: must be above 0");
        check(r.recovery_items > 0, "room.recovery_items: must be above 0");
        check(
            r.recovery_bytes < c.replies_bytes_max,
            "room.recovery_bytes: must be below connection.replies_bytes_max",
        );
        check(r.held_items_max > 0, "room.held_items_max: must be above 0");
        check(r.binding_cap > 0, "room.binding_cap: must be above 0");
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
        config.connection.pong_ms = config.connection.ping_ms;
        assert_eq!(config.problems().len(), 1);
        assert!(config.problems()[0].starts_with("connection.pong_ms:"));
    }

    #[test]
    fn a_gateway_has_a_name_whatever_the_host_is_called() {
        let named = GatewayConfig { gateway_id: "g-1".to_owned(), ..GatewayConfig::default() };
        assert_eq!(named.id().as_str(), "g-1");
        assert!(!GatewayConfig::default().id().as_str().is_empty());
    }
}
