//! Who may open a connection, whatever way it is spoken on: the rules for sockets and for streams.
//!
//! Everything that can be refused without asking anybody is refused here, cheapest first: foreign
//! pages, tokens in the address, a full gateway, a herd. Who the caller is shows only in the first
//! commands. Unknown query keys are ignored.
use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use domain::ErrorReason;

use super::{ApiError, HttpState};
use crate::limit::Limit;
use crate::limit::publishing::block;

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

/// Why somebody is not let in: for the metric, and for the caller.
pub type Refusal = (&'static str, ApiError);

/// Lets a request in, or says why not; one whose address broke the rules lately waits before.
/// Gives the caller's address.
pub async fn admit(
    request: &HttpRequest,
    http: &HttpState,
    query: &Query,
) -> Result<Option<IpAddr>, Refusal> {
    from_page(request, http)?;
    if query.secret {
        let message = "credentials do not belong into the address; send them in the first frame";
        return Err(("query_token", ApiError::invalid(message)));
    }
    has_room(http)?;
    let address = http.caller(request.peer_addr(), request.headers());
    let alone = match (&http.upgrades_by_address, address) {
        (Some(buckets), Some(address)) => buckets.take(block(address), NonZeroU32::MIN),
        _ => true,
    };
    if !alone {
        Limit::UpgradesPerAddress.bites();
        return Err((
            "address_rate",
            ApiError::busy("too many upgrades from this address", jittered_s()),
        ));
    }
    if !http.upgrades.take() {
        Limit::Upgrades.bites();
        return Err(("rate", ApiError::busy("too many upgrades at once", jittered_s())));
    }
    wait_turn(http, address).await.map_err(|error| ("offender", error))?;
    Ok(address)
}

/// Lets an address that broke the rules lately wait.
pub async fn wait_turn(http: &HttpState, address: Option<IpAddr>) -> Result<(), ApiError> {
    if http.counted.offenders.turn(address).await {
        return Ok(());
    }
    let text = "too many connections of this address broke the rules";
    Err(ApiError::busy(text, jittered_s()))
}

/// Refuses pages of foreign origins.
pub fn from_page(request: &HttpRequest, http: &HttpState) -> Result<(), Refusal> {
    if http.origins.admit(request.headers()) {
        return Ok(());
    }
    let message = "pages of this origin may not connect";
    let error = ApiError::new(StatusCode::FORBIDDEN, ErrorReason::PermissionDenied, message);
    Err(("origin", error))
}

/// Refuses what is beyond the number of connections.
pub fn has_room(http: &HttpState) -> Result<(), Refusal> {
    if http.sockets.count() >= http.limits.connections_max {
        Limit::Connections.bites();
        return Err(("full", ApiError::busy("this gateway is full", jittered_s())));
    }
    Ok(())
}

/// What is said to one whose address has too many connections, which is counted.
pub fn crowded(limit: Limit) -> ApiError {
    limit.bites();
    ApiError::busy("too many connections from this address", jittered_s())
}

/// What matters of a query.
#[derive(Debug, Default, PartialEq)]
pub struct Query {
    /// Whether it holds a credential.
    pub secret: bool,
    /// Whether it asks for Protobuf.
    pub protobuf: bool,
    /// Whether it asks for native pings.
    pub native_pings: bool,
    /// The commands of a stream that is opened by an address alone.
    pub connect: Option<String>,
}

impl Query {
    /// Reads it.
    pub fn read(query: &str) -> Self {
        let mut read = Self::default();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A key may hide behind percent signs; whoever would read a token decodes them first.
            let key = text(&decoded(key)).to_ascii_lowercase();
            match key.as_str() {
                "format" | "cf_protocol" => read.protobuf |= value == "protobuf",
                "cf_ws_frame_ping_pong" => read.native_pings = value == "true",
                "cf_connect" => read.connect = Some(text(&decoded(&value.replace('+', " ")))),
                key => read.secret |= SECRET_KEYS.contains(&key),
            }
        }
        read
    }
}

fn decoded(text: &str) -> Vec<u8> {
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
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Seconds after which to come back, spread so that a refused herd does not come back as one.
fn jittered_s() -> u32 {
    rand::random_range(1..=5)
}

/// Counts what became of a request.
pub fn count(outcome: &'static str) {
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
    fn the_commands_of_a_stream_are_read_as_forms_write_them() {
        let query =
            Query::read("x=1&cf_connect=%7B%22id%22%3A1%2C%22a%22%3A%22%C3%A9+%2B%22%7D%0A");
        assert_eq!(query.connect.as_deref(), Some("{\"id\":1,\"a\":\"é +\"}\n"));
        assert!(!query.secret && Query::read("cf_connect=x&token=y").secret);
    }

    #[test]
    fn the_protocols_own_keys_are_read() {
        assert!(Query::read("format=protobuf").protobuf);
        assert!(Query::read("cf_protocol=protobuf").protobuf);
        assert!(!Query::read("format=json").protobuf);
        assert!(Query::read("x=1&cf_ws_frame_ping_pong=true").native_pings);
    }
}
