//! The formats of the wire, and the two directions of each.
//!
//! Whoever reads and writes frames names a format and calls it; a further one joins here without a
//! change for those who call. A message is whole by itself; what stands between the messages of a
//! frame or a stream is the format's affair too.
use std::ops::Deref;

use bytes::{Bytes, BytesMut};

use crate::{Command, Push, Reply, json, protobuf};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a message, messages of a frame joined by a newline, text frames.
    Json,
    /// One Protobuf message after its length, binary frames.
    Protobuf,
}

/// Why a frame could not be read. All of them close with 3501.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No command at all.
    #[error("empty frame")]
    Empty,
    /// Not of the format.
    #[error("malformed frame")]
    Malformed,
    /// More commands than a frame may hold.
    #[error("too many commands in a frame")]
    TooMany,
}

/// A message holds a payload that its format cannot carry. Closes with 3506.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload that the format cannot carry")]
pub struct Uncarried;

/// The few bytes that stand before a message. See [`Format::prefix`].
#[derive(Debug, Clone, Copy)]
pub struct Prefix {
    bytes: [u8; 10],
    used: usize,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// Reads all commands of one frame, `commands_max` at most.
    pub fn decode(self, frame: &[u8], commands_max: usize) -> Result<Vec<Command>, DecodeError> {
        match self {
            Self::Json => json::decode(frame, commands_max),
            Self::Protobuf => protobuf::decode(frame, commands_max),
        }
    }

    /// Writes one reply as a message.
    pub fn encode_reply(self, reply: &Reply) -> Result<Bytes, Uncarried> {
        match self {
            Self::Json => json::encode_reply(reply),
            Self::Protobuf => Ok(protobuf::encode_reply(reply)),
        }
    }

    /// Writes one push as a message.
    pub fn encode_push(self, push: &Push) -> Result<Bytes, Uncarried> {
        match self {
            Self::Json => json::encode_push(push),
            Self::Protobuf => Ok(protobuf::encode_push(push)),
        }
    }

    /// The payload as this format carries it, `None` if it cannot: in JSON a single value that
    /// nests at most 100 deep, newlines between its tokens taken out; in Protobuf any bytes.
    pub fn payload(self, raw: &[u8]) -> Option<Bytes> {
        match self {
            Self::Json => json::embed(raw).map(|value| Bytes::copy_from_slice(&value)),
            Self::Protobuf => Some(Bytes::copy_from_slice(raw)),
        }
    }

    /// A whole payload as it is sent to whom patches were granted: in JSON a string that holds the
    /// value's text, in Protobuf the payload as it is.
    pub fn whole(self, payload: &Bytes) -> Result<Bytes, Uncarried> {
        match self {
            Self::Json => json::in_text(payload, payload),
            Self::Protobuf => Ok(payload.clone()),
        }
    }

    /// A patch as it is sent to them. `payload` is what it makes: that must be carried too.
    pub fn patch(self, patch: &Bytes, payload: &[u8]) -> Result<Bytes, Uncarried> {
        match self {
            Self::Json => json::in_text(patch, payload),
            Self::Protobuf => Ok(patch.clone()),
        }
    }

    /// The server's ping, a message like another.
    pub fn ping(self) -> Bytes {
        match self {
            Self::Json => Bytes::from_static(b"{}"),
            Self::Protobuf => Bytes::new(),
        }
    }

    /// What stands before a message of so many bytes in a frame or a stream: in Protobuf its
    /// length, in JSON nothing.
    pub fn prefix(self, message_bytes: usize) -> Prefix {
        match self {
            Self::Json => Prefix::empty(),
            Self::Protobuf => protobuf::length(message_bytes),
        }
    }

    /// Joins messages into the payload of one frame.
    pub fn join<'a>(self, messages: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
        let mut frame = BytesMut::new();
        for message in messages {
            if self == Self::Json && !frame.is_empty() {
                frame.extend_from_slice(b"\n");
            }
            frame.extend_from_slice(&self.prefix(message.len()));
            frame.extend_from_slice(message);
        }
        frame.freeze()
    }
}

impl Prefix {
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes[self.used] = byte;
        self.used += 1;
    }

    pub(crate) const fn empty() -> Self {
        Self { bytes: [0; 10], used: 0 }
    }
}

impl Deref for Prefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}
