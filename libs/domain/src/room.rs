//! Room names and the shard that a name falls into.
//!
//! The one place where a name is checked. A checked name holds no dot, `*` or `#` and
//! at most 128 bytes, so that it can stand in an AMQP routing key without ever being a
//! pattern or another room's key.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest room name in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Most words that a name may have: `kind:group:name`.
const WORDS_MAX: usize = 3;
/// The kind of a room whose name has no prefix.
const DEFAULT_KIND: &str = "default";

/// A checked room name: words of `[A-Za-z0-9_-]` joined by at most two `:`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomName(Arc<str>);

/// Why a text is no room name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoomName {
    /// The text is empty, or longer than 128 bytes.
    #[error("a room name has 1 to 128 bytes")]
    Length,
    /// A character outside the grammar, an empty word, or more than two colons.
    #[error("a room name is words of A-Z a-z 0-9 _ - joined by at most two colons")]
    Grammar,
}

/// One of 256 equal parts of all room names; the last word of a routing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(pub u8);

impl RoomName {
    /// Checks `text` against the grammar.
    pub fn parse(text: &str) -> Result<Self, InvalidRoomName> {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err(InvalidRoomName::Length);
        }
        let word_ok = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.split(':').count() > WORDS_MAX || !text.split(':').all(word_ok) {
            return Err(InvalidRoomName::Grammar);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the room's kind: what stands before the first colon, `default` without one.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or(DEFAULT_KIND, |(kind, _)| kind)
    }

    /// Whether the name is kept for server-side subscriptions: `system`, and all of the kind `user`.
    pub fn is_reserved(&self) -> bool {
        self.as_str() == "system" || self.kind() == "user"
    }

    /// The room's shard. Two pods of any version must agree on it, so the hash is pinned (XXH3, seed 0).
    pub fn shard(&self) -> Shard {
        Shard((xxhash_rust::xxh3::xxh3_64(self.0.as_bytes()) & 0xff) as u8)
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl TryFrom<String> for RoomName {
    type Error = InvalidRoomName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::str::FromStr for RoomName {
    type Err = InvalidRoomName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_could_be_patterns_or_keys_are_refused() {
        let long = "a".repeat(129);
        for bad in [
            "",
            "*",
            "#",
            "a.b",
            "a.#",
            "room.#",
            "a b",
            "a\0b",
            ":",
            "a:",
            ":a",
            "a::b",
            "a:b:c:d",
            "é",
            "👋",
            "a\u{202e}b",
            long.as_str(),
        ] {
            assert!(RoomName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_name_tells_its_kind() {
        for (name, kind) in [("general", "default"), ("chat:x", "chat"), ("a:b:c", "a")] {
            assert_eq!(RoomName::parse(name).unwrap().kind(), kind);
        }
    }

    #[test]
    fn shards_are_pinned_for_ever() {
        // Another figure here would cut running gateways off from newer ones.
        assert_eq!(RoomName::parse("general").unwrap().shard(), Shard(19));
    }

    proptest! {
        #[test]
        fn no_accepted_name_holds_a_routing_metacharacter(text in ".{0,200}") {
            if let Ok(name) = RoomName::parse(&text) {
                prop_assert!(name.as_str().len() <= 128);
                prop_assert!(!name.as_str().contains(['.', '*', '#', ' ']));
            }
        }
    }
}
