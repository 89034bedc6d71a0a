//! A room's messages: publish one, read pages of them.
//!
//! A publish is answered after it is committed. With an `id` it may be sent again, to any gateway:
//! one message, the same offset in the answer.
use actix_web::HttpRequest;
use actix_web::web::{self, ServiceConfig};
use bytes::Bytes;
use domain::{
    Body, Epoch, Error, ErrorReason, Event, Item, MESSAGE_BYTES_MAX, MessageId, Position, Sender,
    Tags,
};
use rpc::rooms::{History, Publish};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::Instrument;
use utoipa::ToSchema;
use wire::Format;

use super::{Person, open_room_of, person};
use crate::http::auth::Caller;
use crate::http::{ApiError, ErrorAnswer, HttpState, body};

/// Items of a page if the caller names no limit.
const PAGE_ITEMS: u32 = 100;
/// Most items of a page; the room's kind may allow fewer.
const PAGE_ITEMS_MAX: u32 = 1_000;

/// A message to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Makes it safe to send again: 8 to 64 characters of A-Z a-z 0-9 . _ : -
    #[schema(example = "order-4711-shipped")]
    id: Option<String>,
    /// What is said of it beside the payload: at most 16, keys of 1 to 64 bytes, values of at most
    /// 256. `gateway` is taken. A repetition must have the same.
    #[serde(default)]
    #[schema(value_type = HashMap<String, String>, example = json!({"lang": "en"}))]
    tags: Tags,
    /// The payload, any JSON value of at most 64 KiB.
    #[schema(value_type = serde_json::Value, example = json!({"text": "hello"}))]
    data: Box<RawValue>,
}

/// A message that was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedMessage {
    /// The life of the room's log; empty in rooms without one.
    epoch: String,
    /// The message's place in it; 0 in rooms without one.
    offset: u64,
    /// Its id, as given or as made.
    id: String,
    /// Whether an earlier call had published it already.
    duplicate: bool,
}

/// Which part of a room's log to read; told in words where the path is described.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    since_epoch: Option<String>,
    since_offset: Option<u64>,
    limit: Option<u32>,
    reverse: Option<bool>,
}

/// A page of a room's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The life of the log.
    epoch: String,
    /// The highest offset in it.
    offset: u64,
    /// In the order asked for.
    items: Vec<HistoryItem>,
}

/// One item of a log.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryItem {
    /// Its place.
    offset: u64,
    /// Its id.
    id: String,
    /// When it was committed, Unix milliseconds.
    time_ms: i64,
    #[serde(flatten)]
    body: HistoryBody,
}

/// What an item says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HistoryBody {
    /// Somebody's message.
    Message {
        /// Who wrote it; `null` if a back end did without a sender.
        sender: Option<Person>,
        /// The gateway that took it.
        gateway: Option<String>,
        /// Its tags; empty for none.
        #[schema(value_type = HashMap<String, String>)]
        tags: Tags,
        /// The payload; `null` if it is no JSON.
        #[schema(value_type = serde_json::Value)]
        data: Box<RawValue>,
    },
    /// Somebody was kicked.
    Kick {
        /// Who.
        target: Person,
        /// Why; may be empty.
        reason: String,
    },
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services
        .service(crate::http::resource("/rooms/{room}/messages", web::post().to(publish)))
        .service(crate::http::resource("/rooms/{room}/history", web::get().to(history)));
}

/// Publishes a message. Answered after it is committed.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/messages", tag = "rooms",
    params(("room" = String, Path, description = "The room's name")),
    request_body = NewMessage,
    responses(
        (status = 200, description = "It is published", body = PublishedMessage),
        (status = 400, description = "Malformed", body = ErrorAnswer),
        (status = 403, description = "Not allowed, or no such room", body = ErrorAnswer),
        (status = 409, description = "The id was used for another payload", body = ErrorAnswer),
        (status = 413, description = "Too large", body = ErrorAnswer),
        (status = 503, description = "Try again", body = ErrorAnswer)))]
pub async fn publish(
    caller: Caller,
    room: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<web::Json<PublishedMessage>, ApiError> {
    let room = open_room_of(&room)?;
    let new: NewMessage = body::read(payload, &http.limits).await?;
    let data = Format::Json.payload(new.data.get().as_bytes());
    let data = data.ok_or_else(|| ApiError::invalid("data: nests too deep"))?;
    if data.len() > MESSAGE_BYTES_MAX {
        let message = format!("data: at most {MESSAGE_BYTES_MAX} bytes");
        return Err(Error::new(ErrorReason::LimitExceeded, message).into());
    }
    let message_id = match new.id {
        Some(text) => {
            MessageId::parse(&text).map_err(|error| ApiError::invalid(format!("id: {error}")))?
        }
        None => MessageId::random(),
    };
    let principal = caller.0.principal;
    let address = http.caller(request.peer_addr(), request.headers());
    http.counted.publishing.take(&principal.id, address, &room, data.len())?;
    let sender = Sender {
        id: principal.id.clone(),
        name: principal.name.clone(),
        info: principal.info.clone(),
        room_info: Bytes::new(),
        connection: None,
    };
    let span = tracing::info_span!("publish", room = %room, gateway = %http.gateway);
    let request = Publish {
        room,
        principal,
        sender: Some(sender),
        message_id: message_id.clone(),
        gateway: Some(http.gateway.clone()),
        tags: new.tags,
        data,
    };
    let published = http.peers.publish(request).instrument(span).await?;
    Ok(web::Json(PublishedMessage {
        epoch: published.position.epoch.as_str().to_owned(),
        offset: published.position.offset,
        id: message_id.as_str().to_owned(),
        duplicate: published.duplicate,
    }))
}

/// Reads a page of a room's log.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/history", tag = "rooms",
    params(
        ("room" = String, Path, description = "The room's name"),
        ("since_epoch" = Option<String>, Query, description = "The position's epoch"),
        ("since_offset" = Option<u64>, Query, description = "Read on after this offset; without a \
            position from the oldest item kept, or from the newest if reversed"),
        ("limit" = Option<u32>, Query, description = "At most so many, 100 if absent; 0 asks for the \
            head alone"),
        ("reverse" = Option<bool>, Query, description = "Newest first")),
    responses(
        (status = 200, description = "The page", body = HistoryAnswer),
        (status = 400, description = "Malformed", body = ErrorAnswer),
        (status = 403, description = "Not allowed, or no such room", body = ErrorAnswer),
        (status = 410, description = "Another epoch, or no longer kept", body = ErrorAnswer),
        (status = 422, description = "Rooms of this kind keep no log", body = ErrorAnswer),
        (status = 503, description = "Try again", body = ErrorAnswer)))]
pub async fn history(
    caller: Caller,
    room: web::Path<String>,
    query: web::Query<HistoryQuery>,
    http: web::Data<HttpState>,
) -> Result<web::Json<HistoryAnswer>, ApiError> {
    let room = open_room_of(&room)?;
    let query = query.into_inner();
    let since = (query.since_epoch.is_some() || query.since_offset.is_some()).then(|| Position {
        epoch: Epoch::new(query.since_epoch.unwrap_or_default()),
        offset: query.since_offset.unwrap_or_default(),
    });
    let request = History {
        principal: caller.0.principal,
        room,
        since,
        limit: query.limit.unwrap_or(PAGE_ITEMS).min(PAGE_ITEMS_MAX),
        reverse: query.reverse.unwrap_or_default(),
    };
    let page = http.peers.history(request).await?;
    Ok(web::Json(HistoryAnswer {
        epoch: page.head.epoch.as_str().to_owned(),
        offset: page.head.offset,
        items: page.items.into_iter().map(HistoryItem::from).collect(),
    }))
}

impl From<Item> for HistoryItem {
    fn from(item: Item) -> Self {
        let body = match item.body {
            Body::Message { sender, gateway, tags, data } => HistoryBody::Message {
                sender: sender.map(Person::from),
                gateway: gateway.map(String::from),
                tags,
                data: json_of(&data),
            },
            // Who did it stays in the audit.
            Body::Event(Event::Kick { target, by: _, reason }) => {
                HistoryBody::Kick { target: person(&target, String::new(), None), reason }
            }
        };
        Self { offset: item.offset, id: item.message_id.into(), time_ms: item.time_ms, body }
    }
}

/// A stored payload as JSON; `null` for one that a back end stored in another form.
fn json_of(data: &Bytes) -> Box<RawValue> {
    serde_json::from_slice(data).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
