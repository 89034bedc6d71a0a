//! The all-in-one process: the four services and the development issuer, in one straight line.
//!
//! Each service is the same code as in its own process, behind its local door; only what they
//! share is different: a bus in memory, SQLite, no network between them. At the end the gateway
//! drains first, then the services that it needs finish what they took in.
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use auth::{GivenKeys, IssuerConfig};
use bus::{Bus, BusConfig, MemoryBus};
use gateway::{Front, GatewayDeps};
use rooms::Deps;
use rpc::Rpc;
use rpc::admin::Guard;
use rpc::server::Routes;
use runtime::Process;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::issuer::{self, DevIssuer};
use crate::page::EmbeddedPage;

/// Serves until the process is asked to stop.
pub async fn serve(process: Process, mut config: Config) -> anyhow::Result<()> {
    let ready = process.ready.flag("roomcast");
    for key in &config.idle_keys {
        warn!(key, "means nothing to roomcast serve: all services are in this process");
    }
    make_private(&config.roomcast.data_dir)?;
    let public_url = config.public_url();
    let dev_issuer = open_issuer(&mut config, &public_url)?;
    let given = dev_issuer
        .iter()
        .map(|issuer| GivenKeys { issuer: issuer.url().to_owned(), jwks: issuer.jwks() });
    let page = page(&config, process.version);

    // What the gateway needs outlives it: these end when it has drained.
    let below = CancellationToken::new();
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(&BusConfig::default()));
    let auth = auth::start_with_keys(config.auth, given.collect(), below.clone()).await?;
    let presence = presence::start(config.presence, bus.clone(), below.clone()).await?;
    let admin_listen = config.rooms.admin_listen.clone();
    let deps = Deps { bus: bus.clone(), presence: presence.clone(), auth: auth.clone() };
    let rooms = rooms::start(config.rooms, deps, below.clone()).await?;

    let listener = TcpListener::bind(&admin_listen)
        .await
        .with_context(|| format!("rooms.admin_listen: {admin_listen}"))?;
    let admin_address = listener.local_addr()?;
    let noting = rooms.clone();
    let guard = Guard::new(auth.clone()).on_refused(move |by, call| noting.note_refused(by, call));
    let routes = Routes::new().with(rpc::admin::server(rooms.clone())).guarded(guard)?;
    let health = routes.health();
    let (rpc, stop) = (Rpc::open(config.rpc)?, below.clone());
    let admin = tokio::spawn(async move { rpc::server::serve(listener, routes, &rpc, stop).await });

    let deps = GatewayDeps {
        auth,
        rooms: rooms.clone(),
        presence: presence.clone(),
        bus: bus.clone(),
        neighbours: None,
    };
    let gateway = gateway::start(config.gateway, deps, process.shutdown.clone()).await?;
    let front = Front { readiness: process.ready.clone(), page: Some(Arc::new(page)) };
    let serving = gateway::listen(gateway.clone(), front, move |services| {
        if let Some(issuer) = &dev_issuer {
            issuer::configure(services, issuer.clone());
        }
    })?;
    let seen = gateway.clone();
    tokio::spawn(async move {
        seen.seen_peers().await;
        health.set(true).await;
        ready.set(true);
        // Said on standard output, because that is what somebody at a terminal waits for.
        println!("roomcast is at {public_url} (admin port {admin_address}; Ctrl-C ends it)");
        seen.draining_began().await;
        ready.set(false);
    });
    let served = serving.run().await;

    process.shutdown.cancel();
    below.cancel();
    let administered = admin.await.context("the admin port")?;
    rooms.closed().await;
    presence.drained().await;
    bus.close().await;
    info!("everything that was taken in is stored");
    served.and(administered.map_err(Into::into))
}

/// The development issuer, if it is on; then it is the one issuer that auth trusts.
fn open_issuer(config: &mut Config, public_url: &str) -> anyhow::Result<Option<Arc<DevIssuer>>> {
    if !config.has_dev_issuer() {
        return Ok(None);
    }
    let listen = config.gateway.listen.parse().context("gateway.listen")?;
    issuer::check_loopback(listen, config.roomcast.dev_issuer_beyond_loopback)?;
    let dev_issuer = DevIssuer::open(public_url, &config.roomcast.data_dir)?;
    config.auth.issuers.push(IssuerConfig {
        url: dev_issuer.url().to_owned(),
        audience: vec![issuer::AUDIENCE.to_owned()],
        ..IssuerConfig::default()
    });
    Ok(Some(dev_issuer))
}

/// The page, told whom its users sign in with.
fn page(config: &Config, version: &str) -> EmbeddedPage {
    let issuer = config.auth.issuers.first();
    let client = issuer.and_then(|issuer| issuer.client_ids.first());
    let client = client.map_or(issuer::CLIENT_ID, String::as_str);
    EmbeddedPage::new(issuer.map_or("", |issuer| &issuer.url), client, version)
}

/// Makes the data folder, for its owner's eyes only: it holds messages and a signing key.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("roomcast.data_dir: {}", folder.display()))
}
