//! `/connection/http_stream` and `/connection/sse`: connections for whom no WebSocket gets through.
//!
//! The request brings the first commands, the answer's body brings everything else, and further
//! commands come to `/emulation`. What is refused to a WebSocket is refused here too. Server-sent
//! events by GET carry a token in the address, so that way is closed unless the config opens it.
use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use domain::ErrorReason;
use wire::Format;

use super::admission::{self, Query, Refusal, count};
use super::{ApiError, HttpState, body, wrong_method};
use crate::connection::carrier::Carrier;
use crate::limit::Limit;

pub(super) fn routes(services: &mut ServiceConfig) {
    for (path, methods, handler) in [
        ("/connection/http_stream", &[Method::POST][..], web::to(http_stream)),
        ("/connection/sse", &[Method::GET, Method::POST], web::to(events)),
    ] {
        let allowed = methods.to_vec();
        let allowed =
            actix_web::guard::fn_guard(move |asked| allowed.contains(&asked.head().method));
        let resource = web::resource(path)
            .route(handler.guard(allowed))
            .route(web::method(Method::OPTIONS).to(no_content))
            .default_service(web::to(wrong_method));
        services.service(resource);
    }
}

/// The answer to an `OPTIONS` that is no browser's preflight.
pub(super) async fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// The format that a body is in, by its content type: JSON unless it says otherwise.
pub(super) fn format_of(request: &HttpRequest) -> Format {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/octet-stream") {
        Format::Protobuf
    } else {
        Format::Json
    }
}

async fn http_stream(
    request: HttpRequest,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, actix_web::Error> {
    let carrier = Carrier::Stream(format_of(&request));
    answer(&request, payload, &http, carrier).await
}

async fn events(
    request: HttpRequest,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, actix_web::Error> {
    answer(&request, payload, &http, Carrier::Events).await
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    http: &HttpState,
    carrier: Carrier,
) -> Result<HttpResponse, actix_web::Error> {
    match first_frame(request, payload, http).await {
        Ok((first, address)) => {
            count("opened");
            http.sockets.open_stream(request, first, carrier, address)
        }
        Err((outcome, error)) => {
            count(outcome);
            Err(error.into())
        }
    }
}

/// Admits the request and reads its commands; also gives the caller's address.
async fn first_frame(
    request: &HttpRequest,
    payload: web::Payload,
    http: &HttpState,
) -> Result<(Bytes, Option<IpAddr>), Refusal> {
    let by_address = *request.method() == Method::GET;
    if by_address && !http.config.sse {
        let message = "server-sent events by GET carry a token in the address, which ends up in \
                       logs; gateway.http.sse = true allows that, and POST needs no permission";
        let reason = ErrorReason::NotOffered;
        return Err(("not_offered", ApiError::new(StatusCode::NOT_FOUND, reason, message)));
    }
    let mut query = Query::read(request.query_string());
    let address = admission::admit(request, http, &query).await?;
    let limits = &http.limits;
    let (bytes_max, limit) = if limits.bytes_before_connect_max < limits.message_bytes_max {
        (limits.bytes_before_connect_max, Limit::BytesBeforeConnect)
    } else {
        (limits.message_bytes_max, Limit::MessageBytes)
    };
    let malformed = |error| ("malformed", error);
    if !by_address {
        let wait = Duration::from_millis(http.limits.frame_timeout_ms);
        let bound = body::Bound { bytes: bytes_max, wait, limits: [limit, Limit::FrameTimeout] };
        let first = body::bytes(payload, bound).await.map_err(malformed)?;
        // Others may have come while the body did.
        admission::has_room(http)?;
        return Ok((first, address));
    }
    match query.connect.take() {
        Some(commands) if commands.len() <= bytes_max => Ok((commands.into(), address)),
        Some(_) => Err(malformed(body::too_large(bytes_max, limit))),
        None => Err(malformed(ApiError::invalid("cf_connect: the commands are missing"))),
    }
}
