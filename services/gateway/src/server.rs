//! The HTTP server of a gateway: workers, socket options, routes.
//!
//! Signals are the process's business. The server ends when the gateway is drained; by then its
//! sockets are closed, so nothing holds it.
mod transport;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::http::header;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, web};
use anyhow::Context;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use runtime::Readiness;
use wire::EmulationRequest;

use crate::app::Gateway;
use crate::connection::{self, carrier::Carrier};
use crate::http::{self, HttpState, Page, Sockets, Upgrade};
use crate::tls::Tls;
use crate::worker::WorkerSlot;
use transport::Transport;

/// How long the server waits for HTTP answers under way when it ends, in seconds.
const LAST_ANSWERS_S: u64 = 3;

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
        let application = App::new()
            .app_data(slot)
            .configure(move |service| extra(service))
            .configure(move |service| http::configure(service, state))
            .into_factory()
            .map_err(|error| error.error_response())
            .map_init_err(|()| ());
        // The host by which the service is reached is never taken from here.
        map_config(application, |()| AppConfig::default())
    };
    let mut server = Server::build()
        .disable_signals()
        .shutdown_timeout(LAST_ANSWERS_S)
        .max_concurrent_connections(config.connections_per_worker);
    if config.workers > 0 {
        server = server.workers(config.workers);
    }
    let tls = match tls {
        Some(tls) => {
            let accepting = tls.server_config().context("gateway.tls")?;
            let life = gateway.life();
            life.tasks.spawn(tls.watch(life.stop.clone()));
            Some(accepting)
        }
        None => None,
    };
    let transport = Transport::new(&config, tls, server.graceful_shutdown_signal());
    let (server, addresses) = transport.listen(server, make)?;
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
