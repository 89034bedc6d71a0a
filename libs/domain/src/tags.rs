//! Tags of a message: short words that its author sets beside the payload.
//!
//! They are stored and travel with the message, and are what a subscriber may filter by without
//! the payload being looked at. The one place where their limits are checked.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most tags of one message.
pub const TAGS_MAX: usize = 16;
/// Longest key of a tag in bytes.
pub const TAG_KEY_BYTES_MAX: usize = 64;
/// Longest value of a tag in bytes.
pub const TAG_VALUE_BYTES_MAX: usize = 256;
/// The tag that the gateway sets on what it delivers; no author may.
pub const GATEWAY_TAG: &str = "gateway";

/// Checked tags, by key. Empty for a message without any.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Tags(BTreeMap<String, String>);

/// Why a map is no message's tags. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// There are too many.
    #[error("a message has at most {TAGS_MAX} tags")]
    Count,
    /// A key is empty or too long.
    #[error("a tag's key has 1 to {TAG_KEY_BYTES_MAX} bytes")]
    Key,
    /// A value is too long.
    #[error("a tag's value has at most {TAG_VALUE_BYTES_MAX} bytes")]
    Value,
    /// A key that only the gateway sets.
    #[error("the tag \"{GATEWAY_TAG}\" is the gateway's own")]
    Reserved,
}

impl Tags {
    /// Checks a map against the limits.
    pub fn new(tags: BTreeMap<String, String>) -> Result<Self, InvalidTags> {
        if tags.len() > TAGS_MAX {
            return Err(InvalidTags::Count);
        }
        for (key, value) in &tags {
            if key.is_empty() || key.len() > TAG_KEY_BYTES_MAX {
                return Err(InvalidTags::Key);
            }
            if value.len() > TAG_VALUE_BYTES_MAX {
                return Err(InvalidTags::Value);
            }
        }
        if tags.contains_key(GATEWAY_TAG) {
            return Err(InvalidTags::Reserved);
        }
        Ok(Self(tags))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All by key, keys rising.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes they hold.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

impl TryFrom<BTreeMap<String, String>> for Tags {
    type Error = InvalidTags;
    fn try_from(tags: BTreeMap<String, String>) -> Result<Self, InvalidTags> {
        Self::new(tags)
    }
}

impl From<Tags> for BTreeMap<String, String> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Result<Tags, InvalidTags> {
        Tags::new(pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn tags_are_taken_up_to_their_limits_and_not_beyond() {
        let (key, value) = ("k".repeat(TAG_KEY_BYTES_MAX), "v".repeat(TAG_VALUE_BYTES_MAX));
        let taken = tags(&[(&key, &value), ("empty", ""), ("Ü \n\0", "é")]).unwrap();
        assert_eq!(
            (taken.get(&key), taken.get("empty"), taken.get("x")),
            (Some(&*value), Some(""), None)
        );
        assert_eq!(tags(&[("", "v")]), Err(InvalidTags::Key));
        assert_eq!(tags(&[(&format!("{key}k"), "v")]), Err(InvalidTags::Key));
        assert_eq!(tags(&[("k", &format!("{value}v"))]), Err(InvalidTags::Value));
        let many = |count: usize| (0..count).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(Tags::new(many(TAGS_MAX)).unwrap().as_map().len(), TAGS_MAX);
        assert_eq!(Tags::new(many(TAGS_MAX + 1)), Err(InvalidTags::Count));
    }

    #[test]
    fn no_author_speaks_for_the_gateway() {
        assert_eq!(tags(&[(GATEWAY_TAG, "g1")]), Err(InvalidTags::Reserved));
        assert!(tags(&[("Gateway", "g1")]).is_ok(), "keys are compared byte by byte");
    }

    #[test]
    fn reading_json_checks_it() {
        let read = |json: &str| serde_json::from_str::<Tags>(json);
        assert_eq!(read(r#"{"lang":"de"}"#).unwrap().get("lang"), Some("de"));
        for bad in [r#"{"gateway":"g"}"#, r#"{"":"v"}"#, r#"{"n":1}"#, "[]", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
