//! `publish`: write into a room. Answered after the commit, never before.
//!
//! The message id is the author's where the room's kind has the chat envelope, else it is made
//! here, once for the command: the calls' own retries are safe either way.
use std::rc::Rc;

use bytes::Bytes;
use domain::{Envelope, Error, ErrorReason, MESSAGE_BYTES_MAX, MessageId, Result, RoomName, Tags};
use rpc::rooms::{Publish, Published};
use serde::Deserialize;
use tracing::Instrument;
use wire::{CloseCode, ErrorCode, Format, PublishRequest, ReplyBody};

use super::{Flow, room_or_refuse, settings_of};
use crate::connection::{Connection, Identity};

/// Answers the command.
pub async fn run(
    connection: &Rc<Connection>,
    identity: &Identity,
    id: u32,
    request: PublishRequest,
) -> Flow {
    if request.channel.is_empty() {
        connection.close(CloseCode::BadRequest, "empty channel");
        return Flow::On;
    }
    if request.data.is_empty() {
        connection.refuse(id, ErrorCode::BadRequest.body());
        return Flow::On;
    }
    let Some(room) = room_or_refuse(connection, id, &request.channel) else { return Flow::On };
    match publish(connection, identity, room, None, Tags::default(), request.data).await {
        Ok(_) => {
            connection.reply(id, ReplyBody::Publish);
            Flow::On
        }
        Err(error) => refuse(connection, id, &error),
    }
}

/// Answers with a failure; one without a clear outcome stops the publishes behind it.
pub fn refuse(connection: &Connection, id: u32, error: &Error) -> Flow {
    let body = wire::error_of(error);
    connection.refuse(id, body.clone());
    if error.transient() { Flow::Broken(body) } else { Flow::On }
}

/// Publishes for a connection. `given` is the author's id, if the command carried one.
pub async fn publish(
    connection: &Connection,
    identity: &Identity,
    room: RoomName,
    given: Option<MessageId>,
    tags: Tags,
    data: Bytes,
) -> Result<Published> {
    if room.is_reserved() {
        return Err(Error::denied());
    }
    if data.len() > MESSAGE_BYTES_MAX {
        return Err(Error::new(ErrorReason::LimitExceeded, "the message is too large"));
    }
    let gateway = connection.gateway();
    let (user, address) = (&identity.principal.id, connection.address());
    gateway.hub().counted().publishing.take(user, address, &room, data.len())?;
    let span = tracing::info_span!("publish", room = %room, gateway = %gateway.id());
    async {
        check_shape(connection, identity, &room, &data).await?;
        let message_id = match given {
            Some(id) => id,
            None => message_id(connection, identity, &room, &data).await?,
        };
        let request = Publish {
            principal: connection.acting(identity, &room),
            sender: Some(connection.sender(identity, &room)),
            room,
            message_id,
            gateway: Some(gateway.id().clone()),
            tags,
            data,
        };
        gateway.peers().publish(request).await
    }
    .instrument(span)
    .await
}

/// Refuses what is no JSON where the room's kind has the chat envelope: one such message, kept in
/// the log, would close every JSON connection that comes to read it.
async fn check_shape(
    connection: &Connection,
    identity: &Identity,
    room: &RoomName,
    data: &[u8],
) -> Result<()> {
    // What came in JSON is JSON.
    if connection.carrier().format() == Format::Json || Format::Json.payload(data).is_some() {
        return Ok(());
    }
    match settings_of(connection, &identity.principal, room).await? {
        Some(settings) if settings.envelope == Envelope::Chat => {
            Err(Error::invalid("the message must be a JSON value"))
        }
        // Whether one who may not know of the room may publish into it is for rooms to say.
        _ => Ok(()),
    }
}

async fn message_id(
    connection: &Connection,
    identity: &Identity,
    room: &RoomName,
    data: &[u8],
) -> Result<MessageId> {
    // Only a payload that could carry an id is worth the question.
    let Some(id) = enveloped_id(data) else { return Ok(MessageId::random()) };
    let settings = settings_of(connection, &identity.principal, room).await?;
    let chat = settings.is_some_and(|settings| settings.envelope == Envelope::Chat);
    Ok(if chat { id } else { MessageId::random() })
}

/// `data.id`, if it is a message id.
fn enveloped_id(data: &[u8]) -> Option<MessageId> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        id: std::borrow::Cow<'a, str>,
    }
    let envelope: Envelope<'_> = serde_json::from_slice(data).ok()?;
    MessageId::parse(&envelope.id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelopes_id_is_taken_if_it_is_one() {
        let id = |data: &str| enveloped_id(data.as_bytes()).map(|id| id.as_str().to_owned());
        assert_eq!(id(r#"{"id":"12345678","text":"x"}"#).as_deref(), Some("12345678"));
        assert_eq!(id(r#"{"id":"\u0031\u0032345678"}"#).as_deref(), Some("12345678"));
        for bad in ["{}", "[]", "1", "\"12345678\"", r#"{"id":7}"#, r#"{"id":"short"}"#, "{"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
