//! `/openapi.json`: the HTTP side described, made from the handlers themselves.
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{api, auth, health, resource, stats};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "roomcast",
        description = "Rooms over HTTP: read, write and look. Live traffic comes over the \
                       WebSocket at /ws, which speaks the Centrifuge client protocol v2."
    ),
    paths(
        health::health,
        health::livez,
        health::readyz,
        stats::stats,
        api::me::me,
        api::messages::publish,
        api::messages::history,
        api::presence::presence,
        api::presence::counts,
        api::moderation::disconnect,
        api::moderation::subscribe,
        api::moderation::unsubscribe,
    ),
    security(("bearer" = []), ("api_key" = [])),
    modifiers(&Credentials),
    tags(
        (name = "rooms", description = "Messages of a room, and who is in it"),
        (name = "moderation", description = "For administrators"),
        (name = "identity", description = "Who the caller is"),
        (name = "health", description = "Without a credential"),
    )
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(auth::API_KEY.as_str())));
        components.add_security_scheme("bearer", bearer);
        components.add_security_scheme("api_key", key);
    }
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services.service(resource("/openapi.json", web::get().to(openapi)));
}

/// The document as pretty JSON: for `/openapi.json` and for the reference pages.
pub fn document() -> String {
    // A document of plain maps and texts always serialises.
    Document::openapi().to_pretty_json().unwrap_or_default()
}

async fn openapi() -> impl Responder {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(document())
}
