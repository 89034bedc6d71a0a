//! `/ws` and `/connection/websocket`: who may open a socket.
//!
//! Everything that can be refused without asking anybody is refused here, cheapest first: what is
//! no upgrade, foreign pages, tokens in the address, a full gateway, a herd. Who the caller is shows only in the first frame. Unknown query keys are ignored.
use std::net::IpAddr;

use actix_http::ws::{HandshakeError, verify_handshake};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::ErrorReason;
use wire::Format;

use super::{ApiError, HttpState, address};

/// Query keys that would carry a credential into every log on the way.
const SECRET_KEYS: [&str; 9] = [
    "token",
    "access_token",
    "id_token",
    "refresh_token",
    "jwt",
    "authorization",
    "auth",
    "api_key",
    "apikey",
];
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
    match admit(&request, &http) {
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

type Refusal = (&'static str, ApiError);

fn admit(request: &HttpRequest, http: &HttpState) -> Result<Upgrade, Refusal> {
    verify_handshake(request.head()).map_err(|error| ("malformed", no_upgrade(&error)))?;
    if !http.origins.admit(request.headers()) {
        let message = "pages of this origin may not connect";
        let error = ApiError::new(StatusCode::FORBIDDEN, ErrorReason::PermissionDenied, message);
        return Err(("origin", error));
    }
    let query = Query::read(request.query_string());
    if query.secret {
        let message = "credentials do not belong into the address; send them in the first frame";
        return Err(("query_token", ApiError::invalid(message)));
    }
    let (format, subprotocol) = choose(request, &query);
    if http.sockets.count() >= http.config.connections_max {
        return Err(("full", ApiError::busy("this gateway is full", jittered_s())));
    }
    let address = address::caller(
        request.peer_addr().map(|peer| peer.ip()),
        request.headers(),
        &http.proxies,
    );
    let alone = match (&http.upgrades_by_address, address) {
        (Some(buckets), Some(address)) => buckets.take(address),
        _ => true,
    };
    if !alone {
        return Err((
            "address_rate",
            ApiError::busy("too many upgrades from this address", jittered_s()),
        ));
    }
    if !http.upgrades.take() {
        return Err(("rate", ApiError::busy("too many upgrades at once", jittered_s())));
    }
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

/// What matters of a query.
#[derive(Debug, Default, PartialEq)]
struct Query {
    secret: bool,
    protobuf: bool,
    native_pings: bool,
}

impl Query {
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A key may hide behind percent signs; whoever would read a token decodes them first.
            let key = decoded(key).to_ascii_lowercase();
            match key.as_str() {
                "format" | "cf_protocol" => read.protobuf |= value == "protobuf",
                "cf_ws_frame_ping_pong" => read.native_pings = value == "true",
                key => read.secret |= SECRET_KEYS.contains(&key),
            }
        }
        read
    }
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digit: &u8| char::from(*digit).to_digit(16);
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                let value = hex(high).unwrap_or(0) * 16 + hex(low).unwrap_or(0);
                out.push(value as u8);
                after
            }
            _ => {
                out.push(byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn no_upgrade(error: &HandshakeError) -> ApiError {
    let status = match error {
        HandshakeError::GetMethodRequired => StatusCode::METHOD_NOT_ALLOWED,
        HandshakeError::BadWebsocketKey => StatusCode::BAD_REQUEST,
        _ => StatusCode::UPGRADE_REQUIRED,
    };
    ApiError::new(status, ErrorReason::InvalidArgument, error.to_string())
}

/// Seconds after which to come back, spread so that a refused herd does not come back as one.
fn jittered_s() -> u32 {
    rand::random_range(1..=5)
}

fn count(outcome: &'static str) {
    metrics::counter!("roomcast_gateway_upgrades_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_in_a_query_however_they_are_spelt() {
        for secret in
            ["token=x", "a=1&Access_Token=x", "jwt", "%74oken=x", "%54%4fKEN=x", "x&api_key="]
        {
            assert!(Query::read(secret).secret, "{secret}");
        }
        for plain in
            ["", "cf_protocol_version=v2", "tokens=1", "a=token", "%zztoken=1", "room=%74oken"]
        {
            assert!(!Query::read(plain).secret, "{plain}");
        }
    }

    #[test]
    fn the_protocols_own_keys_are_read() {
        assert!(Query::read("format=protobuf").protobuf);
        assert!(Query::read("cf_protocol=protobuf").protobuf);
        assert!(!Query::read("format=json").protobuf);
        assert!(Query::read("x=1&cf_ws_frame_ping_pong=true").native_pings);
    }
}
