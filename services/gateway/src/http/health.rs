//! `/health`, `/livez`, `/readyz`: for balancers that reach only the public port.
//!
//! Alive is whoever answers. Ready is what the process itself says; no other service is asked, so
//! that a lost database cannot take all gateways out at once.
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HttpState, resource};

/// That this gateway lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The product's version.
    version: &'static str,
    /// This gateway's name.
    gateway: String,
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services
        .service(resource("/health", web::get().to(health)))
        .service(resource("/livez", web::get().to(livez)))
        .service(resource("/readyz", web::get().to(readyz)));
}

/// Tells that this gateway lives, and its version.
#[utoipa::path(get, path = "/health", tag = "health", security(()),
    responses((status = 200, description = "It lives", body = Health)))]
pub async fn health(http: web::Data<HttpState>) -> impl Responder {
    let gateway = http.gateway.as_str().to_owned();
    web::Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), gateway })
}

/// Tells that this gateway lives.
#[utoipa::path(get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It lives")))]
pub async fn livez() -> impl Responder {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// Tells whether traffic should be sent here.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "Send traffic here"),
    (status = 503, description = "It starts, or drains")))]
pub async fn readyz(http: web::Data<HttpState>) -> impl Responder {
    let report = http.readiness.report();
    let mut response =
        if report.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(report)
}
