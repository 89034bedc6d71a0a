//! A place in a room's log.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which life of a room's log an offset belongs to: a random word made with the room, and
/// made anew when offsets may be used a second time (a restored database).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

/// A place in a log: everything up to and with `offset` has been read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Position {
    /// The life of the log.
    pub epoch: Epoch,
    /// 1 for the first item of the log; 0 is the place before it.
    pub offset: u64,
}

impl Epoch {
    /// Takes any text: an epoch that the log never made just never matches.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// A new, random epoch of 12 characters.
    pub fn random() -> Self {
        let mut word = uuid::Uuid::new_v4().simple().to_string();
        word.truncate(12);
        Self(word.into())
    }

    /// The epoch as text; empty for a position that names none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no epoch was named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
