//! The Protobuf format: each message after its length as a varint; a frame is such messages, one
//! behind the other.
//!
//! The fields are numbered where the types are declared. Reading takes what Protobuf allows
//! (unknown fields, any order) within the bounds that JSON has too: a command is measured before
//! it is read, so nothing grows beyond a small multiple of the frame.
mod bounds;
mod varint;

use bytes::{BufMut, Bytes};
use prost::Message;

use crate::client::ServerMessage;
use crate::envelope::{About, Channel, Data, Ended, Nothing, RawCommand, RawReply};
use crate::{Command, ConnectResult, DecodeError, Push, PushBody, Reply, ReplyBody, Request};

pub(crate) use varint::length;

/// Room for a typical message, so that the buffer seldom grows.
const MESSAGE_BYTES: usize = 256;

/// Field numbers that are written by hand, because what they hold has no message of its own here.
const ID: u8 = 1;
const REPLY_PUSH: u8 = 4;
const PUSH_CHANNEL: u8 = 2;
const PRESENCE: u8 = 1;
const CONNECT_SUBS: u8 = 6;

pub(crate) fn decode(frame: &[u8], commands_max: usize) -> Result<Vec<Command>, DecodeError> {
    let mut commands = Vec::with_capacity(1);
    each(frame, |message| {
        if commands.len() >= commands_max {
            return Err(DecodeError::TooMany);
        }
        bounds::check(message)?;
        commands.push(read::<RawCommand>(message)?.judge()?);
        Ok(())
    })?;
    Ok(commands)
}

pub(crate) fn decode_server(frame: &[u8]) -> Result<Vec<ServerMessage>, DecodeError> {
    let mut messages = Vec::with_capacity(1);
    each(frame, |message| {
        messages.push(read::<RawReply>(message)?.judge()?);
        Ok(())
    })?;
    Ok(messages)
}

/// Goes through the messages of a frame.
fn each(
    mut frame: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if frame.is_empty() {
        return Err(DecodeError::Empty);
    }
    while !frame.is_empty() {
        take(varint::delimited(&mut frame)?)?;
    }
    Ok(())
}

fn read<M: Message + Default>(message: &[u8]) -> Result<M, DecodeError> {
    M::decode(message).map_err(|_| DecodeError::Malformed)
}

pub(crate) fn encode_command(command: &Command) -> Bytes {
    let channel = |channel: &String| Channel { channel: channel.clone() };
    let mut out = Vec::with_capacity(MESSAGE_BYTES);
    number(ID, u64::from(command.id), &mut out);
    match &command.request {
        None => {}
        Some(Request::Connect(request)) => nested(4, request, &mut out),
        Some(Request::Subscribe(request)) => nested(5, request, &mut out),
        Some(Request::Unsubscribe(of)) => nested(6, &channel(of), &mut out),
        Some(Request::Publish(request)) => nested(7, request, &mut out),
        Some(Request::Presence(of)) => nested(8, &channel(of), &mut out),
        Some(Request::PresenceStats(of)) => nested(9, &channel(of), &mut out),
        Some(Request::History(request)) => nested(10, request, &mut out),
        Some(Request::Ping) => nested(11, &Nothing {}, &mut out),
        Some(Request::Send(request)) => nested(12, request, &mut out),
        Some(Request::Rpc(request)) => nested(13, request, &mut out),
        Some(Request::Refresh(request)) => nested(14, request, &mut out),
        Some(Request::SubRefresh(request)) => nested(15, request, &mut out),
    }
    out.into()
}

pub(crate) fn encode_reply(reply: &Reply) -> Bytes {
    let mut out = Vec::with_capacity(MESSAGE_BYTES);
    number(ID, u64::from(reply.id), &mut out);
    match &reply.body {
        ReplyBody::Error(error) => nested(2, error, &mut out),
        ReplyBody::Connect(result) => part(5, &connected(result), &mut out),
        ReplyBody::Subscribe(result) => nested(6, result, &mut out),
        ReplyBody::Unsubscribe => nested(7, &Nothing {}, &mut out),
        ReplyBody::Publish => nested(8, &Nothing {}, &mut out),
        ReplyBody::Presence(result) => {
            let mut entries = Vec::with_capacity(MESSAGE_BYTES);
            map(PRESENCE, &result.presence, &mut entries);
            part(9, &entries, &mut out);
        }
        ReplyBody::PresenceStats(result) => nested(10, result, &mut out),
        ReplyBody::History(result) => nested(11, result, &mut out),
        ReplyBody::Rpc(result) => nested(13, result, &mut out),
        ReplyBody::Refresh(result) => nested(14, result, &mut out),
        ReplyBody::SubRefresh(result) => nested(15, result, &mut out),
    }
    out.into()
}

pub(crate) fn encode_push(push: &Push) -> Bytes {
    let mut body = Vec::with_capacity(MESSAGE_BYTES + push.payload_bytes());
    // A negative number takes ten bytes, as in any Protobuf.
    number(ID, push.id.cast_unsigned(), &mut body);
    if !push.channel.is_empty() {
        part(PUSH_CHANNEL, push.channel.as_bytes(), &mut body);
    }
    let about = |info: &crate::ClientInfo| About { info: Some(info.clone()) };
    match &push.body {
        PushBody::Pub(publication) => nested(4, publication, &mut body),
        PushBody::Join(info) => nested(5, &about(info), &mut body),
        PushBody::Leave(info) => nested(6, &about(info), &mut body),
        PushBody::Unsubscribe { code, reason } => {
            nested(7, &Ended { code: *code, reason: reason.clone() }, &mut body);
        }
        PushBody::Message(data) => nested(8, &Data { data: data.clone() }, &mut body),
        PushBody::Subscribe(subscribed) => nested(9, subscribed, &mut body),
        PushBody::Disconnect(disconnected) => nested(11, disconnected, &mut body),
        PushBody::Refresh(refreshed) => nested(12, refreshed, &mut body),
    }
    let mut out = Vec::with_capacity(body.len() + 8);
    part(REPLY_PUSH, &body, &mut out);
    out.into()
}

/// A connect result, its map written by [`map`] and in its place.
fn connected(result: &ConnectResult) -> Vec<u8> {
    let ConnectResult { client, version, expires, ttl, data, subs, .. } = result.clone();
    let before = ConnectResult { client, version, expires, ttl, data, ..ConnectResult::default() };
    let mut out = before.encode_to_vec();
    map(CONNECT_SUBS, &subs, &mut out);
    let ConnectResult { ping, pong, session, node, time, .. } = result.clone();
    let after = ConnectResult { ping, pong, session, node, time, ..ConnectResult::default() };
    out.extend(after.encode_to_vec());
    out
}

/// Appends a map with messages as values. Each entry has key and value even if they are empty:
/// the JavaScript SDK reads a missing value as `null` and fails on it.
fn map<'a, M: Message + 'a>(
    field: u8,
    entries: impl IntoIterator<Item = (&'a String, &'a M)>,
    out: &mut Vec<u8>,
) {
    let mut entry = Vec::with_capacity(MESSAGE_BYTES);
    for (key, value) in entries {
        entry.clear();
        part(1, key.as_bytes(), &mut entry);
        nested(2, value, &mut entry);
        part(field, &entry, out);
    }
}

/// Appends a message as a field, also an empty one.
fn nested(field: u8, message: &impl Message, out: &mut Vec<u8>) {
    out.put_u8(field << 3 | 2);
    out.extend_from_slice(&length(message.encoded_len()));
    // A Vec has room for whatever comes.
    let _ = message.encode(out);
}

/// Appends bytes as a field: text, or a message that is written already.
fn part(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.put_u8(field << 3 | 2);
    out.extend_from_slice(&length(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Appends a number as a field, unless it is 0.
fn number(field: u8, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        out.put_u8(field << 3);
        out.extend_from_slice(&varint::write(value));
    }
}
