//! The process `roomcast-gateway`: sockets of clients, the other services behind gRPC.
//!
//! Many small buffers come and go with sockets; jemalloc gives their memory back.
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use bus::BusConfig;
use gateway::{Front, GatewayConfig, GatewayDeps};
use rpc::auth::RemoteAuth;
use rpc::presence::RemotePresence;
use rpc::rooms::RemoteRooms;
use rpc::{Rpc, RpcConfig};
use runtime::Process;
use runtime::config::Loader;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The sections of this process.
type Sections = (GatewayConfig, RpcConfig, BusConfig);

fn main() -> ExitCode {
    runtime::run("gateway", load, start)
}

fn load(loader: &mut Loader) -> Sections {
    let gateway = loader.section("gateway", GatewayConfig::problems);
    let rpc = loader.section("rpc", RpcConfig::problems);
    (gateway, rpc, loader.section("bus", BusConfig::problems_apart))
}

async fn start(process: Process, (config, rpc, bus): Sections) -> anyhow::Result<()> {
    let ready = process.ready.flag("gateway");
    let bus = bus::open(&bus).map_err(|problem| anyhow!("bus: {problem}"))?;
    let rpc = Rpc::open(rpc)?;
    let deps = GatewayDeps {
        auth: Arc::new(RemoteAuth::open(&rpc)?),
        rooms: Arc::new(RemoteRooms::open(&rpc)?),
        presence: Arc::new(RemotePresence::open(&rpc)?),
        bus: bus.clone(),
        neighbours: Some(rpc),
    };
    let gateway = gateway::start(config, deps, process.shutdown).await?;
    gateway::serve_neighbours(&gateway).await?;
    let front = Front { readiness: process.ready, page: None };
    let serving = gateway::listen(gateway.clone(), front, |_| {})?;
    let watched = gateway.clone();
    let flags = tokio::spawn(async move {
        // Ready once it has seen rooms and presence; not unready when one of them goes later.
        watched.seen_peers().await;
        ready.set(true);
        watched.draining_began().await;
        ready.set(false);
    });
    let served = serving.run().await;
    flags.abort();
    bus.close().await;
    served
}
