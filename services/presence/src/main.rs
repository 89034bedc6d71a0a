//! The presence service as a process of its own: gRPC in front of the library.
use std::process::ExitCode;

use anyhow::Context;
use bus::BusConfig;
use presence::PresenceConfig;
use rpc::server::Routes;
use rpc::{Peer, Rpc, RpcConfig};
use runtime::Process;
use runtime::config::Loader;
use tokio::net::TcpListener;

struct Config {
    presence: PresenceConfig,
    bus: BusConfig,
    rpc: RpcConfig,
}

fn main() -> ExitCode {
    runtime::run("presence", load, serve)
}

fn load(loader: &mut Loader) -> Config {
    Config {
        presence: loader.section("presence", PresenceConfig::problems),
        bus: loader.section("bus", BusConfig::problems_apart),
        rpc: loader.section("rpc", RpcConfig::problems),
    }
}

async fn serve(process: Process, config: Config) -> anyhow::Result<()> {
    let rpc = Rpc::open(config.rpc)?;
    let bus = bus::open(&config.bus).map_err(anyhow::Error::msg)?;
    let shutdown = process.shutdown.clone();
    let presence = presence::start(config.presence.clone(), bus.clone(), shutdown.clone()).await?;
    let listen = &config.presence.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("presence.listen: {listen}"))?;
    let routes = Routes::new()
        .with(rpc::presence::server(presence.clone()))
        .for_callers(&[Peer::Gateway, Peer::Rooms]);
    let (health, flag) = (routes.health(), process.ready.flag("presence"));
    let seen = presence.clone();
    tokio::spawn(async move {
        if seen.store_seen().await {
            health.set(true).await;
            flag.set(true);
        }
    });
    rpc::server::serve(listener, routes, &rpc, shutdown).await?;
    presence.drained().await;
    bus.close().await;
    Ok(())
}
