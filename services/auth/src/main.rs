//! The process `roomcast-auth`: the auth service behind gRPC.
use std::process::ExitCode;

use anyhow::Context;
use auth::AuthConfig;
use rpc::server::Routes;
use rpc::{Peer, Rpc, RpcConfig};
use runtime::Process;
use runtime::config::Loader;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    runtime::run("auth", load, start)
}

fn load(loader: &mut Loader) -> (AuthConfig, RpcConfig) {
    let auth = loader.section("auth", AuthConfig::problems);
    (auth, loader.section("rpc", RpcConfig::problems))
}

async fn start(process: Process, (config, rpc): (AuthConfig, RpcConfig)) -> anyhow::Result<()> {
    let ready = process.ready.flag("auth");
    let rpc = Rpc::open(rpc)?;
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("auth.listen {}", config.listen))?;
    let backend = config.backend.decides_connects();
    if config.issuers.is_empty() && !config.tokens.has_keys() && !backend {
        tracing::warn!("neither auth.issuers nor auth.tokens has a key: no token is accepted");
    }
    let auth = auth::start(config, process.shutdown.clone()).await?;
    let routes = Routes::new().with(rpc::auth::server(auth));
    let routes = routes.for_callers(&[Peer::Gateway, Peer::Rooms]);
    let health = routes.health();
    health.set(true).await;
    ready.set(true);
    rpc::server::serve(listener, routes, &rpc, process.shutdown).await?;
    Ok(())
}
