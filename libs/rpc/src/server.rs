//! One gRPC port: which services it has, its limits, its health, its end.
//!
//! Calls beyond the limit are refused at once as transient. Connections are ended after some minutes,
//! each process at a time of its own, so that callers spread over new pods. At the end health turns
//! first, then streams end, then the last calls finish; a bound stands behind it all.
mod gate;
mod health;

use std::sync::Arc;
use std::time::Duration;

use domain::{Error, ErrorReason, Result};
use rand::RngExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

pub use health::Health;

use crate::admin::Guard;
use crate::tls::{self, Peer};
use crate::{Rpc, RpcConfig};
use gate::{Gate, GateLayer};

pub(crate) use gate::Draining;

/// How long calls may go on over a connection that has reached its age.
const AGE_GRACE: Duration = Duration::from_secs(30);
/// How often a silent connection is probed, and how long the answer may take.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));
/// Streams that one connection may have open.
const STREAMS_MAX: u32 = 4_096;
/// Metadata of one call, bytes.
const METADATA_BYTES_MAX: u32 = 16 * 1024;

/// One service to be served; made by `auth::server` and its like.
pub struct Service {
    name: &'static str,
    add: Box<dyn FnOnce(service::Routes) -> service::Routes + Send>,
}

/// The services of one port.
pub struct Routes {
    routes: service::Routes,
    names: Vec<&'static str>,
    health: Health,
    guard: Option<Guard>,
    callers: Vec<Peer>,
}

impl Service {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: tower::Service<
                http::Request<tonic::body::Body>,
                Response = http::Response<tonic::body::Body>,
                Error = std::convert::Infallible,
                Future: Send,
            > + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self { name: S::NAME, add: Box::new(|routes| routes.add_service(service)) }
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl Routes {
    /// A port with nothing but `grpc.health.v1`, which says `NOT_SERVING` until told otherwise.
    pub fn new() -> Self {
        let (health, server) = Health::new();
        let routes = service::Routes::default().add_service(server);
        Self { routes, names: Vec::new(), health, guard: None, callers: Vec::new() }
    }

    /// Adds a service.
    #[must_use]
    pub fn with(mut self, service: Service) -> Self {
        self.health.add(service.name);
        self.names.push(service.name);
        self.routes = (service.add)(self.routes);
        self
    }

    /// Says which services have business here; where callers show certificates, others are refused.
    #[must_use]
    pub fn for_callers(mut self, callers: &[Peer]) -> Self {
        self.callers = callers.to_vec();
        self
    }

    /// Lets nobody in but admins, and tells them by reflection what there is. Health stays open.
    pub fn guarded(mut self, guard: Guard) -> Result<Self> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        // The descriptors are those of all services; told is what this port serves.
        let reflection = self
            .names
            .iter()
            .fold(reflection, |told, name| told.with_service_name(*name))
            .with_service_name("grpc.health.v1.Health")
            .with_service_name("grpc.reflection.v1.ServerReflection")
            .build_v1()
            .map_err(|error| Error::new(ErrorReason::Internal, format!("reflection: {error}")))?;
        self.routes = self.routes.add_service(reflection);
        self.guard = Some(guard);
        Ok(self)
    }

    /// Says whether the port's services are ready.
    pub fn health(&self) -> Health {
        self.health.clone()
    }
}

/// Serves until `shutdown`, then lets the last calls finish, `rpc.server_drain_ms` at most.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    rpc: &Rpc,
    shutdown: CancellationToken,
) -> Result<()> {
    let Routes { routes, health, guard, callers, .. } = routes;
    health.publish().await;
    let config = rpc.config();
    // A guarded port knows its callers by what each call shows.
    let known = rpc.tls().filter(|_| guard.is_none()).map(|_| callers);
    let mutual = guard.is_none();
    let gate = Gate::new(config.server_calls_max, guard, known, shutdown.clone());
    let server = server(config).layer(GateLayer(Arc::new(gate)));
    let (routes, end) = (routes.prepare(), shutdown.clone().cancelled_owned());
    let serving = async {
        let served = match rpc.tls() {
            Some(tls) => {
                let incoming = tls::accept(listener, tls.clone(), mutual);
                server.serve_with_incoming_shutdown(routes, incoming, end).await
            }
            None => {
                let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                server.serve_with_incoming_shutdown(routes, incoming, end).await
            }
        };
        served.map_err(|error| Error::new(ErrorReason::Internal, format!("serving gRPC: {error}")))
    };
    let bound = async {
        shutdown.cancelled().await;
        health.set(false).await;
        tokio::time::sleep(Duration::from_millis(config.server_drain_ms)).await;
    };
    tokio::select! {
        served = serving => served,
        () = bound => {
            tracing::warn!("calls were still under way when the time to drain was over");
            Ok(())
        }
    }
}

/// The limits of every port.
fn server(config: &RpcConfig) -> Server {
    let age = config.server_connection_age_ms as f64 * rand::rng().random_range(0.9..1.1);
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE.0))
        .http2_keepalive_timeout(Some(KEEP_ALIVE.1))
        .http2_max_header_list_size(METADATA_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_connection_age(Duration::from_secs_f64(age / 1e3))
        .max_connection_age_grace(AGE_GRACE)
}
