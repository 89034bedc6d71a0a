//! The rooms service as a process of its own: two gRPC ports in front of the library.
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use bus::BusConfig;
use rooms::{Deps, RoomsConfig};
use rpc::admin::Guard;
use rpc::server::{Routes, serve};
use rpc::{Peer, Rpc, RpcConfig};
use runtime::Process;
use runtime::config::Loader;
use tokio::net::TcpListener;

struct Config {
    rooms: RoomsConfig,
    bus: BusConfig,
    rpc: RpcConfig,
}

fn main() -> ExitCode {
    runtime::run("rooms", load, start)
}

fn load(loader: &mut Loader) -> Config {
    Config {
        rooms: loader.section("rooms", RoomsConfig::problems),
        bus: loader.section("bus", BusConfig::problems_apart),
        rpc: loader.section("rpc", RpcConfig::problems),
    }
}

async fn start(process: Process, config: Config) -> anyhow::Result<()> {
    let ready = process.ready.flag("rooms");
    let bind = async |key: &str, listen: &str| {
        TcpListener::bind(listen).await.with_context(|| format!("rooms.{key}: {listen}"))
    };
    let listener = bind("listen", &config.rooms.listen).await?;
    let admin_listener = bind("admin_listen", &config.rooms.admin_listen).await?;
    let bus = bus::open(&config.bus).map_err(anyhow::Error::msg)?;
    let rpc = Rpc::open(config.rpc)?;
    let deps = Deps {
        bus: bus.clone(),
        presence: Arc::new(rpc::presence::RemotePresence::open(&rpc)?),
        auth: Arc::new(rpc::auth::RemoteAuth::open(&rpc)?),
    };
    let auth = deps.auth.clone();
    let rooms = rooms::start(config.rooms, deps, process.shutdown.clone()).await?;
    let noting = rooms.clone();
    let guard = Guard::new(auth).on_refused(move |by, call| noting.note_refused(by, call));
    let routes = Routes::new().with(rpc::rooms::server(rooms.clone()));
    let routes = routes.for_callers(&[Peer::Gateway]);
    let admin = Routes::new().with(rpc::admin::server(rooms.clone())).guarded(guard)?;
    for health in [routes.health(), admin.health()] {
        health.set(true).await;
    }
    ready.set(true);
    let shutdown = process.shutdown;
    // Whatever ends the one port ends the other, and the process.
    let until_one_ends = async |listener, routes| {
        let served = serve(listener, routes, &rpc, shutdown.clone()).await;
        shutdown.cancel();
        served
    };
    let (served, administered) =
        tokio::join!(until_one_ends(listener, routes), until_one_ends(admin_listener, admin));
    // What was taken in is still committed.
    rooms.closed().await;
    bus.close().await;
    served.and(administered).map_err(Into::into)
}
