//! A caller's side: a channel to one address, by TLS or plain.
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::{Expected, Tls};

/// A channel that connects when it is first called. `None` for a host that no certificate can name.
pub(crate) fn channel(
    endpoint: Endpoint,
    address: SocketAddr,
    host: &str,
    expected: &Expected,
    tls: Option<&Arc<Tls>>,
) -> Option<Channel> {
    let Some(tls) = tls else { return Some(endpoint.connect_lazy()) };
    let name = match expected {
        Expected::Peer(peer) => peer.name(&tls.config.domain),
        Expected::Host => host.trim_matches(['[', ']']).to_owned(),
    };
    let name = ServerName::try_from(name).ok()?;
    let tls = tls.clone();
    Some(endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let (tls, name) = (tls.clone(), name.clone());
        async move {
            let connected = connect(&tls, address, name.clone()).await;
            if let Err(error) = &connected {
                tracing::warn!(%address, name = ?name, %error, "no connection by TLS");
            }
            connected.map(TokioIo::new)
        }
    })))
}

async fn connect(
    tls: &Tls,
    address: SocketAddr,
    name: ServerName<'static>,
) -> io::Result<TlsStream<TcpStream>> {
    let config = tls.client().map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(config).connect(name, stream).await
}
