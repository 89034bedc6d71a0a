//! How messages travel to a connection, and pushes that many connections share.
//!
//! [`Carrier::wrap`] is the one place where a message becomes the bytes that are written to a
//! client. A shared push is encoded when the first connection of a carrier needs it, once for all
//! of that carrier, and never for a carrier that nobody uses.
use std::sync::OnceLock;

use bytes::Bytes;
use domain::RoomName;
use wire::{Format, Push, PushBody, Uncarried, UnsubscribeCode};

use super::frame;

/// How messages travel to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// In WebSocket frames: text for JSON, binary for Protobuf.
    WebSocket(Format),
}

/// One push as each carrier writes it.
#[derive(Debug, Default)]
pub struct Frames([OnceLock<Result<Bytes, Uncarried>>; Carrier::COUNT]);

/// A push without a position, for many connections.
#[derive(Debug)]
pub struct SharedPush {
    push: Push,
    frames: Frames,
}

impl Carrier {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// How its messages are written.
    pub const fn format(self) -> Format {
        match self {
            Self::WebSocket(format) => format,
        }
    }

    /// A message as the bytes that are written to the client.
    pub fn wrap(self, message: &[u8]) -> Bytes {
        match self {
            Self::WebSocket(Format::Json) => frame::text(message),
            Self::WebSocket(format @ Format::Protobuf) => {
                frame::binary(&format.prefix(message.len()), message)
            }
        }
    }

    /// Its place in [`Frames`].
    const fn index(self) -> usize {
        match self {
            Self::WebSocket(Format::Json) => 0,
            Self::WebSocket(Format::Protobuf) => 1,
        }
    }
}

impl Frames {
    /// The push as `carrier` writes it. `push` makes it; it is asked once a carrier.
    pub fn get(&self, carrier: Carrier, push: impl FnOnce() -> Push) -> Result<Bytes, Uncarried> {
        let encode = || {
            metrics::counter!("roomcast_gateway_frames_encoded_total").increment(1);
            let message = carrier.format().encode_push(&push())?;
            Ok(carrier.wrap(&message))
        };
        self.0[carrier.index()].get_or_init(encode).clone()
    }
}

impl SharedPush {
    /// A push that is encoded when somebody needs it.
    pub fn new(push: Push) -> Self {
        Self { push, frames: Frames::default() }
    }

    /// Tells that a subscription has ended. `reason` is shown to the client and never empty.
    pub fn unsubscribe(room: &RoomName, code: UnsubscribeCode, reason: &str) -> Self {
        let body = PushBody::Unsubscribe { code: code.code().into(), reason: reason.to_owned() };
        Self::new(Push::new(room.as_str(), body))
    }

    /// It as `carrier` writes it.
    pub fn frame(&self, carrier: Carrier) -> Result<Bytes, Uncarried> {
        self.frames.get(carrier, || self.push.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Carrier; Carrier::COUNT] =
        [Carrier::WebSocket(Format::Json), Carrier::WebSocket(Format::Protobuf)];

    #[test]
    fn each_carrier_has_a_place_of_its_own() {
        let mut places: Vec<usize> = ALL.iter().map(|carrier| carrier.index()).collect();
        places.sort_unstable();
        assert_eq!(places, (0..Carrier::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_message_is_wrapped_as_its_carrier_wants_it() {
        let [json, protobuf] = ALL.map(|carrier| carrier.wrap(b"hi"));
        assert_eq!(json[..], *b"\x81\x02hi");
        assert_eq!(protobuf[..], *b"\x82\x03\x02hi");
        let [json, protobuf] = ALL.map(|carrier| carrier.wrap(&carrier.format().ping()));
        assert_eq!(json[..], *b"\x81\x02{}");
        assert_eq!(protobuf[..], *b"\x82\x01\x00", "an empty message: its length alone");
        let long = Carrier::WebSocket(Format::Protobuf).wrap(&[7; 200]);
        assert_eq!(long[..7], [0x82, 126, 0, 202, 0xc8, 0x01, 7]);
    }

    #[test]
    fn a_push_is_made_once_a_carrier_and_only_if_it_is_needed() {
        let frames = Frames::default();
        let made = std::cell::Cell::new(0);
        let push = || {
            made.set(made.get() + 1);
            Push::new("a", PushBody::Message(Bytes::from_static(b"\xff")))
        };
        let [json, protobuf] = ALL;
        for _ in 0..3 {
            let frame = frames.get(protobuf, push).unwrap();
            assert_eq!(frame[..], *b"\x82\x0b\x0a\x22\x08\x12\x01a\x42\x03\x0a\x01\xff");
        }
        assert_eq!(made.get(), 1);
        // What JSON cannot carry is found out once too.
        for _ in 0..3 {
            assert_eq!(frames.get(json, push), Err(Uncarried));
        }
        assert_eq!(made.get(), 2);
    }
}
