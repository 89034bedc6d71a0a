//! Who is in a room, for those who may join it.
use actix_web::web::{self, ServiceConfig};
use domain::{Error, ErrorReason, Principal, RoomName};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Person, open_room_of};
use crate::http::auth::Caller;
use crate::http::{ApiError, ErrorAnswer, HttpState, resource};

/// Entries of one answer.
const ENTRIES_MAX: u32 = 1_000;

/// Who is in a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceAnswer {
    /// Live connections, at most 1,000.
    entries: Vec<PresenceItem>,
}

/// One live connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceItem {
    #[serde(flatten)]
    who: Person,
    /// The gateway that holds it.
    gateway: String,
}

/// How many are in a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceCount {
    /// Live connections.
    connections: u64,
    /// Distinct principals among them.
    principals: u64,
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services
        .service(resource("/rooms/{room}/presence", web::get().to(presence)))
        .service(resource("/rooms/{room}/presence/stats", web::get().to(counts)));
}

/// Who is in a room.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/presence", tag = "rooms",
    params(("room" = String, Path, description = "The room's name")),
    responses(
        (status = 200, description = "Who is there", body = PresenceAnswer),
        (status = 403, description = "Not allowed, or no such room", body = ErrorAnswer),
        (status = 422, description = "Rooms of this kind keep no presence", body = ErrorAnswer),
        (status = 503, description = "Presence cannot be asked; try again", body = ErrorAnswer)))]
pub async fn presence(
    caller: Caller,
    room: web::Path<String>,
    http: web::Data<HttpState>,
) -> Result<web::Json<PresenceAnswer>, ApiError> {
    let room = open_room_of(&room)?;
    may_look(&http, caller.principal(), &room).await?;
    let entries = http.peers.present(room, ENTRIES_MAX).await?;
    let entries = entries
        .into_iter()
        .map(|entry| PresenceItem { who: entry.who.into(), gateway: entry.gateway.into() })
        .collect();
    Ok(web::Json(PresenceAnswer { entries }))
}

/// How many are in a room.
#[utoipa::path(get, path = "/api/v1/rooms/{room}/presence/stats", tag = "rooms",
    params(("room" = String, Path, description = "The room's name")),
    responses(
        (status = 200, description = "The figures", body = PresenceCount),
        (status = 403, description = "Not allowed, or no such room", body = ErrorAnswer),
        (status = 422, description = "Rooms of this kind keep no presence", body = ErrorAnswer),
        (status = 503, description = "Presence cannot be asked; try again", body = ErrorAnswer)))]
pub async fn counts(
    caller: Caller,
    room: web::Path<String>,
    http: web::Data<HttpState>,
) -> Result<web::Json<PresenceCount>, ApiError> {
    let room = open_room_of(&room)?;
    may_look(&http, caller.principal(), &room).await?;
    let counts = http.peers.counts(room).await?;
    Ok(web::Json(PresenceCount { connections: counts.connections, principals: counts.principals }))
}

/// Who may join a room may see who is in it: rooms decides, as for a subscribe.
async fn may_look(
    http: &HttpState,
    principal: &Principal,
    room: &RoomName,
) -> Result<(), ApiError> {
    let joined = http.peers.join(principal.clone(), room.clone()).await?;
    if joined.settings.presence {
        Ok(())
    } else {
        Err(Error::new(ErrorReason::NotOffered, "rooms of this kind keep no presence").into())
    }
}
