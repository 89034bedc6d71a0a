//! `rpc`: named calls. There is one, `room.send`: a publish that carries its message id and tags
//! and is answered with the message's place.
use std::rc::Rc;

use bytes::Bytes;
use domain::{MessageId, RoomName, Tags};
use rpc::rooms::Published;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use wire::{ErrorCode, ReplyBody, RpcRequest, RpcResult};

use super::Flow;
use super::publish::{publish, refuse};
use crate::connection::{Connection, Identity};
use crate::translate::json_bytes;

const ROOM_SEND: &str = "room.send";

/// The argument of `room.send`.
#[derive(Debug, Deserialize)]
struct RoomSend<'a> {
    /// The room.
    room: String,
    /// The author's idempotency key.
    id: Option<String>,
    /// What the author says of it beside the payload.
    #[serde(default)]
    tags: Tags,
    /// The payload, as it stands.
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The room that a call concerns, for its place in order; empty for none.
pub fn room_of(request: &RpcRequest) -> String {
    #[derive(Deserialize)]
    struct Room {
        room: String,
    }
    if request.method != ROOM_SEND {
        return String::new();
    }
    serde_json::from_slice::<Room>(&request.data).map(|call| call.room).unwrap_or_default()
}

/// Answers the command.
pub async fn run(
    connection: &Rc<Connection>,
    identity: &Identity,
    id: u32,
    request: RpcRequest,
) -> Flow {
    if request.method != ROOM_SEND {
        connection.refuse(id, ErrorCode::MethodNotFound.body());
        return Flow::On;
    }
    let Some((room, message_id, tags, data)) = argument(&request.data) else {
        connection.refuse(id, ErrorCode::BadRequest.body());
        return Flow::On;
    };
    // Made here if the author has none: once for the command, so that retries of the call are safe.
    let message_id = message_id.unwrap_or_else(MessageId::random);
    match publish(connection, identity, room, Some(message_id.clone()), tags, data).await {
        Ok(Published { position, duplicate }) => {
            let data = json_bytes(&json!({
                "offset": position.offset,
                "epoch": position.epoch.as_str(),
                "id": message_id.as_str(),
                "duplicate": duplicate,
            }));
            connection.reply(id, ReplyBody::Rpc(RpcResult { data }));
            Flow::On
        }
        Err(error) => refuse(connection, id, &error),
    }
}

fn argument(data: &Bytes) -> Option<(RoomName, Option<MessageId>, Tags, Bytes)> {
    let call: RoomSend<'_> = serde_json::from_slice(data).ok()?;
    let room = RoomName::parse(&call.room).ok()?;
    let id = call.id.map(|id| MessageId::parse(&id)).transpose().ok()?;
    Some((room, id, call.tags, data.slice_ref(call.data.get().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_taken_as_it_stands() {
        let call = Bytes::from_static(br#"{"room":"general","id":"12345678","data":{"a": 1.0}}"#);
        let (room, id, tags, data) = argument(&call).unwrap();
        assert_eq!((room.as_str(), id.unwrap().as_str()), ("general", "12345678"));
        assert_eq!(&data[..], br#"{"a": 1.0}"#);
        assert!(tags.is_empty());
        let tagged = br#"{"room":"general","tags":{"lang":"de"},"data":1}"#;
        let (.., tags, _) = argument(&Bytes::from_static(tagged)).unwrap();
        assert_eq!(tags.get("lang"), Some("de"));
    }

    #[test]
    fn a_bad_argument_is_refused() {
        for bad in [
            "",
            "{}",
            r#"{"room":"a"}"#,
            r#"{"room":"a.b","data":1}"#,
            r#"{"room":"a","id":"x","data":1}"#,
            r#"{"room":"a","tags":{"gateway":"g"},"data":1}"#,
            r#"{"room":"a","tags":{"n":1},"data":1}"#,
        ] {
            assert!(argument(&Bytes::copy_from_slice(bad.as_bytes())).is_none(), "{bad}");
        }
        assert!(argument(&Bytes::from_static(br#"{"room":"a","data":null}"#)).is_some());
    }
}
