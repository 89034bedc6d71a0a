//! A server on a loopback port, on a runtime of its own so that it can die like a process does.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rpc::admin::Guard;
use rpc::server::{Health, Routes, serve};
use rpc::{Rpc, RpcConfig};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::answering::Answering;

pub struct Port {
    pub address: SocketAddr,
    pub service: Arc<Answering>,
    pub health: Health,
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<domain::Result<()>>,
    runtime: Option<Runtime>,
}

impl Port {
    /// Serves rooms, auth, presence and gateway.
    pub fn open() -> Self {
        Self::on(([127, 0, 0, 1], 0).into(), &plain())
    }

    pub fn on(address: SocketAddr, rpc: &Rpc) -> Self {
        let service = Arc::new(Answering::default());
        let routes = Routes::new()
            .with(rpc::rooms::server(service.clone()))
            .with(rpc::auth::server(service.clone()))
            .with(rpc::presence::server(service.clone()))
            .with(rpc::gateway::server(service.clone()));
        Self::serving(address, service, routes, rpc)
    }

    /// Serves admin, guarded by `auth`.
    pub fn guarded(guard: Guard) -> Self {
        let service = Arc::new(Answering::default());
        let routes =
            Routes::new().with(rpc::admin::server(service.clone())).guarded(guard).unwrap();
        Self::serving(([127, 0, 0, 1], 0).into(), service, routes, &plain())
    }

    pub fn serving(
        address: SocketAddr,
        service: Arc<Answering>,
        routes: Routes,
        rpc: &Rpc,
    ) -> Self {
        Self::opened(address, service, routes, || rpc.clone())
    }

    /// On a free port, with what is opened on the server's own runtime.
    pub fn serving_with(
        service: Arc<Answering>,
        routes: Routes,
        rpc: impl FnOnce() -> Rpc,
    ) -> Self {
        Self::opened(([127, 0, 0, 1], 0).into(), service, routes, rpc)
    }

    fn opened(
        address: SocketAddr,
        service: Arc<Answering>,
        routes: Routes,
        rpc: impl FnOnce() -> Rpc,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let health = routes.health();
        let (rpc, token) = (rpc(), shutdown.clone());
        let ended = runtime.spawn(async move { serve(listener, routes, &rpc, token).await });
        drop(_inside);
        Self { address, service, health, shutdown, ended, runtime: Some(runtime) }
    }

    /// A plain connection, for clients that are not ours.
    pub fn channel(&self) -> tonic::transport::Channel {
        let address = format!("http://{}", self.address);
        tonic::transport::Endpoint::from_shared(address).unwrap().connect_lazy()
    }

    /// Ends at once: open calls break, new connections are refused.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that accepts and never says a word, as a stopped process does.
pub fn mute() -> (SocketAddr, std::net::TcpListener) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

/// No TLS, and whatever else is usual.
pub fn plain() -> Rpc {
    Rpc::open(RpcConfig::default()).unwrap()
}

/// Calls services at these addresses.
pub fn calling(addresses: &[SocketAddr]) -> Rpc {
    Rpc::open(config(addresses)).unwrap()
}

/// A configuration for services at these addresses.
pub fn config(addresses: &[SocketAddr]) -> RpcConfig {
    let list: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    RpcConfig { auth: list.clone(), rooms: list.clone(), presence: list, ..RpcConfig::default() }
}

/// Waits until something holds, and fails loudly if it never does.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
