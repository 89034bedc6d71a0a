//! The HTTP server of a gateway: workers, socket options, routes.
//!
//! Signals are the process's business. The server ends when the gateway is drained; by then its
//! sockets are closed, so nothing holds it.
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Context;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use runtime::Readiness;
use socket2::SockRef;
use wire::EmulationRequest;

use crate::app::Gateway;
use crate::config::GatewayConfig;
use crate::connection::{self, carrier::Carrier};
use crate::http::{self, HttpState, Page, Sockets, Upgrade};
use crate::tls::Tls;
use crate::worker::WorkerSlot;

/// How long the server waits for HTTP answers under way when it ends, in seconds.
const LAST_ANSWERS_S: u64 = 3;

/// What the library keeps of answers that a socket does not take, in bytes, and one frame more: a
/// slow reader pins it. What waits beyond that is shared by all members of a room.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// A server that listens and is not yet run.
pub struct Serving {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    gateway: Arc<Gateway>,
    server: Server,
}

/// The gateway as the HTTP routes see it.
struct GatewaySockets(Arc<Gateway>);

/// What the process adds to a gateway's public port.
pub struct Front {
    /// The process's readiness, for `/health`.
    pub readiness: Readiness,
    /// The chat page, if this process serves it.
    pub page: Option<Arc<dyn Page>>,
}

/// Listens and serves until the gateway is drained. `extra` adds routes of the process; they go
/// before the gateway's own.
pub async fn serve<F>(gateway: Arc<Gateway>, front: Front, extra: F) -> anyhow::Result<()>
where
    F: Fn(&mut ServiceConfig) + Send + Clone + 'static,
{
    listen(gateway, front, extra)?.run().await
}

/// Opens the listening socket. Clients that connect before [`Serving::run`] wait. To be called on
/// the process's runtime.
pub fn listen<F>(gateway: Arc<Gateway>, front: Front, extra: F) -> anyhow::Result<Serving>
where
    F: Fn(&mut ServiceConfig) + Send + Clone + 'static,
{
    let config = gateway.config().clone();
    let tls = Tls::open(&config.tls).context("gateway.tls")?;
    let state = web::Data::new(http_state(&gateway, front));
    let owner = gateway.clone();
    let make = move || {
        let slot = Rc::new(WorkerSlot::new(owner.clone()));
        let (state, extra) = (state.clone(), extra.clone());
        App::new()
            .app_data(slot)
            .configure(move |service| extra(service))
            .configure(move |service| http::configure(service, state))
    };
    let tuning = Tuning::new(&config);
    let mut server = HttpServer::new(make)
        .on_connect(move |io, _| tune(io, tuning))
        .disable_signals()
        .shutdown_timeout(LAST_ANSWERS_S)
        .max_connections(config.connections_per_worker)
        .backlog(config.backlog)
        .tcp_nodelay(true)
        .h1_write_buffer_size(WRITE_BUFFER_BYTES)
        // Who hangs up does not wait for the rest of an answer: a stream must end at once then.
        .h1_allow_half_closed(false)
        .keep_alive(Duration::from_millis(config.keep_alive_ms))
        // The close handshake is ours; what is left then is to flush and to hang up.
        .client_disconnect_timeout(Duration::ZERO);
    if config.workers > 0 {
        server = server.workers(config.workers);
    }
    let server = match tls {
        Some(tls) => {
            let accepting = tls.server_config().context("gateway.tls")?;
            let life = gateway.life();
            life.tasks.spawn(tls.watch(life.stop.clone()));
            server
                .tls_handshake_timeout(Duration::from_millis(config.tls.handshake_timeout_ms))
                .max_connection_rate(config.tls.handshakes_in_flight_max)
                .bind_rustls_0_23(&config.listen, accepting)
        }
        None => server.bind(&config.listen),
    };
    let server = server.with_context(|| format!("gateway.listen {}", config.listen))?;
    let addresses = server.addrs();
    Ok(Serving { addresses, gateway, server: server.run() })
}

impl Serving {
    /// Serves until the gateway is drained.
    pub async fn run(self) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut server = std::pin::pin!(self.server);
        tokio::select! {
            ended = &mut server => return ended.context("the server ended"),
            () = self.gateway.drained() => {}
        }
        let (ended, ()) = tokio::join!(server, handle.stop(true));
        ended.context("the server ended")
    }
}

impl Sockets for GatewaySockets {
    fn count(&self) -> usize {
        self.0.hub().connections()
    }

    fn open(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        upgrade: Upgrade,
    ) -> Result<HttpResponse, actix_web::Error> {
        if !self.0.accepting() {
            return Ok(gone());
        }
        connection::open(request, payload, upgrade)
    }

    fn open_stream(
        &self,
        request: &HttpRequest,
        first: Bytes,
        carrier: Carrier,
        address: Option<IpAddr>,
    ) -> Result<HttpResponse, actix_web::Error> {
        if !self.0.accepting() {
            return Ok(gone());
        }
        connection::open_stream(request, first, carrier, address)
    }

    fn emulate(&self, request: EmulationRequest) -> LocalBoxFuture<'static, domain::Result<()>> {
        let gateway = self.0.clone();
        Box::pin(async move {
            gateway.emulate(&request.node, &request.session, request.data.clone()).await
        })
    }
}

/// The answer of a gateway that takes no connections any more.
fn gone() -> HttpResponse {
    HttpResponse::ServiceUnavailable().insert_header((header::RETRY_AFTER, "1")).finish()
}

fn http_state(gateway: &Arc<Gateway>, front: Front) -> HttpState {
    let state = HttpState::new(
        gateway.config().http.clone(),
        gateway.config().limits.clone(),
        gateway.hub().counted().clone(),
        gateway.id().clone(),
        gateway.peers().clone(),
        Arc::new(GatewaySockets(gateway.clone())),
        front.readiness,
    );
    let tls = &gateway.config().tls;
    let state = if tls.is_on() { state.with_hsts(tls.hsts_max_age_s) } else { state };
    match front.page {
        Some(page) => state.with_page(page),
        None => state,
    }
}

/// What the kernel is told of each socket.
#[derive(Clone, Copy)]
struct Tuning {
    send_buffer: usize,
    receive_buffer: usize,
    user_timeout: Duration,
}

impl Tuning {
    fn new(config: &GatewayConfig) -> Self {
        // Longer than it takes to find a reader slow and to tell it: the kernel must not come first.
        let slow_and_told = config.limits.slow_ms + config.limits.close_ms;
        Self {
            send_buffer: config.send_buffer_bytes,
            receive_buffer: config.receive_buffer_bytes,
            user_timeout: Duration::from_millis(slow_and_told),
        }
    }
}

/// A small send buffer, so that a slow reader is noticed early; a small receive buffer, so that one
/// who floods fills no memory of ours at a single read; and an end to a peer that takes nothing at
/// all, which no close of ours could reach.
fn tune(io: &dyn Any, tuning: Tuning) {
    let behind_tls = || io.downcast_ref::<TlsStream<TcpStream>>().map(|io| io.get_ref().0);
    let Some(stream) = io.downcast_ref::<TcpStream>().or_else(behind_tls) else { return };
    let socket = SockRef::from(stream);
    let tuned = socket
        .set_send_buffer_size(tuning.send_buffer)
        .and_then(|()| socket.set_recv_buffer_size(tuning.receive_buffer))
        .and_then(|()| socket.set_tcp_user_timeout(Some(tuning.user_timeout)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a socket could not be tuned");
    }
}
