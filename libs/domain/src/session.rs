//! The secret that joins a client's requests to the stream on which they are answered.
//!
//! Who knows it acts for the connection, so it is told in the connect reply alone. It has neither
//! `Debug` nor `Display`: no log and no error can show it by mistake.
use std::fmt::Write;

/// 128 random bits; 32 hexadecimal digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session([u8; 16]);

impl Session {
    /// The session of these bits. Whoever makes a new one takes them from a cryptographic source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bits, for other gateways.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads what [`Self::reveal`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let hex = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut bytes = [0; 16];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex(*high)? << 4 | hex(*low)?;
        }
        Some(Self(bytes))
    }

    /// It as text: for its own client and nobody else.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.0 {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let session = Session::from_bytes(*b"\0\x01\x7f\x80\xff abcdefghij");
        let text = session.reveal();
        assert_eq!(text, "00017f80ff206162636465666768696a");
        assert!(Session::parse(&text) == Some(session));
        for bad in
            ["", "00", &text[1..], &text.to_uppercase(), &format!("{text}0"), &"é".repeat(16)]
        {
            assert!(Session::parse(bad).is_none(), "{bad}");
        }
    }
}
