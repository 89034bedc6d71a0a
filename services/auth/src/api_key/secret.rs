//! The text of a key: `rck_<16 hexadecimal digits: its id>_<64: 256 random bits>`.
//!
//! Hexadecimal, so that a double click selects it whole and secret scanners can find it. Only
//! the SHA-256 of the random part is kept; a plain hash is enough for 256 random bits.
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use sha2::{Digest, Sha256};

/// How every key begins.
pub const SECRET_PREFIX: &str = "rck_";

const ID_BYTES: usize = 8;
const RANDOM_BYTES: usize = 32;

/// A key as its holder shows it.
pub struct KeySecret {
    key_id: String,
    random: String,
}

impl KeySecret {
    /// A new key from the operating system's random bits.
    pub fn random() -> Result<Self, Unspecified> {
        let mut bytes = [0; ID_BYTES + RANDOM_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let (id, random) = bytes.split_at(ID_BYTES);
        Ok(Self { key_id: hex(id), random: hex(random) })
    }

    /// Reads a key; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (key_id, random) = text.strip_prefix(SECRET_PREFIX)?.split_once('_')?;
        let fits = is_key_id(key_id) && is_hex(random, RANDOM_BYTES);
        fits.then(|| Self { key_id: key_id.to_owned(), random: random.to_owned() })
    }

    /// Its public part.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What is kept of it: SHA-256 over the random part as it is written.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.random.as_bytes()).into()
    }

    /// Whether `hash` is its hash; takes the same time whatever the answer.
    pub fn matches(&self, hash: &[u8; 32]) -> bool {
        verify_slices_are_equal(&self.hash(), hash).is_ok()
    }

    /// The whole text, to be shown once.
    pub fn expose(&self) -> String {
        format!("{SECRET_PREFIX}{}_{}", self.key_id, self.random)
    }
}

/// Never shows the random part.
impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SECRET_PREFIX}{}_***", self.key_id)
    }
}

/// Whether `text` may be a key's id.
pub(super) fn is_key_id(text: &str) -> bool {
    is_hex(text, ID_BYTES)
}

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == bytes * 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_its_own_hash_alone() {
        let (one, other) = (KeySecret::random().unwrap(), KeySecret::random().unwrap());
        let read = KeySecret::parse(&one.expose()).unwrap();
        assert_eq!(read.key_id(), one.key_id());
        assert!(read.matches(&one.hash()) && !read.matches(&other.hash()));
        assert_eq!(one.expose().len(), 4 + 16 + 1 + 64);
        assert_eq!(format!("{one:?}"), format!("rck_{}_***", one.key_id()));
    }

    #[test]
    fn texts_that_are_no_key_are_refused() {
        let good = KeySecret::random().unwrap().expose();
        for bad in [
            "",
            "rck_",
            "rck__",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.to_uppercase(),
            &good.replace("rck_", "rck_'; DROP TABLE api_keys; --"),
        ] {
            assert!(KeySecret::parse(bad).is_none(), "{bad}");
        }
    }
}
