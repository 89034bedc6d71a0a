//! What every request passes: the list of public paths, credentials, headers of every answer.
//!
//! A path that is not on the list needs a credential, whether it exists or not. The list is here
//! and nowhere else. Connections are on it because their
//! credential comes in the first frame, and frames beside a stream because theirs is the session.
use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use domain::{ErrorReason, Verified};
use tracing::Instrument;

use super::admission::wait_turn;
use super::{ApiError, HttpState, auth};
use crate::limit::Limit;

/// Paths that need no credential.
pub const PUBLIC_PATHS: [&str; 15] = [
    "/health",
    "/livez",
    "/readyz",
    "/stats",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/favicon.ico",
    "/ws",
    "/connection/websocket",
    "/connection/http_stream",
    "/connection/sse",
    "/emulation",
    "/",
    "/index.html",
];

/// Folders that need no credential: files of the documentation pages and of the chat page.
pub const PUBLIC_FOLDERS: [&str; 3] = ["/docs/", "/redoc/", "/assets/"];

/// What an answer says if its handler said nothing else.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Whether a path needs no credential. The chat page's own files are public too.
fn is_public(path: &str, http: &HttpState) -> bool {
    PUBLIC_PATHS.contains(&path)
        || PUBLIC_FOLDERS.iter().any(|folder| path.starts_with(folder))
        || http.page.as_ref().is_some_and(|page| page.file(path).is_some())
}

/// Lets a request through if it may pass.
pub async fn admit<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(http) = request.app_data::<web::Data<HttpState>>().cloned() else {
        return Err(actix_web::error::ErrorInternalServerError("not configured"));
    };
    if is_public(request.path(), &http) {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let address = http.caller(request.peer_addr(), request.headers());
    if let Err(error) = wait_turn(&http, address).await {
        return Ok(refuse(request, &error));
    }
    let Ok(_place) = http.in_flight.try_acquire() else {
        Limit::RequestsInFlight.bites();
        return Ok(refuse(request, &ApiError::busy("too many calls at once", 1)));
    };
    let span = tracing::info_span!("http_request", method = %request.method());
    if let Some(Ok(parent)) = request.headers().get("traceparent").map(HeaderValue::to_str) {
        runtime::trace::follow(&span, parent);
    }
    async {
        match check(&request, &http, address).await {
            Ok(verified) => {
                request.extensions_mut().insert(verified);
                next.call(request).await.map(ServiceResponse::map_into_left_body)
            }
            Err(error) => Ok(refuse(request, &error)),
        }
    }
    .instrument(span)
    .await
}

/// Proves the credential, and looks whether its principal calls too often.
async fn check(
    request: &ServiceRequest,
    http: &HttpState,
    address: Option<IpAddr>,
) -> Result<Verified, ApiError> {
    let credential = auth::credential(request.headers())?;
    let verified = http.peers.verify(credential).await.inspect_err(|error| {
        // To prove a credential bad costs as much as to prove it good.
        if matches!(error.reason, ErrorReason::InvalidCredential | ErrorReason::KeyUnknown) {
            http.counted.offenders.offended(address);
        }
    })?;
    if http.requests.take(&verified.principal.id, NonZeroU32::MIN) {
        Ok(verified)
    } else {
        Limit::Requests.bites();
        Err(ApiError::too_many("too many calls; slow down"))
    }
}

fn refuse<B: MessageBody>(
    request: ServiceRequest,
    error: &ApiError,
) -> ServiceResponse<EitherBody<B>> {
    request.into_response(error.error_response()).map_into_right_body()
}

/// Adds the headers that every answer has, and counts it.
pub async fn finish<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let preflight = request.method() == Method::OPTIONS;
    let state = request.app_data::<web::Data<HttpState>>();
    let hsts = state.and_then(|http| http.hsts.clone());
    let mut response = next.call(request).await?;
    if preflight && response.status() == StatusCode::OK {
        // A preflight is answered by its headers; there is no content.
        *response.response_mut().status_mut() = StatusCode::NO_CONTENT;
    }
    let status = response.status().as_u16().to_string();
    // The pattern, never the path: room names are no label.
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    metrics::counter!("roomcast_gateway_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    Ok(response)
}
