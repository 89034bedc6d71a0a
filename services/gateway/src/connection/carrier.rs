//! How messages travel to a connection.
//!
//! [`Carrier::wrap`] is the one place where a message becomes the bytes that are written to a
//! client; [`Carrier::last`] is what is written before the end.
use bytes::Bytes;
use wire::{CloseCode, DisconnectPush, Format, Push, PushBody};

use super::frame;

/// How messages travel to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// In WebSocket frames: text for JSON, binary for Protobuf.
    WebSocket(Format),
    /// In the body of an HTTP answer: lines of JSON, or Protobuf messages after their lengths.
    Stream(Format),
    /// As server-sent events, which are text: in JSON alone.
    Events,
}

impl Carrier {
    /// How its messages are written.
    pub const fn format(self) -> Format {
        match self {
            Self::WebSocket(format) | Self::Stream(format) => format,
            Self::Events => Format::Json,
        }
    }

    /// What is written before any message, so that the client sees the stream open.
    pub const fn opening(self) -> Option<Bytes> {
        match self {
            Self::WebSocket(_) | Self::Stream(_) => None,
            Self::Events => Some(Bytes::from_static(b"\n")),
        }
    }

    /// A message as the bytes that are written to the client.
    pub fn wrap(self, message: &[u8]) -> Bytes {
        match self {
            Self::WebSocket(Format::Json) => frame::text(message),
            Self::WebSocket(format @ Format::Protobuf) => {
                frame::binary(&format.prefix(message.len()), message)
            }
            Self::Stream(Format::Json) => [message, b"\n"].concat().into(),
            Self::Stream(format @ Format::Protobuf) => {
                [&*format.prefix(message.len()), message].concat().into()
            }
            // No message holds a raw newline, so it is one line and one event.
            Self::Events => [b"data: ", message, b"\n\n"].concat().into(),
        }
    }

    /// The last thing that is written: a close frame, or a push that says the same.
    pub fn last(self, code: CloseCode, reason: &str) -> Bytes {
        if let Self::WebSocket(_) = self {
            return frame::close(code.code(), reason);
        }
        let body = PushBody::Disconnect(DisconnectPush {
            code: code.code().into(),
            reason: reason.to_owned(),
            reconnect: !code.terminal(),
        });
        // It holds no payload that a format could refuse.
        let message = self.format().encode_push(&Push::new("", body)).unwrap_or_default();
        self.wrap(&message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Carrier; 5] = [
        Carrier::WebSocket(Format::Json),
        Carrier::WebSocket(Format::Protobuf),
        Carrier::Stream(Format::Json),
        Carrier::Stream(Format::Protobuf),
        Carrier::Events,
    ];

    #[test]
    fn a_message_is_wrapped_as_its_carrier_wants_it() {
        let hi = ALL.map(|carrier| carrier.wrap(b"hi"));
        let expected: [&[u8]; 5] =
            [b"\x81\x02hi", b"\x82\x03\x02hi", b"hi\n", b"\x02hi", b"data: hi\n\n"];
        assert_eq!(hi.each_ref().map(|bytes| &bytes[..]), expected);
        // An empty Protobuf message is its length alone.
        let ping = ALL.map(|carrier| carrier.wrap(&carrier.format().ping()));
        let expected: [&[u8]; 5] =
            [b"\x81\x02{}", b"\x82\x01\x00", b"{}\n", b"\x00", b"data: {}\n\n"];
        assert_eq!(ping.each_ref().map(|bytes| &bytes[..]), expected);
        let long = Carrier::WebSocket(Format::Protobuf).wrap(&[7; 200]);
        assert_eq!(long[..7], [0x82, 126, 0, 202, 0xc8, 0x01, 7]);
        assert_eq!(Carrier::Stream(Format::Protobuf).wrap(&[7; 200])[..3], [0xc8, 0x01, 7]);
    }

    #[test]
    fn the_last_word_says_whether_to_come_back() {
        let [socket, _, stream, protobuf, events] =
            ALL.map(|carrier| carrier.last(CloseCode::Shutdown, "shutdown"));
        assert_eq!(socket[..], *b"\x88\x0a\x0b\xb9shutdown");
        let push = r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown","reconnect":true}}}"#;
        assert_eq!(stream, format!("{push}\n"));
        assert_eq!(events, format!("data: {push}\n\n"));
        assert_eq!(protobuf[..], *b"\x13\x22\x11\x5a\x0f\x08\xb9\x17\x12\x08shutdown\x18\x01");
        let stays = Carrier::Events.last(CloseCode::InvalidToken, "invalid token");
        assert!(!String::from_utf8_lossy(&stays).contains("reconnect"));
    }
}
