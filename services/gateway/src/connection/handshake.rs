//! From an upgrade request to a connection on its worker.
//!
//! The library checks the handshake and reads messages; what is written to the socket is ours, so
//! that one encoded frame serves every member. The guard stands in front of the library's parser.
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use domain::ConnectionId;
use futures_util::StreamExt;

use super::guard::{Guard, GuardLimits};
use super::timer::Clock;
use super::writer::{SocketBody, Writer, WriterLimits};
use super::{Connection, reader};
use crate::http::Upgrade;
use crate::worker::WorkerSlot;

/// Makes a connection of an upgrade request that was let in. Must run on a worker's thread, in an
/// application that was configured by this gateway.
pub fn open(
    request: &HttpRequest,
    payload: web::Payload,
    upgrade: Upgrade,
) -> actix_web::Result<HttpResponse> {
    let slot = request.app_data::<Rc<WorkerSlot>>();
    let slot = slot.ok_or_else(|| actix_web::error::ErrorInternalServerError("no worker"))?;
    let worker = slot.worker();
    let config = &worker.gateway().config().connection;

    let id = ConnectionId::random();
    let limits = WriterLimits {
        feed_pause_bytes: config.feed_pause_bytes,
        replies_bytes_max: config.replies_bytes_max,
        slow: Duration::from_millis(config.slow_ms),
    };
    let connect_timeout = Duration::from_millis(config.connect_timeout_ms);
    let writer = Rc::new(Writer::new(id, limits, worker.drained().clone()));
    let connection = Connection::new(id, worker.clone(), writer.clone(), &upgrade);
    let connection = Rc::new(connection);
    let limits = GuardLimits {
        message_bytes_max: config.message_bytes_max,
        frame_timeout: Duration::from_millis(config.frame_timeout_ms),
        ..GuardLimits::default()
    };
    let (guard, report) = Guard::new(payload, limits);
    let mut guarded = Payload::Stream { payload: guard.boxed_local() };
    let guarded = web::Payload::from_request(request, &mut guarded).into_inner()?;
    let subprotocols: Vec<&str> = upgrade.subprotocol.into_iter().collect();
    let (response, _session, messages) =
        actix_ws::handle_with_protocols(request, guarded, &subprotocols)?;
    let messages = messages
        .max_frame_size(config.message_bytes_max)
        .aggregate_continuations()
        .max_continuation_size(config.message_bytes_max);

    worker.gateway().hub().opened();
    worker.add(connection.clone());
    worker.set_clock(connect_timeout, id, Clock::Connect);
    actix_web::rt::spawn(reader::run(connection, messages, report));
    Ok(response.map_body(|_, library| BoxBody::new(SocketBody::new(writer, library))))
}
