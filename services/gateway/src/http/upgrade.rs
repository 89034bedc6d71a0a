//! `/ws` and `/connection/websocket`: the upgrade to a WebSocket, and the format that is agreed on.
//!
//! Who may open one is decided in `admission`; what holds the connections is a [`Sockets`].
use std::net::IpAddr;

use actix_http::ws::{HandshakeError, verify_handshake};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use domain::{ErrorReason, Result as Answer};
use futures_util::future::LocalBoxFuture;
use wire::{EmulationRequest, Format};

use super::admission::{self, Query, Refusal, count};
use super::{ApiError, HttpState};
use crate::connection::carrier::Carrier;

/// The subprotocols of the formats.
const PROTOCOLS: [(Format, &str); 2] =
    [(Format::Json, "centrifuge-json"), (Format::Protobuf, "centrifuge-protobuf")];

/// How a socket is to be spoken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// The format of its frames.
    pub format: Format,
    /// The subprotocol to name in the answer; browsers fail without the one that they offered, and
    /// fail with one that they did not.
    pub subprotocol: Option<&'static str>,
    /// Whether the client wants native ping frames instead of the protocol's.
    pub native_pings: bool,
    /// The caller's address.
    pub address: Option<IpAddr>,
}

/// What holds the sockets of this gateway.
pub trait Sockets: Send + Sync + 'static {
    /// Sockets that are open now, on all workers.
    fn count(&self) -> usize;

    /// Takes a request that was let in over: answers with 101 and drives the socket from then on.
    /// Called on the worker that owns the connection.
    fn open(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        upgrade: Upgrade,
    ) -> Result<HttpResponse, actix_web::Error>;

    /// Takes a request that was let in and read over: answers with a body that stays open. `first`
    /// is its frame of commands, `address` the caller's. Called on the worker that owns the connection.
    fn open_stream(
        &self,
        request: &HttpRequest,
        first: Bytes,
        carrier: Carrier,
        address: Option<IpAddr>,
    ) -> Result<HttpResponse, actix_web::Error>;

    /// Brings a frame to the connection that it is meant for, here or on another gateway.
    ///
    /// `NotFound` for an unknown gateway or session, `LimitExceeded` for a frame that is too large,
    /// `RateLimited` while too much waits, `Unavailable` while the other gateway is not reached.
    fn emulate(&self, request: EmulationRequest) -> LocalBoxFuture<'static, Answer<()>>;
}

pub(super) fn routes(services: &mut ServiceConfig) {
    // Every method comes here: what is no upgrade is told so in words.
    for path in ["/ws", "/connection/websocket"] {
        services.service(web::resource(path).to(upgrade));
    }
}

async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    http: web::Data<HttpState>,
) -> Result<HttpResponse, actix_web::Error> {
    match admit(&request, &http).await {
        Ok(upgrade) => {
            count("opened");
            http.sockets.open(&request, payload, upgrade)
        }
        Err((outcome, error)) => {
            count(outcome);
            Err(error.into())
        }
    }
}

async fn admit(request: &HttpRequest, http: &HttpState) -> Result<Upgrade, Refusal> {
    verify_handshake(request.head()).map_err(|error| ("malformed", no_upgrade(&error)))?;
    let query = Query::read(request.query_string());
    let address = admission::admit(request, http, &query).await?;
    let (format, subprotocol) = choose(request, &query);
    Ok(Upgrade { format, subprotocol, native_pings: query.native_pings, address })
}

/// Agrees on the format, and on the subprotocol to be named in the answer. The first one of ours
/// that the client offers decides; one that offers none may ask for Protobuf in the query.
fn choose(request: &HttpRequest, query: &Query) -> (Format, Option<&'static str>) {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let known = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .find_map(|one| PROTOCOLS.into_iter().find(|(_, protocol)| one.trim() == *protocol));
    match known {
        Some((format, protocol)) => (format, Some(protocol)),
        None if query.protobuf => (Format::Protobuf, None),
        None => (Format::Json, None),
    }
}

fn no_upgrade(error: &HandshakeError) -> ApiError {
    let status = match error {
        HandshakeError::GetMethodRequired => StatusCode::METHOD_NOT_ALLOWED,
        HandshakeError::BadWebsocketKey => StatusCode::BAD_REQUEST,
        _ => StatusCode::UPGRADE_REQUIRED,
    };
    ApiError::new(status, ErrorReason::InvalidArgument, error.to_string())
}
