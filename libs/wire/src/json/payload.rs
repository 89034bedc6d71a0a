//! Payloads: JSON values of the application that are carried as they stand.
//!
//! The one place that decides whether bytes may be embedded in a frame. What passes is a single
//! JSON value without a raw newline, byte for byte as given but for newlines between its tokens.
use std::borrow::Cow;

use serde::de::IgnoredAny;

/// Deepest nesting of a payload. A frame nests it a few levels deeper, and several SDKs' parsers
/// give up at 128 levels: a deeper one could cut off everybody who reads the room.
const DEPTH_MAX: usize = 100;

/// The payload as a frame embeds it; `None` if it is no JSON value, or nests too deep.
pub(crate) fn embed(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = std::str::from_utf8(raw).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    compact(raw)
}

/// Takes the newlines between the tokens of a JSON value out; `None` if it nests too deep.
pub(super) fn compact(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let value = value.trim_ascii();
    let mut newlines = false;
    let mut depth = 0usize;
    scan(value, |byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'\n' | b'\r' => newlines = true,
            _ => {}
        }
        depth <= DEPTH_MAX
    })?;
    if !newlines {
        return Some(Cow::Borrowed(value));
    }
    // A raw newline cannot stand inside a string of valid JSON: all of them are insignificant.
    Some(Cow::Owned(value.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()))
}

/// How many objects a JSON value holds, itself included, and how deep they nest.
pub(super) fn objects(value: &[u8]) -> (usize, usize) {
    let (mut count, mut depth, mut deepest) = (0, 0_usize, 0);
    let _all = scan(value, |byte| {
        match byte {
            b'{' => {
                count += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        true
    });
    (count, deepest)
}

/// Shows `each` the bytes that stand outside of strings, until it says no.
fn scan(value: &[u8], mut each: impl FnMut(u8) -> bool) -> Option<()> {
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'"' {
            if !each(byte) {
                return None;
            }
            continue;
        }
        while let Some(&inner) = bytes.next() {
            match inner {
                b'\\' => {
                    bytes.next();
                }
                b'"' => break,
                _ => {}
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newlines_between_tokens_go_and_nothing_else_does() {
        let given = b" {\r\n\t\"a\\\"\\n\" : [1,\n 2e+3], \"b\": \"\\\\\" }\n";
        let kept = b"{\t\"a\\\"\\n\" : [1, 2e+3], \"b\": \"\\\\\" }";
        assert_eq!(embed(given).unwrap().as_ref(), kept);
    }

    #[test]
    fn what_could_break_out_of_a_frame_is_no_payload() {
        for bad in [
            "",
            " ",
            "{",
            "{}}",
            "{}\n{\"id\":1,\"publish\":{}}",
            "1,\"x\":2",
            "nul",
            "'a'",
            "\"a\nb\"",
            "[1 2]",
            "\u{feff}{}",
        ] {
            assert!(embed(bad.as_bytes()).is_none(), "{bad:?} was accepted");
        }
        assert!(embed(b"\"\xff\"").is_none());
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(embed(nested(DEPTH_MAX).as_bytes()).is_some());
        assert!(embed(nested(DEPTH_MAX + 1).as_bytes()).is_none());
        // Brackets inside a string nest nothing.
        assert!(embed(format!("\"{}\"", "[".repeat(500)).as_bytes()).is_some());
    }
}
