//! Newtypes for the ids that travel between the parts.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} has {min} to {max} characters of A-Z a-z 0-9 . _ : -")]
pub struct InvalidId {
    what: &'static str,
    min: usize,
    max: usize,
}

fn checked(text: &str, what: &'static str, min: usize, max: usize) -> Result<Arc<str>, InvalidId> {
    let fits = (min..=max).contains(&text.len());
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    if fits && text.bytes().all(plain) {
        Ok(text.into())
    } else {
        Err(InvalidId { what, min, max })
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:literal..=$max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` against the id's grammar.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                checked(text, $what, $min, $max).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

text_id! {
    /// The author's idempotency key for one publish, scoped to (issuer, subject) and room.
    MessageId, "a message id", 8..=64
}
text_id! {
    /// Names a gateway; the same after a restart of its process. Last word of its direct routing key.
    GatewayId, "a gateway id", 1..=64
}

impl MessageId {
    /// A new id, for publishes whose author gave none.
    pub fn random() -> Self {
        Self(Uuid::now_v7().simple().to_string().into())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $make:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id.
            pub fn random() -> Self {
                Self(Uuid::$make())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id! {
    /// One socket on one gateway.
    ConnectionId, new_v4
}
uuid_id! {
    /// One life of a gateway's process.
    Incarnation, new_v4
}
uuid_id! {
    /// A gateway's claim on its presence entries, given by the presence service.
    LeaseId, new_v4
}
