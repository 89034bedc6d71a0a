//! WebSocket frames as a server writes them: unmasked, unfragmented, header included.
//!
//! A frame is made once and shared by every connection that gets it.
use bytes::{BufMut, Bytes, BytesMut};

/// Longest reason of a close frame in bytes: 125 for a control frame, less the code.
const REASON_BYTES_MAX: usize = 123;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A text frame.
pub fn text(payload: &[u8]) -> Bytes {
    frame(TEXT, &[], payload)
}

/// A binary frame of a message and what stands before it.
pub fn binary(prefix: &[u8], message: &[u8]) -> Bytes {
    frame(BINARY, prefix, message)
}

/// A native ping without a payload.
pub fn ping() -> Bytes {
    frame(PING, &[], &[])
}

/// The answer to a native ping; its payload came in a control frame, so it is short.
pub fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, &[], &payload[..payload.len().min(125)])
}

/// A close frame. The reason is cut to what a control frame holds, between characters.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    frame(CLOSE, &[], &payload)
}

/// A close frame without a code: the echo of one that had none.
pub fn close_empty() -> Bytes {
    frame(CLOSE, &[], &[])
}

fn frame(first: u8, prefix: &[u8], payload: &[u8]) -> Bytes {
    let length = prefix.len() + payload.len();
    let mut out = BytesMut::with_capacity(length + 10);
    out.put_u8(first);
    match length {
        length @ 0..=125 => out.put_u8(length as u8),
        length @ 126..=0xffff => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        length => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
    out.extend_from_slice(prefix);
    out.extend_from_slice(payload);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_the_standard_says() {
        assert_eq!(&text(b"hi")[..], b"\x81\x02hi");
        assert_eq!(&binary(b"\x02", b"hi")[..], b"\x82\x03\x02hi");
        assert_eq!(&binary(b"x", &[b'x'; 125])[..4], &[0x82, 126, 0, 126]);
        assert_eq!(&text(&[b'x'; 126])[..4], &[0x81, 126, 0, 126]);
        assert_eq!(&text(&vec![b'x'; 65_536])[..10], &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_reason_is_cut_between_characters() {
        let frame = close(3001, &"é".repeat(100));
        assert_eq!(frame[1] as usize, frame.len() - 2);
        assert!(frame[1] <= 125);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
        assert_eq!(&frame[2..4], &3001_u16.to_be_bytes());
    }
}
