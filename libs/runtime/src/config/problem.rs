//! What is wrong with a config, in words for the person who wrote it.
//!
//! A sentence names the kind of value found and the kind wanted, never the value itself: the
//! value in the wrong place may be a password.
use std::fmt;

use figment::error::{Actual, Kind};

/// Every problem of a config. The process ends with [`ConfigProblems::EXIT_CODE`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(Vec<String>);

impl ConfigProblems {
    /// What a process with a bad config exits with (`EX_USAGE`).
    pub const EXIT_CODE: u8 = 64;

    pub(super) fn one(text: String) -> Self {
        Self(vec![text])
    }

    pub(super) fn from_list(list: Vec<String>) -> Result<(), Self> {
        if list.is_empty() { Ok(()) } else { Err(Self(list)) }
    }

    /// The problems, each beginning with the full key.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.0.len() == 1 { "problem" } else { "problems" };
        write!(f, "the config has {} {many}:", self.0.len())?;
        self.0.iter().try_for_each(|text| write!(f, "\n  {text}"))
    }
}

/// A sentence for an error of serde's, without the value.
pub(super) fn sentence(kind: &Kind) -> String {
    match kind {
        Kind::Message(text) => text.clone(),
        Kind::InvalidType(found, wanted) => format!("{} where {wanted} belongs", noun(found)),
        Kind::InvalidValue(_, wanted) => format!("out of range: {wanted} belongs here"),
        Kind::InvalidLength(found, wanted) => format!("{found} entries where {wanted} belongs"),
        Kind::UnknownVariant(_, known) => format!("none of {}", known.join(", ")),
        Kind::UnknownField(_, known) => format!("no such key; there are {}", known.join(", ")),
        Kind::MissingField(name) => format!("{name} is missing"),
        Kind::DuplicateField(name) => format!("{name} stands there twice"),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "out of range".to_owned(),
        Kind::Unsupported(found) => format!("{} is of no use here", noun(found)),
        Kind::UnsupportedKey(found, wanted) => {
            format!("{} as a key where {wanted} belongs", noun(found))
        }
    }
}

fn noun(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number with a fraction",
        Actual::Char(_) | Actual::Str(_) | Actual::Bytes(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "another kind of value",
    }
}
