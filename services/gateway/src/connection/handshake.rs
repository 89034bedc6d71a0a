//! From a request to a connection on its worker: a WebSocket's upgrade, or a stream in the answer.
//!
//! The library checks the handshake and reads messages; what is written to the client is ours, so
//! that one encoded frame serves every member. The guard stands in front of the library's parser.
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use domain::{ConnectionId, Session};
use futures_util::StreamExt;
use wire::Format;

use super::carrier::Carrier;
use super::guard::{Guard, GuardLimits};
use super::reader::{Commands, Take};
use super::source::{Requests, SocketFrames};
use super::timer::Clock;
use super::writer::{SocketBody, Writer, WriterLimits};
use super::{Connection, Manner, reader};
use crate::http::{Upgrade, crowded};
use crate::window::ReceiveWindow;
use crate::worker::{Worker, WorkerSlot};

/// Makes a connection of an upgrade request that was let in. Must run on a worker's thread, in an
/// application that was configured by this gateway.
pub fn open(
    request: &HttpRequest,
    payload: web::Payload,
    upgrade: Upgrade,
) -> actix_web::Result<HttpResponse> {
    let worker = worker_of(request)?;
    let config = &worker.gateway().config().limits;
    let limits = GuardLimits {
        message_bytes_max: config.message_bytes_max,
        fragments_max: config.fragments_max,
        greeting_bytes_max: config.bytes_before_connect_max,
        frame_timeout: Duration::from_millis(config.frame_timeout_ms),
    };
    open_with(request, payload, upgrade, limits, Commands)
}

/// The same, with other bounds and with other messages than commands: for tools of tests, which
/// speak through all of a connection's parts but the commands.
pub fn open_with(
    request: &HttpRequest,
    payload: web::Payload,
    upgrade: Upgrade,
    limits: GuardLimits,
    take: impl Take,
) -> actix_web::Result<HttpResponse> {
    let worker = worker_of(request)?;
    let (response, frames) = accept(request, payload, upgrade.subprotocol, limits)?;
    let carrier = Carrier::WebSocket(upgrade.format);
    let manner = Manner {
        carrier,
        native_pings: upgrade.native_pings,
        session: None,
        address: upgrade.address,
    };
    let (connection, writer) = begin(&worker, manner)?;
    actix_web::rt::spawn(reader::run(connection, frames, take));
    Ok(response.map_body(|_, library| BoxBody::new(SocketBody::new(writer, Some(library)))))
}

/// Answers an upgrade and reads its socket: the guard, and the library's parser behind it. The
/// frames end when the answer's body is dropped.
pub fn accept(
    request: &HttpRequest,
    payload: web::Payload,
    subprotocol: Option<&'static str>,
    limits: GuardLimits,
) -> actix_web::Result<(HttpResponse, SocketFrames)> {
    // A server of a test's own may have none.
    let window = request.conn_data::<ReceiveWindow>().cloned();
    let window = window.unwrap_or_else(|| ReceiveWindow::new(limits.message_bytes_max));
    let (guard, report) = Guard::new(window.narrow(payload), limits);
    let mut guarded = Payload::Stream { payload: guard.boxed_local() };
    let guarded = web::Payload::from_request(request, &mut guarded).into_inner()?;
    let subprotocols: Vec<&str> = subprotocol.into_iter().collect();
    let (response, _session, messages) =
        actix_ws::handle_with_protocols(request, guarded, &subprotocols)?;
    let messages = messages
        .max_frame_size(limits.message_bytes_max)
        .aggregate_continuations()
        .max_continuation_size(limits.message_bytes_max);
    Ok((response, SocketFrames::new(messages, report)))
}

/// Makes a connection of a request that was let in and whose body was `first`: its answer's body
/// stays open, and further frames come by requests of their own. Must run where [`open`] must.
pub fn open_stream(
    request: &HttpRequest,
    first: Bytes,
    carrier: Carrier,
    address: Option<IpAddr>,
) -> actix_web::Result<HttpResponse> {
    let worker = worker_of(request)?;
    let session = Session::from_bytes(rand::random());
    let letterbox = worker.gateway().sessions().open(session);
    let manner = Manner { carrier, native_pings: false, session: Some(session), address };
    let (connection, writer) = begin(&worker, manner)?;
    if let Some(opening) = carrier.opening() {
        writer.reply(opening);
    }
    let source = Requests::new(first, letterbox, writer.clone());
    actix_web::rt::spawn(reader::run(connection, source, Commands));
    let content_type = match carrier {
        Carrier::Events => "text/event-stream",
        carrier => match carrier.format() {
            Format::Json => "application/x-ndjson",
            Format::Protobuf => "application/octet-stream",
        },
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        // Whoever stands between must hand each message on as it comes: neither kept nor packed.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        // When the stream ends there is nothing more to say: the socket goes with it.
        .force_close()
        .body(BoxBody::new(SocketBody::new(writer, None))))
}

fn worker_of(request: &HttpRequest) -> actix_web::Result<Rc<Worker>> {
    let slot = request.app_data::<Rc<WorkerSlot>>();
    let slot = slot.ok_or_else(|| actix_web::error::ErrorInternalServerError("no worker"))?;
    Ok(slot.worker())
}

/// A connection that is counted and waits for its connect; 503 if its address has too many.
fn begin(worker: &Rc<Worker>, manner: Manner) -> actix_web::Result<(Rc<Connection>, Rc<Writer>)> {
    worker.gateway().hub().open(manner.address).map_err(crowded)?;
    let config = &worker.gateway().config().limits;
    let id = ConnectionId::random();
    let limits = WriterLimits {
        feed_pause_bytes: config.feed_pause_bytes,
        replies_bytes_max: config.replies_bytes_max,
        slow: Duration::from_millis(config.slow_ms),
    };
    let writer = Rc::new(Writer::new(id, limits, worker.drained().clone()));
    let connection = Rc::new(Connection::new(id, worker.clone(), writer.clone(), manner));
    worker.add(connection.clone());
    worker.set_clock(Duration::from_millis(config.connect_timeout_ms), id, Clock::Connect);
    Ok((connection, writer))
}
