//! `/emulation`: a frame for a connection whose own stream goes only to the client.
//!
//! The session in it is the credential, so no other is asked for. The connection may be held by
//! any gateway. What the frame leads to comes on the stream; the answer here says only that the
//! frame is on its way, behind those that came before it.
use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use wire::EmulationRequest;

use super::stream::{format_of, no_content};
use super::{ApiError, HttpState, admission, body, wrong_method};

/// What a body may have over twice a frame: in JSON each byte of the frame may be escaped.
const ENVELOPE_BYTES: usize = 1_024;

pub(super) fn routes(services: &mut ServiceConfig) {
    let resource = web::resource("/emulation")
        .route(web::post().to(emulation))
        .route(web::method(Method::OPTIONS).to(no_content))
        .default_service(web::to(wrong_method));
    services.service(resource);
}

async fn emulation(
    request: HttpRequest,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, ApiError> {
    admission::from_page(&request, &http).map_err(|(_, error)| error)?;
    let bytes_max = http.limits.message_bytes_max;
    let wait = Duration::from_millis(http.limits.frame_timeout_ms);
    let bytes = 2 * bytes_max + ENVELOPE_BYTES;
    let bound = body::Bound { bytes, wait, limits: body::OF_FRAMES };
    let body = body::bytes(payload, bound).await?;
    let read = EmulationRequest::decode_as(format_of(&request), &body);
    let emulated = read.map_err(|_| ApiError::invalid("no emulation request"))?;
    http.sockets.emulate(emulated).await?;
    Ok(HttpResponse::NoContent().finish())
}
