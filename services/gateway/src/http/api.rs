//! `/api/v1`: rooms for scripts and back ends, with the same rights as over a socket.
//!
//! One file a subject. Paths, bodies and answers are described for `/openapi.json` where they are
//! handled.
pub mod me;
pub mod messages;
pub mod moderation;
pub mod presence;

use actix_web::web::{self, ServiceConfig};
use domain::{PrincipalId, RoomName, Sender, Who};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiError;

/// Longest text that is shown to a client, in bytes: what a close frame holds with a margin.
const REASON_BYTES_MAX: usize = 120;

/// Somebody, as others see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    /// Who vouches for the subject.
    issuer: String,
    /// The principal within the issuer.
    subject: String,
    /// The name shown.
    name: String,
    /// The connection; absent for what came over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
}

/// Nothing to tell: it is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {}

pub(super) fn routes(services: &mut ServiceConfig) {
    services.service(
        web::scope("/api/v1")
            .configure(me::routes)
            .configure(messages::routes)
            .configure(presence::routes)
            .configure(moderation::routes)
            .default_service(web::to(no_path)),
    );
}

async fn no_path() -> Result<&'static str, ApiError> {
    Err(ApiError::not_found())
}

/// The room that a path names.
fn room_of(name: &str) -> Result<RoomName, ApiError> {
    RoomName::parse(name).map_err(|error| ApiError::invalid(format!("room: {error}")))
}

/// A room that the path names and that clients may use.
fn open_room_of(name: &str) -> Result<RoomName, ApiError> {
    let room = room_of(name)?;
    if room.is_reserved() { Err(domain::Error::denied().into()) } else { Ok(room) }
}

/// A text that is shown to a client.
fn reason_of(text: Option<String>) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    if text.len() <= REASON_BYTES_MAX {
        Ok(text)
    } else {
        Err(ApiError::invalid(format!("reason: at most {REASON_BYTES_MAX} bytes")))
    }
}

fn person(id: &PrincipalId, name: String, connection: Option<String>) -> Person {
    let (issuer, subject) = (id.issuer.as_ref().to_owned(), id.subject.as_ref().to_owned());
    Person { issuer, subject, name, connection }
}

impl From<Sender> for Person {
    fn from(sender: Sender) -> Self {
        person(&sender.id, sender.name, sender.connection.map(|id| id.to_string()))
    }
}

impl From<Who> for Person {
    fn from(who: Who) -> Self {
        person(&who.id, who.name, Some(who.connection.to_string()))
    }
}
