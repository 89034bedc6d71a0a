//! Names of rooms: what the grammar lets in is canonical and can never be a pattern, nor another
//! room's key, on the broker.
//!
//! The input is two names with a zero byte between them.
use bus::BindingKey;
use domain::RoomName;

use crate::take::Take;

/// Longest text that AMQP takes as a key.
const KEY_BYTES_MAX: usize = 255;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    let first = name(input.until_zero());
    let second = name(input.0);
    let (Some(first), Some(second)) = (first, second) else { return };
    let key = |room: &RoomName| BindingKey::Room(room.clone()).routing_key();
    let met = matches(&key(&first), &key(&second));
    assert_eq!(met, first == second, "{first} and {second}");
    let shard = BindingKey::Shard(first.shard()).routing_key();
    assert_eq!(matches(&shard, &key(&second)), first.shard() == second.shard());
}

fn name(bytes: &[u8]) -> Option<RoomName> {
    let text = std::str::from_utf8(bytes).ok()?;
    let parsed = RoomName::parse(text);
    assert_eq!(parsed.is_ok(), is_name(text), "{text:?}");
    let json = serde_json::to_string(text).expect("a text is JSON");
    assert_eq!(serde_json::from_str::<RoomName>(&json).ok(), parsed.clone().ok());
    let room = parsed.ok()?;
    assert_eq!(room.as_str(), text);
    assert_eq!(RoomName::parse(room.as_str()).as_ref(), Ok(&room));
    assert!(text.is_ascii() && text.starts_with(room.kind()) || room.kind() == "default");
    let key = BindingKey::Room(room.clone()).routing_key();
    assert!(key.len() <= KEY_BYTES_MAX, "{} bytes", key.len());
    assert!(!key.contains(['*', '#', '\0', ' ']), "{key}");
    assert_eq!(key.split('.').count(), 3, "{key}");
    assert!(matches("room.*.*", &key) && !matches("room.*", &key));
    Some(room)
}

/// The grammar once more, letter by letter.
fn is_name(text: &str) -> bool {
    let (mut colons, mut letters) = (0, 0);
    for letter in text.chars() {
        match letter {
            ':' if letters > 0 => (colons, letters) = (colons + 1, 0),
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letters += 1,
            _ => return false,
        }
    }
    letters > 0 && colons <= 2 && text.len() <= 128
}

/// Whether a topic exchange brings a key to a pattern.
fn matches(pattern: &str, key: &str) -> bool {
    fn words(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            (["#", rest @ ..], _) => (0..=key.len()).any(|skip| words(rest, &key[skip..])),
            ([word, rest @ ..], [first, more @ ..]) => {
                (*word == "*" || word == first) && words(rest, more)
            }
            _ => false,
        }
    }
    words(&pattern.split('.').collect::<Vec<_>>(), &key.split('.').collect::<Vec<_>>())
}
