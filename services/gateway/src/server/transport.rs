//! From an accepted TCP connection to the application: socket options, TLS, the receive window.
//!
//! The library's own server reads from a socket as fast as it can; this one is put together from
//! the same parts with a [`Windowed`] connection between the kernel and the HTTP parser.
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::HttpResponse;
use actix_web::dev::ServiceResponse;
use actix_web::rt::net::TcpStream;
use anyhow::{Context, Result};
use rustls::ServerConfig;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::GatewayConfig;
use crate::window::Windowed;

/// What the library keeps of answers that a socket does not take, in bytes, and one frame more: a
/// slow reader pins it. What waits beyond that is shared by all members of a room.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// What answers requests on a worker.
pub trait Application:
    ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = HttpResponse,
        InitError = (),
    > + 'static
{
}

impl<A> Application for A where
    A: ServiceFactory<
            Request,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = HttpResponse,
            InitError = (),
        > + 'static
{
}

/// How connections are taken. Made once; every worker takes a copy.
#[derive(Clone)]
pub struct Transport {
    listen: String,
    accept_queue: i32,
    tuning: Tuning,
    keep_alive: Duration,
    tls: Option<Acceptor>,
    ending: GracefulShutdownSignal,
}

/// What the kernel is told of each socket.
#[derive(Clone, Copy)]
struct Tuning {
    send_buffer: usize,
    receive_buffer: usize,
    user_timeout: Duration,
}

impl Transport {
    /// As `config` says; `ending` tells when the server begins to end.
    pub fn new(
        config: &GatewayConfig,
        tls: Option<ServerConfig>,
        ending: GracefulShutdownSignal,
    ) -> Self {
        max_concurrent_tls_connect(config.tls.handshakes_in_flight_max);
        let tls = tls.map(|mut accepting| {
            // WebSockets go over nothing else here.
            accepting.alpn_protocols = vec![b"http/1.1".to_vec()];
            let mut acceptor = Acceptor::new(accepting);
            acceptor.set_handshake_timeout(Duration::from_millis(config.tls.handshake_timeout_ms));
            acceptor
        });
        Self {
            listen: config.listen.clone(),
            accept_queue: i32::try_from(config.backlog).unwrap_or(i32::MAX),
            tuning: Tuning::new(config),
            keep_alive: Duration::from_millis(config.keep_alive_ms),
            tls,
            ending,
        }
    }

    /// Opens the listening sockets for what `make` makes on each worker of `server`.
    pub fn listen<A: Application>(
        self,
        mut server: ServerBuilder,
        make: impl Fn() -> A + Send + Clone + 'static,
    ) -> Result<(ServerBuilder, Vec<SocketAddr>)> {
        let named = || format!("gateway.listen {}", self.listen);
        let mut addresses = Vec::new();
        for address in self.listen.to_socket_addrs().with_context(named)? {
            let listener = bind(address, self.accept_queue).with_context(named)?;
            addresses.push(listener.local_addr()?);
            let (make, transport) = (make.clone(), self.clone());
            server = match self.tls.clone() {
                None => server.listen("gateway", listener, move || transport.plain(make()))?,
                Some(tls) => {
                    let take = move || transport.behind_tls(tls.clone(), make());
                    server.listen("gateway", listener, take)?
                }
            };
        }
        Ok((server, addresses))
    }

    fn plain<A: Application>(
        &self,
        application: A,
    ) -> impl ServiceFactory<
        TcpStream,
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<A> {
        let tuning = self.tuning;
        fn_service(move |io: TcpStream| async move {
            let peer = tuning.apply(&io);
            Ok((Windowed::new(io, tuning.receive_buffer), Protocol::Http1, peer))
        })
        .and_then(self.http(application))
    }

    fn behind_tls<A: Application>(
        &self,
        acceptor: Acceptor,
        application: A,
    ) -> impl ServiceFactory<
        TcpStream,
        Config = (),
        Response = (),
        Error = TlsError<std::io::Error, DispatchError>,
        InitError = (),
    > + use<A> {
        let tuning = self.tuning;
        acceptor
            .map_err(TlsError::into_service_error)
            .and_then(move |io: TlsStream<TcpStream>| async move {
                let peer = tuning.apply(io.get_ref().0);
                Ok((Windowed::new(io, tuning.receive_buffer), Protocol::Http1, peer))
            })
            .and_then(self.http(application).map_err(TlsError::Service))
    }

    /// The application behind the HTTP parser.
    fn http<T, A>(
        &self,
        application: A,
    ) -> impl ServiceFactory<
        (Windowed<T>, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<T, A>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        A: Application,
    {
        let ending = self.ending.clone();
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            // Who hangs up does not wait for the rest of an answer: a stream must end at once then.
            .h1_allow_half_closed(false)
            .keep_alive(self.keep_alive)
            // The close handshake is ours; what is left then is to flush and to hang up.
            .client_disconnect_timeout(Duration::ZERO)
            .on_connect_ext(|io: &Windowed<T>, extensions| {
                extensions.insert(io.window().clone());
            })
            .finish(application)
    }
}

impl Tuning {
    fn new(config: &GatewayConfig) -> Self {
        // Longer than it takes to find a reader slow and to tell it: the kernel must not come first.
        let slow_and_told = config.limits.slow_ms + config.limits.close_ms;
        Self {
            send_buffer: config.send_buffer_bytes,
            receive_buffer: config.receive_buffer_bytes,
            user_timeout: Duration::from_millis(slow_and_told),
        }
    }

    /// A small send buffer, so that a slow reader is noticed early; a small receive buffer, so that
    /// one who floods is slowed early; and an end to a peer that takes nothing at all, which no
    /// close of ours could reach. Returns the peer's address.
    fn apply(self, stream: &TcpStream) -> Option<SocketAddr> {
        let socket = SockRef::from(stream);
        let tuned = socket
            .set_tcp_nodelay(true)
            .and_then(|()| socket.set_send_buffer_size(self.send_buffer))
            .and_then(|()| socket.set_recv_buffer_size(self.receive_buffer))
            .and_then(|()| socket.set_tcp_user_timeout(Some(self.user_timeout)));
        if let Err(error) = tuned {
            tracing::debug!(%error, "a socket could not be tuned");
        }
        stream.peer_addr().ok()
    }
}

fn bind(address: SocketAddr, accept_queue: i32) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A gateway that starts again must not wait for the last one's connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(accept_queue)?;
    Ok(socket.into())
}
