//! A port's side: connections that have made their handshake, and whom they come from.
//!
//! Handshakes have places of their own and a time limit, so whoever opens connections and says
//! nothing holds up others for a while and never for good.
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::{Peers, Tls};

/// Connections that have made their handshake and wait for the server.
const READY_MAX: usize = 16;
/// The pause after the system refused to accept, as it does without file descriptors.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: TlsStream<TcpStream>,
    peers: Peers,
}

/// Accepts until the stream is dropped. `mutual`: no one without a certificate.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Arc<Tls>,
    mutual: bool,
) -> ReceiverStream<io::Result<Accepted>> {
    let (ready, accepted) = mpsc::channel(READY_MAX);
    tokio::spawn(accepting(listener, tls, mutual, ready));
    ReceiverStream::new(accepted)
}

async fn accepting(
    listener: TcpListener,
    tls: Arc<Tls>,
    mutual: bool,
    ready: mpsc::Sender<io::Result<Accepted>>,
) {
    let places = Arc::new(Semaphore::new(tls.config.handshakes_in_flight_max));
    loop {
        let next = async { (places.clone().acquire_owned().await, listener.accept().await) };
        let (place, stream) = tokio::select! {
            () = ready.closed() => return,
            (place, stream) = next => (place, stream),
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REFUSED_PAUSE).await;
                continue;
            }
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let limit = Duration::from_millis(tls.config.handshake_timeout_ms);
            let shaken = tokio::time::timeout(limit, Accepted::shake(stream, &tls, mutual)).await;
            drop(place);
            let outcome = match shaken {
                Ok(Ok(accepted)) => {
                    // The server went: so does the connection.
                    let _unless_gone = ready.send(Ok(accepted)).await;
                    "done"
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a handshake failed");
                    "failed"
                }
                Err(_) => "late",
            };
            metrics::counter!("roomcast_rpc_handshakes_total", "outcome" => outcome).increment(1);
        });
    }
}

impl Accepted {
    async fn shake(stream: TcpStream, tls: &Tls, mutual: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let config = tls.server(mutual).map_err(io::Error::other)?;
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let peers = tls.peers(shown);
        Ok(Self { stream, peers })
    }
}

impl Connected for Accepted {
    type ConnectInfo = Peers;

    fn connect_info(&self) -> Peers {
        self.peers.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
