//! The JSON format: one object a message, messages of a frame joined by a newline.
//!
//! Reading is strict where the protocol is (one newline between objects, known fields once and of
//! their type) and takes what it allows (unknown fields, `null` for an absent one). Nothing that
//! comes in makes it panic, recurse without a bound or grow beyond a small multiple of the frame.
//! Writing goes into a single buffer; no payload can break out of the object that holds it.
mod envelope;
mod payload;
mod schema;
mod value;

use bytes::Bytes;

use crate::envelope::{RawCommand, RawReply};
use crate::{Command, DecodeError, Push, Reply, Uncarried, client};
use value::Draft;

pub(crate) use payload::embed;

/// Room for a typical message, so that the buffer seldom grows.
const MESSAGE_BYTES: usize = 256;

pub(crate) fn decode(frame: &[u8], commands_max: usize) -> Result<Vec<Command>, DecodeError> {
    let mut commands = Vec::with_capacity(1);
    envelope::each(frame, |text| {
        if commands.len() >= commands_max {
            return Err(DecodeError::TooMany);
        }
        let (command, rest) = envelope::object::<RawCommand>(text)?;
        commands.push(command.judge()?);
        Ok(rest)
    })?;
    Ok(commands)
}

pub(crate) fn decode_server(frame: &[u8]) -> Result<Vec<client::ServerMessage>, DecodeError> {
    let mut messages = Vec::with_capacity(1);
    envelope::each(frame, |text| {
        let (message, rest) = envelope::object::<RawReply>(text)?;
        messages.push(message.judge()?);
        Ok(rest)
    })?;
    Ok(messages)
}

/// A JSON string of what is sent instead of a payload, if JSON can carry the payload too.
pub(crate) fn in_text(sent: &[u8], payload: &[u8]) -> Result<Bytes, Uncarried> {
    let text = std::str::from_utf8(sent).map_err(|_| Uncarried)?;
    embed(payload).ok_or(Uncarried)?;
    serde_json::to_vec(text).map(Bytes::from).map_err(|_| Uncarried)
}

pub(crate) fn encode_command(command: &Command) -> Result<Bytes, Uncarried> {
    let mut out = Draft::with_capacity(MESSAGE_BYTES);
    envelope::write_command(command, &mut out);
    out.finish()
}

pub(crate) fn encode_reply(reply: &Reply) -> Result<Bytes, Uncarried> {
    let mut out = Draft::with_capacity(MESSAGE_BYTES);
    envelope::write_reply(reply, &mut out);
    out.finish()
}

pub(crate) fn encode_push(push: &Push) -> Result<Bytes, Uncarried> {
    let mut out = Draft::with_capacity(MESSAGE_BYTES + push.payload_bytes());
    envelope::write_push(push, &mut out);
    out.finish()
}
