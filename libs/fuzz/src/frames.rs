//! WebSocket frames: the guard and the library's parser behind it, against a second parser.
//!
//! Both must give the same messages and the same refusal, wherever the cuts between two reads lie.
//! Bytes of the input: a mode (bit 0: the product's own limits instead of small ones), four sizes
//! of chunks that are used in turn (0: the rest in one), then the stream.
mod model;

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::test::TestRequest;
use actix_web::web;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use gateway::connection::guard::GuardLimits;
use gateway::connection::handshake;
use gateway::connection::source::{Arrival, Source};
use wire::CloseCode;

use crate::take::Take;
use model::Told;

/// Small, so that short inputs reach them.
const SMALL: GuardLimits = GuardLimits {
    message_bytes_max: 300,
    fragments_max: 4,
    greeting_bytes_max: usize::MAX,
    frame_timeout: std::time::Duration::from_secs(10),
};

/// As by default, but for the bound on a greeting, which the model does not know.
const LARGE: GuardLimits = GuardLimits {
    message_bytes_max: 64 * 1024,
    fragments_max: 32,
    greeting_bytes_max: usize::MAX,
    frame_timeout: std::time::Duration::from_secs(10),
};

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    let limits = if input.byte() & 1 == 0 { SMALL } else { LARGE };
    let sizes = [input.byte(), input.byte(), input.byte(), input.byte()];
    let stream = input.0;
    let (told, end) = read(chunks(stream, sizes), limits);
    let expected = model::read(stream, limits);
    assert_eq!(end.is_refusal(), expected.end.is_refusal(), "{end:?} against {:?}", expected.end);
    if expected.of_content {
        // Found behind the guard: what came in the same read may be lost, and of several faults
        // any may be named. The peer broke the rules and is closed in any case.
        assert!(expected.told.starts_with(&told), "{told:?} against {:?}", expected.told);
        let codes = [CloseCode::InvalidText, CloseCode::Protocol];
        assert!(codes.iter().any(|code| end == Arrival::Refused(*code)), "{end:?}");
    } else {
        assert_eq!(told, expected.told);
        assert_eq!(end, expected.end);
    }
}

/// Whether a connection is closed for it.
trait Refusal {
    fn is_refusal(&self) -> bool;
}

impl Refusal for Arrival {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

fn chunks(stream: &[u8], sizes: [u8; 4]) -> Vec<Bytes> {
    let mut rest = Take(stream);
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.0.is_empty() {
            break;
        }
        let most = if *size == 0 { rest.0.len() } else { usize::from(*size) };
        chunks.push(Bytes::copy_from_slice(rest.bytes(most)));
    }
    chunks
}

/// What the product reads from chunks: messages, and how they end.
fn read(chunks: Vec<Bytes>, limits: GuardLimits) -> (Vec<Told>, Arrival) {
    let request = TestRequest::default()
        .insert_header((header::UPGRADE, "websocket"))
        .insert_header((header::CONNECTION, "upgrade"))
        .insert_header((header::SEC_WEBSOCKET_VERSION, "13"))
        .insert_header((header::SEC_WEBSOCKET_KEY, "x3JJHMbDL1EzLkh9GBhXDw=="))
        .to_http_request();
    let chunks = stream::iter(chunks.into_iter().map(Ok));
    let mut payload = Payload::Stream { payload: chunks.boxed_local() };
    let payload = web::Payload::from_request(&request, &mut payload).into_inner();
    let payload = payload.expect("a payload can always be taken");
    let accepted = handshake::accept(&request, payload, None, limits);
    // The answer's body is what the frames live by.
    let (_answer, mut frames) = accepted.expect("the request is an upgrade");
    let mut told = Vec::new();
    loop {
        // All chunks are there already: whatever waits would wait for ever.
        let next = frames.next().now_or_never().expect("a socket that ended is not waited for");
        match next {
            Arrival::Text(text) => told.push(Told::Text(text.to_vec())),
            Arrival::Binary(bytes) => told.push(Told::Binary(bytes.to_vec())),
            Arrival::Ping(payload) => told.push(Told::Ping(payload.to_vec())),
            Arrival::Pong => told.push(Told::Pong),
            end @ (Arrival::Refused(_) | Arrival::Closed(_) | Arrival::Lost) => return (told, end),
        }
    }
}
