//! The formats of the wire, and the two directions of each.
//!
//! Whoever reads and writes frames names a format and calls it; a further one joins here without a
//! change for those who call.
use bytes::{Bytes, BytesMut};

use crate::{Command, Push, Reply};

/// How messages are written. Protobuf joins it without a change for those who call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a message, messages of a frame joined by a newline, text frames.
    Json,
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

impl Format {
    /// Reads all commands of one frame, `commands_max` at most.
    pub fn decode(self, frame: &[u8], commands_max: usize) -> Result<Vec<Command>, DecodeError> {
        match self {
            Self::Json => crate::json::decode(frame, commands_max),
        }
    }

    /// Writes one reply, without a separator.
    pub fn encode_reply(self, reply: &Reply) -> Bytes {
        match self {
            Self::Json => crate::json::encode_reply(reply),
        }
    }

    /// Writes one push, without a separator.
    pub fn encode_push(self, push: &Push) -> Bytes {
        match self {
            Self::Json => crate::json::encode_push(push),
        }
    }

    /// The payload as this format carries it, `None` if it cannot: in JSON a single value that
    /// nests at most 100 deep, newlines between its tokens taken out. A connection whose format
    /// cannot carry a payload is closed with 3506; written all the same, the payload is `null`.
    pub fn payload(self, raw: &[u8]) -> Option<Bytes> {
        match self {
            Self::Json => crate::json::embed(raw).map(|value| Bytes::copy_from_slice(&value)),
        }
    }

    /// The server's ping, whole.
    pub fn ping(self) -> Bytes {
        match self {
            Self::Json => Bytes::from_static(b"{}"),
        }
    }

    /// Joins messages into the payload of one frame.
    pub fn join<'a>(self, messages: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
        let mut frame = BytesMut::new();
        for message in messages {
            if !frame.is_empty() {
                frame.extend_from_slice(b"\n");
            }
            frame.extend_from_slice(message);
        }
        frame.freeze()
    }
}
