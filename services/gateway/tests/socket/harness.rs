//! Starts a gateway on a free port, and reads what its clients get.
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web::ServiceConfig;
use bus::{BusConfig, MemoryBus};
use gateway::{Front, Gateway, GatewayConfig, GatewayDeps};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rpc::{Rpc, RpcConfig};
use runtime::Readiness;
use serde_json::Value;
use testkit::client::{Client, Incoming, Push};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::fakes::{FakeAuth, FakePresence, FakeRooms};

/// Long enough for anything that should happen at once.
pub const SOON: Duration = Duration::from_secs(10);

/// A figure of this process by its name and labels, as Prometheus would read it; 0 if there is none.
pub fn figure(name: &str) -> u64 {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    let figures = FIGURES.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap());
    let text = figures.render();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0, |count| count.parse().unwrap())
}

/// A running gateway and its parts.
pub struct Running {
    pub gateway: Arc<Gateway>,
    pub auth: Arc<FakeAuth>,
    pub rooms: Arc<FakeRooms>,
    pub presence: Arc<FakePresence>,
    bus: Arc<MemoryBus>,
    pub url: String,
    pub address: std::net::SocketAddr,
    pub shutdown: CancellationToken,
    server: Option<std::thread::JoinHandle<()>>,
}

/// Starts a gateway whose config `change` may change.
pub async fn start(change: impl FnOnce(&mut GatewayConfig)) -> Running {
    let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
    let rooms = Arc::new(FakeRooms::new(bus.clone()));
    start_with((Arc::default(), rooms, Arc::default(), bus), change, |_| {}).await
}

/// The same with routes of its own beside the gateway's.
pub async fn start_serving(
    change: impl FnOnce(&mut GatewayConfig),
    extra: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> Running {
    let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
    let rooms = Arc::new(FakeRooms::new(bus.clone()));
    start_with((Arc::default(), rooms, Arc::default(), bus), change, extra).await
}

/// Starts another gateway on the parts of one that runs. Each has a presence of its own, which
/// knows the leases of both.
pub async fn start_beside(running: &Running, change: impl FnOnce(&mut GatewayConfig)) -> Running {
    let presence = Arc::new(running.presence.beside());
    let (auth, rooms) = (running.auth.clone(), running.rooms.clone());
    start_with((auth, rooms, presence, running.bus.clone()), change, |_| {}).await
}

type Parts = (Arc<FakeAuth>, Arc<FakeRooms>, Arc<FakePresence>, Arc<MemoryBus>);

async fn start_with(
    (auth, rooms, presence, bus): Parts,
    change: impl FnOnce(&mut GatewayConfig),
    extra: impl Fn(&mut ServiceConfig) + Send + Clone + 'static,
) -> Running {
    let mut config = GatewayConfig {
        listen: "127.0.0.1:0".to_owned(),
        gateway_id: "g1".to_owned(),
        workers: 2,
        ..GatewayConfig::default()
    };
    (config.drain.accept_ms, config.drain.window_ms) = (0, 200);
    change(&mut config);
    assert_eq!(config.problems(), Vec::<String>::new());
    let shutdown = CancellationToken::new();
    let deps = GatewayDeps {
        auth: auth.clone(),
        rooms: rooms.clone(),
        presence: presence.clone(),
        bus: bus.clone(),
        neighbours: Some(Rpc::open(RpcConfig::default()).unwrap()),
    };
    let gateway = gateway::start(config, deps, shutdown.clone()).await.unwrap();
    gateway::serve_neighbours(&gateway).await.unwrap();
    let front = Front { readiness: Readiness::new(shutdown.clone()), page: None };
    let serving = gateway::listen(gateway.clone(), front, extra).unwrap();
    let address = serving.addresses[0];
    let server = std::thread::spawn(move || {
        let run = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        run.block_on(serving.run()).unwrap();
    });
    tokio::time::timeout(SOON, gateway.seen_peers()).await.unwrap();
    let url = format!("ws://{address}/connection/websocket");
    Running { gateway, auth, rooms, presence, bus, url, address, shutdown, server: Some(server) }
}

impl Running {
    /// A signed-in client.
    pub async fn client(&self, user: &str) -> Inbound {
        let (client, incoming, connected) = Client::connect(&self.url, user).await.unwrap();
        Inbound { client, incoming, connected }
    }

    /// Stops the gateway and waits for its server's thread.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        let server = self.server.take().unwrap();
        let joined = tokio::task::spawn_blocking(move || server.join());
        tokio::time::timeout(SOON, joined).await.expect("the server ends").unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A client and what came for it.
pub struct Inbound {
    pub client: Client,
    pub incoming: mpsc::Receiver<Incoming>,
    pub connected: Value,
}

impl Inbound {
    /// The next thing that comes.
    pub async fn next(&mut self) -> Incoming {
        let next = tokio::time::timeout(SOON, self.incoming.recv()).await;
        next.expect("something comes in time").expect("the client is alive")
    }

    /// The next push, whatever it is.
    pub async fn push(&mut self) -> Push {
        match self.next().await {
            Incoming::Push(push) => push,
            other => panic!("no push: {other:?}"),
        }
    }

    /// The next publication's offset and payload; joins and leaves are passed over.
    pub async fn publication(&mut self) -> (u64, String) {
        loop {
            let push = self.push().await;
            if let Some(publication) = push.publication {
                return (publication.offset, publication.data.get().to_owned());
            }
            assert!(push.join.is_some() || push.leave.is_some(), "unexpected: {push:?}");
        }
    }

    /// The code of the next unsubscribe push; other pushes are passed over.
    pub async fn unsubscribed(&mut self) -> u64 {
        loop {
            if let Some(unsubscribe) = self.push().await.unsubscribe {
                return unsubscribe["code"].as_u64().unwrap();
            }
        }
    }

    /// The code with which the connection ends; what comes before is passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Incoming::Closed(code, _) = self.next().await {
                return code;
            }
        }
    }
}
