//! The port at which the other gateways bring frames to connections of this one.
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use rpc::Peer;
use rpc::server::Routes;
use tokio::net::TcpListener;

use crate::app::Gateway;

/// Opens the port and serves it until the gateway is gone, sockets and all. `None` if other
/// gateways are told no address, or are not called: then nobody would come.
pub async fn serve(gateway: &Arc<Gateway>) -> anyhow::Result<Option<SocketAddr>> {
    let config = gateway.config();
    let Some(rpc) = gateway.deps().neighbours.clone() else { return Ok(None) };
    if config.peer_url().is_none() {
        tracing::info!("gateway.peer_url is not given: other gateways cannot reach this one");
        return Ok(None);
    }
    let listen = &config.peer_listen;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("gateway.peer_listen: {listen}"))?;
    let address = listener.local_addr()?;
    let routes = Routes::new()
        .with(rpc::gateway::server(gateway.sessions().clone()))
        .for_callers(&[Peer::Gateway]);
    let (health, gone) = (routes.health(), gateway.life().gone.clone());
    health.set(true).await;
    tokio::spawn(async move {
        if let Err(error) = rpc::server::serve(listener, routes, &rpc, gone).await {
            tracing::error!(%error, "the port for other gateways ended");
        }
    });
    Ok(Some(address))
}
