//! Every bound on what a client may do or cost: section `[gateway.limits]` of `roomcast.toml`.
//!
//! They hold on each gateway by itself: a user with connections on two gateways has each twice.
//! What a client is told at each of them, and which figure shows it, stands in
//! `docs/how-to/set-limits.md`.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `[gateway.limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Sockets and streams on this gateway at once.
    pub connections_max: usize,
    /// Connections of one user on this gateway; 0 for no limit.
    pub connections_per_user_max: usize,
    /// Sockets and streams of one address on this gateway; 0 for no limit. Behind a proxy it is of
    /// use only with `http.trusted_proxies`. An IPv6 address counts as its /64, here and below.
    pub connections_per_address_max: usize,
    /// Those of them that are not connected yet; 0 for no limit.
    pub unauthenticated_per_address_max: usize,
    /// Upgrades and opened streams a second, lastingly.
    pub upgrades_per_second: u32,
    /// Upgrades at once.
    pub upgrades_burst: u32,
    /// Upgrades a second of one address, lastingly; 0 for no limit. Behind a proxy it is of use
    /// only with `http.trusted_proxies`.
    pub upgrades_per_second_per_address: u32,
    /// Upgrades at once of one address.
    pub upgrades_burst_per_address: u32,
    /// Connections of one address that may break the rules a second, lastingly; 0 for no limit.
    /// Beyond it new connections of that address are taken one after the other.
    pub offences_per_second: u32,
    /// How many of them at once.
    pub offences_burst: u32,
    /// For so long an address counts as an offender.
    pub offender_ms: u64,
    /// Connections of such an address that are taken a second; the others wait their turn.
    pub offender_connects_per_second: u32,
    /// How many may wait so on this gateway; beyond it: 503.
    pub offenders_waiting_max: usize,
    /// A connect must come within this time; the clock stands while auth is asked.
    pub connect_timeout_ms: u64,
    /// Connects that ask auth at once; the others wait their turn.
    pub connects_in_flight_max: usize,
    /// Bytes that a client may send up to the end of its connect.
    pub bytes_before_connect_max: usize,
    /// Largest message from a client, in bytes.
    pub message_bytes_max: usize,
    /// Most WebSocket fragments of one message.
    pub fragments_max: u32,
    /// Most commands in one frame.
    pub commands_per_frame_max: usize,
    /// A started frame must be finished within this time.
    pub frame_timeout_ms: u64,
    /// Commands of one connection that may wait for an answer at once; beyond it nothing is read.
    pub commands_in_flight_max: usize,
    /// Rooms that one connection may be subscribed to.
    pub subscriptions_max: usize,
    /// Rooms with members on this gateway, and those that lately had some; beyond it only these can
    /// be joined.
    pub rooms_max: usize,
    /// Commands a second of one connection, lastingly.
    pub commands_per_second: u32,
    /// Commands at once of one connection.
    pub commands_burst: u32,
    /// As how many commands a subscribe counts.
    pub subscribe_cost: u32,
    /// As how many commands a look at history or presence counts.
    pub history_cost: u32,
    /// Bytes of commands a second of one connection, lastingly.
    pub bytes_per_second: u32,
    /// Bytes of commands at once of one connection; no less than `message_bytes_max`.
    pub bytes_burst: u32,
    /// How many more commands may be refused for one of these rates than pass; then the connection
    /// is closed.
    pub refusals_max: u32,
    /// Publishes a second of one user, lastingly; 0 for no limit.
    pub user_publishes_per_second: u32,
    /// Publishes at once of one user.
    pub user_publishes_burst: u32,
    /// Bytes published a second by one user, lastingly; 0 for no limit.
    pub user_bytes_per_second: u32,
    /// Bytes published at once by one user.
    pub user_bytes_burst: u32,
    /// Publishes a second from one address, lastingly; 0 for no limit. Behind a proxy it is of use
    /// only with `http.trusted_proxies`.
    pub address_publishes_per_second: u32,
    /// Publishes at once from one address.
    pub address_publishes_burst: u32,
    /// Bytes published a second from one address, lastingly; 0 for no limit.
    pub address_bytes_per_second: u32,
    /// Bytes published at once from one address.
    pub address_bytes_burst: u32,
    /// Publishes a second into one room by way of this gateway, lastingly; 0 for no limit.
    pub room_publishes_per_second: u32,
    /// Publishes at once into one room.
    pub room_publishes_burst: u32,
    /// Bytes published a second into one room by way of this gateway, lastingly; 0 for no limit.
    pub room_bytes_per_second: u32,
    /// Bytes published at once into one room.
    pub room_bytes_burst: u32,
    /// Users, addresses or rooms that have a rate of their own at once; beyond it they share.
    pub rate_keys_max: usize,
    /// A room's feed pauses while so many bytes, or 128 messages, wait for the socket.
    pub feed_pause_bytes: usize,
    /// Replies and unpositioned pushes that may wait for the socket, in bytes; beyond it: 3008.
    pub replies_bytes_max: usize,
    /// Something waits and the socket takes nothing for so long: 3008.
    pub slow_ms: u64,
    /// Time for the pong; shorter than `connection.ping_ms`.
    pub pong_ms: u64,
    /// How long the peer may take to answer a close.
    pub close_ms: u64,
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
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections_max: 50_000,
            connections_per_user_max: 100,
            connections_per_address_max: 0,
            unauthenticated_per_address_max: 1_000,
            upgrades_per_second: 1_000,
            upgrades_burst: 4_000,
            upgrades_per_second_per_address: 0,
            upgrades_burst_per_address: 200,
            offences_per_second: 1,
            offences_burst: 50,
            offender_ms: 5_000,
            offender_connects_per_second: 10,
            offenders_waiting_max: 1_000,
            connect_timeout_ms: 15_000,
            connects_in_flight_max: 256,
            bytes_before_connect_max: 64 * 1024,
            message_bytes_max: 64 * 1024,
            fragments_max: 32,
            commands_per_frame_max: 256,
            frame_timeout_ms: 10_000,
            commands_in_flight_max: 32,
            subscriptions_max: 128,
            rooms_max: 100_000,
            commands_per_second: 50,
            commands_burst: 400,
            subscribe_cost: 3,
            history_cost: 5,
            bytes_per_second: 256 * 1024,
            bytes_burst: 1024 * 1024,
            refusals_max: 100,
            user_publishes_per_second: 50,
            user_publishes_burst: 400,
            user_bytes_per_second: 1024 * 1024,
            user_bytes_burst: 4 * 1024 * 1024,
            address_publishes_per_second: 0,
            address_publishes_burst: 400,
            address_bytes_per_second: 0,
            address_bytes_burst: 4 * 1024 * 1024,
            room_publishes_per_second: 200,
            room_publishes_burst: 1_000,
            room_bytes_per_second: 4 * 1024 * 1024,
            room_bytes_burst: 16 * 1024 * 1024,
            rate_keys_max: 20_000,
            feed_pause_bytes: 64 * 1024,
            replies_bytes_max: 1024 * 1024,
            slow_ms: 30_000,
            pong_ms: 8_000,
            close_ms: 3_000,
            requests_per_second: 50,
            requests_burst: 200,
            requests_in_flight_max: 1_024,
            body_bytes_max: 128 * 1024,
            body_timeout_ms: 10_000,
        }
    }
}

impl LimitsConfig {
    /// Everything that is wrong with it; each text begins with the key.
    pub fn problems(&self) -> Vec<String> {
        let above_0 = [
            ("connections_max", self.connections_max),
            ("upgrades_per_second", self.upgrades_per_second as usize),
            ("upgrades_burst", self.upgrades_burst as usize),
            ("upgrades_burst_per_address", self.upgrades_burst_per_address as usize),
            ("connects_in_flight_max", self.connects_in_flight_max),
            ("offences_burst", self.offences_burst as usize),
            ("offender_connects_per_second", self.offender_connects_per_second as usize),
            ("commands_per_frame_max", self.commands_per_frame_max),
            ("commands_in_flight_max", self.commands_in_flight_max),
            ("commands_per_second", self.commands_per_second as usize),
            ("commands_burst", self.commands_burst as usize),
            ("fragments_max", self.fragments_max as usize),
            ("rooms_max", self.rooms_max),
            ("bytes_per_second", self.bytes_per_second as usize),
            ("user_publishes_burst", self.user_publishes_burst as usize),
            ("address_publishes_burst", self.address_publishes_burst as usize),
            ("room_publishes_burst", self.room_publishes_burst as usize),
            ("feed_pause_bytes", self.feed_pause_bytes),
            ("requests_per_second", self.requests_per_second as usize),
            ("requests_burst", self.requests_burst as usize),
            ("requests_in_flight_max", self.requests_in_flight_max),
            ("body_timeout_ms", self.body_timeout_ms as usize),
        ];
        let zero = above_0.iter().filter(|(_, value)| *value == 0);
        let mut problems: Vec<_> = zero.map(|(key, _)| format!("{key}: must be above 0")).collect();
        let mut check = |fine: bool, text: &str| {
            if !fine {
                problems.push(text.to_owned());
            }
        };
        check(
            (1_024..=domain::MESSAGE_BYTES_MAX * 16).contains(&self.message_bytes_max),
            "message_bytes_max: 1024 to 1048576",
        );
        check(self.bytes_before_connect_max >= 1_024, "bytes_before_connect_max: at least 1024");
        for (key, burst) in [
            ("bytes_burst", self.bytes_burst),
            ("user_bytes_burst", self.user_bytes_burst),
            ("address_bytes_burst", self.address_bytes_burst),
            ("room_bytes_burst", self.room_bytes_burst),
        ] {
            let text = format!("{key}: no less than message_bytes_max");
            check(burst as usize >= self.message_bytes_max, &text);
        }
        for (key, cost) in
            [("subscribe_cost", self.subscribe_cost), ("history_cost", self.history_cost)]
        {
            let text = format!("{key}: 1 to commands_burst");
            check((1..=self.commands_burst).contains(&cost), &text);
        }
        check(self.replies_bytes_max >= 65_536, "replies_bytes_max: at least 65536");
        check(self.slow_ms >= 1_000, "slow_ms: at least 1000");
        check(
            (1_024..=16 * 1024 * 1024).contains(&self.body_bytes_max),
            "body_bytes_max: 1024 to 16777216",
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(LimitsConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn each_problem_begins_with_its_key() {
        let limits = LimitsConfig {
            requests_burst: 0,
            body_bytes_max: 5,
            slow_ms: 999,
            ..LimitsConfig::default()
        };
        let problems = limits.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        for key in ["requests_burst: ", "body_bytes_max: ", "slow_ms: "] {
            assert!(problems.iter().any(|text| text.starts_with(key)), "{key} in {problems:?}");
        }
    }
}
