//! Frames into objects; commands, replies and pushes into objects.
//!
//! Holds JSON's own rule of framing, one newline between objects, and writes a message around its
//! one body. What an object means once it is read stands in the crate's `envelope`.
use serde_json::Deserializer;

use super::value::{Draft, Read, Value};
use crate::envelope::{About, Channel, Data, Ended, Nothing};
use crate::{ClientInfo, Command, DecodeError, Push, PushBody, Reply, ReplyBody, Request};

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
pub(super) fn object<T: Value>(text: &str) -> Result<(T, &str), DecodeError> {
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

/// Appends `"name":value`.
fn field(name: &str, value: &impl Value, out: &mut Draft) {
    out.put_key(name);
    value.write(out);
}

pub(super) fn write_command(command: &Command, out: &mut Draft) {
    let channel = |channel: &String| Channel { channel: channel.clone() };
    out.put(b"{");
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
        Some(Request::Ping) => field("ping", &Nothing {}, out),
        Some(Request::Send(request)) => field("send", request, out),
        Some(Request::Rpc(request)) => field("rpc", request, out),
        Some(Request::Refresh(request)) => field("refresh", request, out),
        Some(Request::SubRefresh(request)) => field("sub_refresh", request, out),
    }
    out.put(b"}");
}

pub(super) fn write_reply(reply: &Reply, out: &mut Draft) {
    out.put(b"{");
    field("id", &reply.id, out);
    match &reply.body {
        ReplyBody::Error(error) => field("error", error, out),
        ReplyBody::Connect(result) => field("connect", result.as_ref(), out),
        ReplyBody::Subscribe(result) => field("subscribe", result, out),
        ReplyBody::Unsubscribe => field("unsubscribe", &Nothing {}, out),
        ReplyBody::Publish => field("publish", &Nothing {}, out),
        ReplyBody::Presence(result) => field("presence", result, out),
        ReplyBody::PresenceStats(result) => field("presence_stats", result, out),
        ReplyBody::History(result) => field("history", result, out),
        ReplyBody::Rpc(result) => field("rpc", result, out),
        ReplyBody::Refresh(result) => field("refresh", result, out),
        ReplyBody::SubRefresh(result) => field("sub_refresh", result, out),
    }
    out.put(b"}");
}

pub(super) fn write_push(push: &Push, out: &mut Draft) {
    out.put(b"{\"push\":{");
    if push.id != 0 {
        field("id", &push.id, out);
    }
    if !push.channel.is_empty() {
        field("channel", &push.channel, out);
    }
    let about = |info: &ClientInfo| About { info: Some(info.clone()) };
    match &push.body {
        PushBody::Pub(publication) => field("pub", publication, out),
        PushBody::Join(info) => field("join", &about(info), out),
        PushBody::Leave(info) => field("leave", &about(info), out),
        PushBody::Unsubscribe { code, reason } => {
            field("unsubscribe", &Ended { code: *code, reason: reason.clone() }, out);
        }
        PushBody::Message(data) => field("message", &Data { data: data.clone() }, out),
        PushBody::Subscribe(subscribed) => field("subscribe", subscribed, out),
        PushBody::Disconnect(disconnected) => field("disconnect", disconnected, out),
        PushBody::Refresh(refreshed) => field("refresh", refreshed, out),
    }
    out.put(b"}}");
}
