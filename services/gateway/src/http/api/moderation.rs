//! For administrators: close a principal's connections, subscribe them to a room, end that.
//!
//! Whether the caller may is decided, and written down, by rooms.
use actix_web::web::{self, ServiceConfig};
use bytes::Bytes;
use domain::{Principal, PrincipalId};
use rpc::rooms::{Disconnect, Subscribe, Unsubscribe};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::Format;

use super::{Done, open_room_of, reason_of};
use crate::http::auth::Caller;
use crate::http::{ApiError, ErrorAnswer, HttpState, body, resource};

/// The issuer of principals that are API keys.
const KEY_ISSUER: &str = "api-key";

/// Whose connections are to be closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisconnectOrder {
    /// Who vouches for the subject; absent means the caller's own issuer. API keys must name it.
    issuer: Option<String>,
    /// The principal within the issuer.
    subject: String,
    /// Shown to the client, at most 120 bytes.
    reason: Option<String>,
    /// Whether the client may come back by itself; no if absent.
    reconnect: Option<bool>,
}

/// Whose subscriptions are to be ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeOrder {
    /// Who vouches for the subject; absent means the caller's own issuer. API keys must name it.
    issuer: Option<String>,
    /// The principal within the issuer.
    subject: String,
    /// Shown to the client, at most 120 bytes.
    reason: Option<String>,
}

/// Whose connections are to be subscribed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeOrder {
    /// Who vouches for the subject; absent means the caller's own issuer. API keys must name it.
    issuer: Option<String>,
    /// The principal within the issuer.
    subject: String,
    /// Told to the client, any JSON value of at most 4 KiB.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services
        .service(resource("/users/disconnect", web::post().to(disconnect)))
        .service(resource("/rooms/{room}/subscribe", web::post().to(subscribe)))
        .service(resource("/rooms/{room}/unsubscribe", web::post().to(unsubscribe)));
}

/// Closes every connection of a principal, on every gateway.
#[utoipa::path(post, path = "/api/v1/users/disconnect", tag = "moderation",
    request_body = DisconnectOrder,
    responses(
        (status = 200, description = "It is ordered", body = Done),
        (status = 400, description = "Malformed", body = ErrorAnswer),
        (status = 403, description = "For administrators", body = ErrorAnswer),
        (status = 503, description = "Try again", body = ErrorAnswer)))]
pub async fn disconnect(
    caller: Caller,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<web::Json<Done>, ApiError> {
    let order: DisconnectOrder = body::read(payload, &http.limits).await?;
    let by = caller.0.principal;
    let request = Disconnect {
        target: target_of(order.issuer, order.subject, &by)?,
        by,
        reason: reason_of(order.reason)?,
        reconnect: order.reconnect.unwrap_or_default(),
    };
    http.peers.disconnect(request).await?;
    Ok(web::Json(Done {}))
}

/// Ends every subscription of a principal to a room, without a trace in its log.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/unsubscribe", tag = "moderation",
    params(("room" = String, Path, description = "The room's name")),
    request_body = UnsubscribeOrder,
    responses(
        (status = 200, description = "It is ordered", body = Done),
        (status = 400, description = "Malformed", body = ErrorAnswer),
        (status = 403, description = "For administrators", body = ErrorAnswer),
        (status = 503, description = "Try again", body = ErrorAnswer)))]
pub async fn unsubscribe(
    caller: Caller,
    room: web::Path<String>,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<web::Json<Done>, ApiError> {
    let room = open_room_of(&room)?;
    let order: UnsubscribeOrder = body::read(payload, &http.limits).await?;
    let by = caller.0.principal;
    let target = target_of(order.issuer, order.subject, &by)?;
    let request = Unsubscribe { by, target, room, reason: reason_of(order.reason)? };
    http.peers.unsubscribe(request).await?;
    Ok(web::Json(Done {}))
}

/// Subscribes the connections that a principal has now to a room. One that comes later is not
/// subscribed by it.
#[utoipa::path(post, path = "/api/v1/rooms/{room}/subscribe", tag = "moderation",
    params(("room" = String, Path, description = "The room's name")),
    request_body = SubscribeOrder,
    responses(
        (status = 200, description = "It is ordered", body = Done),
        (status = 400, description = "Malformed", body = ErrorAnswer),
        (status = 403, description = "For administrators; or the principal is banned or no member",
            body = ErrorAnswer),
        (status = 404, description = "No such room", body = ErrorAnswer),
        (status = 413, description = "Too large", body = ErrorAnswer),
        (status = 503, description = "Try again", body = ErrorAnswer)))]
pub async fn subscribe(
    caller: Caller,
    room: web::Path<String>,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<web::Json<Done>, ApiError> {
    let room = open_room_of(&room)?;
    let order: SubscribeOrder = body::read(payload, &http.limits).await?;
    let by = caller.0.principal;
    let target = target_of(order.issuer, order.subject, &by)?;
    let data = match &order.data {
        Some(data) => Format::Json.payload(data.get().as_bytes()),
        None => Some(Bytes::new()),
    };
    let data = data.ok_or_else(|| ApiError::invalid("data: nests too deep"))?;
    http.peers.subscribe(Subscribe { by, target, room, data }).await?;
    Ok(web::Json(Done {}))
}

fn target_of(
    issuer: Option<String>,
    subject: String,
    by: &Principal,
) -> Result<PrincipalId, ApiError> {
    if subject.is_empty() {
        return Err(ApiError::invalid("subject: must not be empty"));
    }
    match issuer {
        Some(issuer) => Ok(PrincipalId::new(issuer, subject)),
        None if &*by.id.issuer == KEY_ISSUER => {
            Err(ApiError::invalid("issuer: an API key must name the subject's issuer"))
        }
        None => Ok(PrincipalId::new(by.id.issuer.clone(), subject)),
    }
}
