//! What bounds a client, so that none can hurt another: the settings, the rates, and the figure
//! that shows each bite.
//!
//! Each limit holds on its gateway alone and asks nobody. Every one is counted where it bites,
//! under its key, so that an operator sees which one a client runs into.
pub mod cells;
pub mod config;
pub mod keyed;
pub mod offenders;
pub mod publishing;

use std::sync::Arc;

pub use config::LimitsConfig;
use offenders::Offenders;
use publishing::Publishing;

/// What a gateway's connections and its HTTP port count together.
#[derive(Clone)]
pub struct Counted {
    /// How much is published.
    pub publishing: Arc<Publishing>,
    /// Who broke the rules lately.
    pub offenders: Arc<Offenders>,
}

impl Counted {
    /// Nothing is counted yet. The limits were checked before.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            publishing: Arc::new(Publishing::new(limits)),
            offenders: Arc::new(Offenders::new(limits)),
        }
    }

    /// Forgets who has done nothing for a while. To be called now and then.
    pub fn forget_idle(&self) {
        self.publishing.forget_idle();
        self.offenders.forget_idle();
    }
}

macro_rules! limits {
    ($($name:ident = $key:literal,)*) => {
        /// A limit, by the key in `[gateway.limits]` that sets it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is described at its key in `LimitsConfig`")]
        pub enum Limit { $($name,)* }

        impl Limit {
            /// Every limit.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its key, and the label of its figure.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }
    };
}

limits! {
    Connections = "connections_max",
    ConnectionsPerUser = "connections_per_user_max",
    ConnectionsPerAddress = "connections_per_address_max",
    UnauthenticatedPerAddress = "unauthenticated_per_address_max",
    Upgrades = "upgrades_per_second",
    UpgradesPerAddress = "upgrades_per_second_per_address",
    Offences = "offences_per_second",
    OffendersWaiting = "offenders_waiting_max",
    ConnectTimeout = "connect_timeout_ms",
    ConnectsInFlight = "connects_in_flight_max",
    BytesBeforeConnect = "bytes_before_connect_max",
    MessageBytes = "message_bytes_max",
    Fragments = "fragments_max",
    FrameTimeout = "frame_timeout_ms",
    CommandsPerFrame = "commands_per_frame_max",
    CommandsInFlight = "commands_in_flight_max",
    Commands = "commands_per_second",
    Bytes = "bytes_per_second",
    Refusals = "refusals_max",
    Subscriptions = "subscriptions_max",
    Rooms = "rooms_max",
    UserPublishes = "user_publishes_per_second",
    UserBytes = "user_bytes_per_second",
    AddressPublishes = "address_publishes_per_second",
    AddressBytes = "address_bytes_per_second",
    RoomPublishes = "room_publishes_per_second",
    RoomBytes = "room_bytes_per_second",
    RateKeys = "rate_keys_max",
    FeedPause = "feed_pause_bytes",
    Replies = "replies_bytes_max",
    Slow = "slow_ms",
    Pong = "pong_ms",
    Close = "close_ms",
    Requests = "requests_per_second",
    RequestsInFlight = "requests_in_flight_max",
    BodyBytes = "body_bytes_max",
    BodyTimeout = "body_timeout_ms",
}

impl Limit {
    /// Counts that it bit.
    pub fn bites(self) {
        metrics::counter!("roomcast_gateway_limited_total", "limit" => self.key()).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_a_setting_and_stands_in_the_guide() {
        let settings = serde_json::to_value(LimitsConfig::default()).unwrap();
        let guide = include_str!("../../../docs/how-to/set-limits.md");
        for limit in Limit::ALL {
            let key = limit.key();
            assert!(settings.get(key).is_some(), "{key} is no setting");
            let row = format!("\n| `{key}`");
            assert!(guide.contains(&row), "{key} has no row in set-limits.md");
        }
    }
}
