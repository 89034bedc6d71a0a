//! The public port: sockets, the HTTP API, health, the documentation pages, the chat page.
//!
//! Each request passes the gate (the list of public paths, credentials, headers). Handlers are
//! thin: they check what they were given, call another service and answer with JSON. No rule of
//! rooms or identity lives here, and nothing is read from cookies.
pub mod address;
pub mod admission;
pub mod api;
pub mod auth;
mod body;
mod config;
mod docs;
mod emulation;
mod error;
mod gate;
mod health;
mod openapi;
pub mod origin;
mod page;
mod state;
mod stats;
mod stream;
mod upgrade;

use actix_cors::Cors;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

pub(crate) use admission::crowded;
pub use config::HttpConfig;
pub use docs::DocsFiles;
pub use error::{ApiError, ErrorAnswer};
pub use gate::{PUBLIC_FOLDERS, PUBLIC_PATHS};
pub use openapi::document;
pub use page::{Page, PageFile};
pub use state::HttpState;
pub use upgrade::{Sockets, Upgrade};

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_AGE_S: usize = 600;

/// Adds all routes of the public port. `state` is shared by all workers.
pub fn configure(services: &mut ServiceConfig, state: web::Data<HttpState>) {
    let origins = state.origins.clone();
    let cors = Cors::default()
        .allowed_origin_fn(move |origin, head| origins.allows(origin, head.headers()))
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, auth::API_KEY])
        .allowed_header("traceparent")
        .expose_headers([header::RETRY_AFTER])
        .block_on_origin_mismatch(false)
        .max_age(PREFLIGHT_AGE_S);
    let queries = web::QueryConfig::default()
        .error_handler(|error, _| ApiError::invalid(format!("query: {error}")).into());
    // The last one wrapped is the first one passed: headers stand on refusals and preflights too.
    let routes = web::scope("")
        .app_data(state)
        .app_data(queries)
        .wrap(from_fn(gate::admit))
        .wrap(cors)
        .wrap(from_fn(gate::finish))
        .configure(health::routes)
        .configure(stats::routes)
        .configure(upgrade::routes)
        .configure(stream::routes)
        .configure(emulation::routes)
        .configure(api::routes)
        .configure(openapi::routes)
        .configure(docs::routes)
        .default_service(web::to(page::fallback));
    services.service(routes);
}

/// A resource that answers one method, and any other with 405 as JSON.
fn resource(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(wrong_method))
}

async fn wrong_method() -> Result<&'static str, ApiError> {
    let status = actix_web::http::StatusCode::METHOD_NOT_ALLOWED;
    let message = "this path has no such method";
    Err(ApiError::new(status, domain::ErrorReason::InvalidArgument, message))
}

#[cfg(test)]
mod tests;
