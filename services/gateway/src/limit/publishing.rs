//! How much may be published: by one user, from one address, into one room; messages and bytes.
//!
//! The user is asked first, so that one who floods uses up no room's share. Rooms' rates are this
//! gateway's: with three gateways a room may get three times as much.
use std::hash::Hash;
use std::net::IpAddr;

use domain::{Error, ErrorReason, PrincipalId, Result, RoomName};

use super::keyed::Keyed;
use super::{Limit, LimitsConfig};

/// See the file's head.
pub struct Publishing {
    users: Pair<PrincipalId>,
    addresses: Pair<IpAddr>,
    rooms: Pair<RoomName>,
}

/// Messages and bytes of each key.
struct Pair<K: Hash + Eq + Clone> {
    messages: Option<Keyed<K>>,
    bytes: Option<Keyed<K>>,
}

impl Publishing {
    /// Nobody has published yet. The limits were checked before.
    pub fn new(limits: &LimitsConfig) -> Self {
        let l = limits;
        let keys = l.rate_keys_max;
        Self {
            users: Pair {
                messages: Keyed::new(l.user_publishes_per_second, l.user_publishes_burst, keys),
                bytes: Keyed::new(l.user_bytes_per_second, l.user_bytes_burst, keys),
            },
            addresses: Pair {
                messages: Keyed::new(
                    l.address_publishes_per_second,
                    l.address_publishes_burst,
                    keys,
                ),
                bytes: Keyed::new(l.address_bytes_per_second, l.address_bytes_burst, keys),
            },
            rooms: Pair {
                messages: Keyed::new(l.room_publishes_per_second, l.room_publishes_burst, keys),
                bytes: Keyed::new(l.room_bytes_per_second, l.room_bytes_burst, keys),
            },
        }
    }

    /// Takes a message of so many bytes. `RateLimited`, in words that name whose share is used up.
    pub fn take(
        &self,
        user: &PrincipalId,
        address: Option<IpAddr>,
        room: &RoomName,
        bytes: usize,
    ) -> Result<()> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let refused = self
            .users
            .refuse(user, bytes, [Limit::UserPublishes, Limit::UserBytes])
            .or_else(|| {
                let limits = [Limit::AddressPublishes, Limit::AddressBytes];
                address.and_then(|address| self.addresses.refuse(&block(address), bytes, limits))
            })
            .or_else(|| self.rooms.refuse(room, bytes, [Limit::RoomPublishes, Limit::RoomBytes]));
        let Some(limit) = refused else { return Ok(()) };
        limit.bites();
        let text = match limit {
            Limit::UserPublishes => "too many publishes of this user",
            Limit::UserBytes => "too many bytes of this user",
            Limit::AddressPublishes => "too many publishes from this address",
            Limit::AddressBytes => "too many bytes from this address",
            Limit::RoomPublishes => "too many publishes into this room",
            _ => "too many bytes into this room",
        };
        Err(Error::new(ErrorReason::RateLimited, text))
    }

    /// Forgets who has not published for a while. To be called now and then.
    pub fn forget_idle(&self) {
        self.users.forget_idle();
        self.addresses.forget_idle();
        self.rooms.forget_idle();
    }
}

impl<K: Hash + Eq + Clone> Pair<K> {
    fn refuse(&self, key: &K, bytes: u32, limits: [Limit; 2]) -> Option<Limit> {
        let [messages, amount] = limits;
        let full = |keyed: &Option<Keyed<K>>, count| {
            keyed.as_ref().is_some_and(|keyed| !keyed.take(key, count))
        };
        if full(&self.messages, 1) {
            return Some(messages);
        }
        full(&self.bytes, bytes).then_some(amount)
    }

    fn forget_idle(&self) {
        self.messages.iter().chain(&self.bytes).for_each(Keyed::forget_idle);
    }
}

/// What counts as one address: whoever has one of IPv6 has its whole /64.
pub fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6((long.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> PrincipalId {
        PrincipalId::new("test", name)
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    #[test]
    fn who_floods_uses_up_no_rooms_share() {
        let publishing = Publishing::new(&LimitsConfig {
            user_publishes_per_second: 1,
            user_publishes_burst: 5,
            room_publishes_per_second: 1,
            room_publishes_burst: 20,
            ..LimitsConfig::default()
        });
        let busy = room("busy");
        let passed = |name: &str| {
            (0..100).filter(|_| publishing.take(&user(name), None, &busy, 10).is_ok()).count()
        };
        assert_eq!(["a", "b", "c", "d", "e"].map(passed), [5, 5, 5, 5, 0]);
        // What a room refuses is counted against its author, and against nobody else.
        assert!(publishing.take(&user("e"), None, &room("other"), 10).is_err());
        assert!(publishing.take(&user("f"), None, &room("other"), 10).is_ok());
    }

    #[test]
    fn an_address_of_ipv6_is_its_network() {
        let of = |text: &str| block(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
