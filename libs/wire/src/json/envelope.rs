//! Envelopes: frames into objects, objects into commands, replies and pushes, and back.
//!
//! Holds the rules that stand above single fields: one newline between objects, who may have
//! id 0, which of several requests counts, and that a success always has a result.
use serde_json::Deserializer;

use super::schema::{About, Channel, Data, Ended, Nothing, RawCommand, RawPush, RawReply};
use super::value::{Read, Value, write_key};
use crate::client::ServerMessage;
use crate::{Command, DecodeError, Push, PushBody, Reply, ReplyBody, Request};

/// Goes through the objects of a frame. `take` reads one from the start of the text and gives the
/// rest back.
pub(super) fn each<'a>(
    frame: &'a [u8],
    mut take: impl FnMut(&'a str) -> Result<&'a str, DecodeError>,
) -> Result<(), DecodeError> {
    let mut text = std::str::from_utf8(frame).map_err(|_| DecodeError::Malformed)?;
    if matches!(text, "" | "\n") {
        return Err(DecodeError::Empty);
    }
    loop {
        let rest = take(text)?;
        match rest.strip_prefix('\n') {
            // The last one, with or without the newline that may end a frame.
            None if rest.is_empty() => return Ok(()),
            Some("") => return Ok(()),
            Some(next) => text = next,
            None => return Err(DecodeError::Malformed),
        }
    }
}

/// Reads one object from the start of `text`.
fn object<T: Value>(text: &str) -> Result<(T, &str), DecodeError> {
    // The parser would skip blanks and blank lines; numbers and arrays would fail later.
    if !text.starts_with('{') {
        return Err(DecodeError::Malformed);
    }
    let mut objects = Deserializer::from_str(text).into_iter::<Read<T>>();
    match objects.next() {
        Some(Ok(Read(value))) => Ok((value, text.get(objects.byte_offset()..).unwrap_or(""))),
        Some(Err(_)) | None => Err(DecodeError::Malformed),
    }
}

/// Reads one command.
pub(super) fn command(text: &str) -> Result<(Command, &str), DecodeError> {
    let (raw, rest) = object::<RawCommand>(text)?;
    let id = raw.id;
    let request = first_request(raw);
    let legal = match &request {
        None => id == 0,
        Some(Request::Send(_)) => true,
        Some(_) => id > 0,
    };
    if legal { Ok((Command { id, request }, rest)) } else { Err(DecodeError::Malformed) }
}

/// The first request that is set, in the order of the schema's field numbers.
fn first_request(raw: RawCommand) -> Option<Request> {
    raw.connect
        .map(Request::Connect)
        .or(raw.subscribe.map(Request::Subscribe))
        .or(raw.unsubscribe.map(|of| Request::Unsubscribe(of.channel)))
        .or(raw.publish.map(Request::Publish))
        .or(raw.presence.map(|of| Request::Presence(of.channel)))
        .or(raw.presence_stats.map(|of| Request::PresenceStats(of.channel)))
        .or(raw.history.map(Request::History))
        .or(raw.ping.map(|Nothing| Request::Ping))
        .or(raw.send.map(Request::Send))
        .or(raw.rpc.map(Request::Rpc))
        .or(raw.refresh.map(Request::Refresh))
        .or(raw.sub_refresh.map(Request::SubRefresh))
}

/// Reads one message of the server's.
pub(super) fn server_message(text: &str) -> Result<(ServerMessage, &str), DecodeError> {
    let (raw, rest) = object::<RawReply>(text)?;
    let message = match raw {
        RawReply { id: 0, push: Some(push), error: None, .. } => {
            ServerMessage::Push(push_of(push)?)
        }
        RawReply { push: Some(_), .. } => return Err(DecodeError::Malformed),
        raw => match (raw.id, reply_body(raw)) {
            (0, None) => ServerMessage::Ping,
            (id, Some(body)) if id > 0 => ServerMessage::Reply(Reply { id, body }),
            _ => return Err(DecodeError::Malformed),
        },
    };
    Ok((message, rest))
}

fn reply_body(raw: RawReply) -> Option<ReplyBody> {
    raw.error
        .map(ReplyBody::Error)
        .or(raw.connect.map(|result| ReplyBody::Connect(Box::new(result))))
        .or(raw.subscribe.map(ReplyBody::Subscribe))
        .or(raw.unsubscribe.map(|Nothing| ReplyBody::Unsubscribe))
        .or(raw.publish.map(|Nothing| ReplyBody::Publish))
        .or(raw.presence.map(ReplyBody::Presence))
        .or(raw.presence_stats.map(ReplyBody::PresenceStats))
        .or(raw.history.map(ReplyBody::History))
        .or(raw.rpc.map(ReplyBody::Rpc))
        .or(raw.refresh.map(ReplyBody::Refresh))
        .or(raw.sub_refresh.map(ReplyBody::SubRefresh))
}

fn push_of(raw: RawPush) -> Result<Push, DecodeError> {
    let body = raw
        .publication
        .map(PushBody::Pub)
        .or(raw.join.map(|about| PushBody::Join(about.info)))
        .or(raw.leave.map(|about| PushBody::Leave(about.info)))
        .or(raw.unsubscribe.map(|Ended { code, reason }| PushBody::Unsubscribe { code, reason }))
        .or(raw.message.map(|message| PushBody::Message(message.data)))
        .ok_or(DecodeError::Malformed)?;
    Ok(Push { channel: raw.channel, body })
}

/// Appends `"name":value`.
fn field(name: &str, value: &impl Value, out: &mut Vec<u8>) {
    write_key(name, out);
    value.write(out);
}

pub(super) fn write_command(command: &Command, out: &mut Vec<u8>) {
    let channel = |channel: &String| Channel { channel: channel.clone() };
    out.push(b'{');
    if command.id > 0 {
        field("id", &command.id, out);
    }
    match &command.request {
        None => {}
        Some(Request::Connect(request)) => field("connect", request, out),
        Some(Request::Subscribe(request)) => field("subscribe", request, out),
        Some(Request::Unsubscribe(of)) => field("unsubscribe", &channel(of), out),
        Some(Request::Publish(request)) => field("publish", request, out),
        Some(Request::Presence(of)) => field("presence", &channel(of), out),
        Some(Request::PresenceStats(of)) => field("presence_stats", &channel(of), out),
        Some(Request::History(request)) => field("history", request, out),
        Some(Request::Ping) => field("ping", &Nothing, out),
        Some(Request::Send(request)) => field("send", request, out),
        Some(Request::Rpc(request)) => field("rpc", request, out),
        Some(Request::Refresh(request)) => field("refresh", request, out),
        Some(Request::SubRefresh(request)) => field("sub_refresh", request, out),
    }
    out.push(b'}');
}

pub(super) fn write_reply(reply: &Reply, out: &mut Vec<u8>) {
    out.push(b'{');
    field("id", &reply.id, out);
    match &reply.body {
        ReplyBody::Error(error) => field("error", error, out),
        ReplyBody::Connect(result) => field("connect", result.as_ref(), out),
        ReplyBody::Subscribe(result) => field("subscribe", result, out),
        ReplyBody::Unsubscribe => field("unsubscribe", &Nothing, out),
        ReplyBody::Publish => field("publish", &Nothing, out),
        ReplyBody::Presence(result) => field("presence", result, out),
        ReplyBody::PresenceStats(result) => field("presence_stats", result, out),
        ReplyBody::History(result) => field("history", result, out),
        ReplyBody::Rpc(result) => field("rpc", result, out),
        ReplyBody::Refresh(result) => field("refresh", result, out),
        ReplyBody::SubRefresh(result) => field("sub_refresh", result, out),
    }
    out.push(b'}');
}

pub(super) fn write_push(push: &Push, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"push\":{");
    if !push.channel.is_empty() {
        field("channel", &push.channel, out);
    }
    match &push.body {
        PushBody::Pub(publication) => field("pub", publication, out),
        PushBody::Join(info) => field("join", &About { info: info.clone() }, out),
        PushBody::Leave(info) => field("leave", &About { info: info.clone() }, out),
        PushBody::Unsubscribe { code, reason } => {
            field("unsubscribe", &Ended { code: *code, reason: reason.clone() }, out);
        }
        PushBody::Message(data) => field("message", &Data { data: data.clone() }, out),
    }
    out.extend_from_slice(b"}}");
}
