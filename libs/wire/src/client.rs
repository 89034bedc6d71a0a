//! The client's side of the wire, for load generators and tests that speak as a client would.
//!
//! Strict: what the official SDKs could not use is an error here, so that a run fails instead of
//! going on with less. The server uses none of it.
use bytes::Bytes;

use crate::{Command, DecodeError, Format, Push, Reply, Uncarried, json, protobuf};

/// One message from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerMessage {
    /// Answer it with the same empty message if the connect result said `pong`.
    Ping,
    /// The answer to a command.
    Reply(Reply),
    /// Came unasked.
    Push(Push),
}

/// Writes one command as a message. A command without a request is the pong. Zero fields are left
/// out, as the SDKs do. Several are joined into a frame by [`Format::join`].
pub fn encode_command(format: Format, command: &Command) -> Result<Bytes, Uncarried> {
    match format {
        Format::Json => json::encode_command(command),
        Format::Protobuf => Ok(protobuf::encode_command(command)),
    }
}

/// Reads all messages of one frame, of any number.
///
/// Fails with `Malformed` also for a reply that has neither an error nor a result, and for a push
/// of a kind that the server never sends.
pub fn decode_server_frame(
    format: Format,
    frame: &[u8],
) -> Result<Vec<ServerMessage>, DecodeError> {
    match format {
        Format::Json => json::decode_server(frame),
        Format::Protobuf => protobuf::decode_server(frame),
    }
}
