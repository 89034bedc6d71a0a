//! `GET /api/v1/me`: who the caller is.
use actix_web::web::{self, ServiceConfig};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::Caller;
use crate::http::{ErrorAnswer, resource};

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Who vouches for the subject; `api-key` for keys.
    issuer: String,
    /// The caller within the issuer.
    subject: String,
    /// The name that others see.
    name: String,
    /// Its roles.
    roles: Vec<String>,
    /// When the credential ends, Unix milliseconds; `null` for keys without an end.
    expires_at_ms: Option<i64>,
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services.service(resource("/me", web::get().to(me)));
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/me", tag = "identity", responses(
    (status = 200, description = "The caller", body = Me),
    (status = 401, description = "No credential, or a bad one", body = ErrorAnswer)))]
pub async fn me(caller: Caller) -> web::Json<Me> {
    let principal = caller.0.principal;
    web::Json(Me {
        issuer: principal.id.issuer.as_ref().to_owned(),
        subject: principal.id.subject.as_ref().to_owned(),
        name: principal.name,
        roles: principal.roles,
        expires_at_ms: caller.0.expires_at_ms,
    })
}
