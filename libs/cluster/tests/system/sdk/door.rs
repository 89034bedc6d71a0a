//! A door: the one address that an SDK is given, as a load balancer is one before the gateways.
//!
//! It leads to its own gateway, and to another while that one is dead. It can be cut, so that a
//! connection ends without a close frame, and shut, so that its clients are offline.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A front on loopback. Ends when dropped.
pub struct Door {
    address: SocketAddr,
    hinge: Arc<Hinge>,
    running: AbortHandle,
}

struct Hinge {
    /// Ports of the gateways, the preferred one first.
    gateways: Vec<u16>,
    shut: AtomicBool,
    /// Whether the next connection ends after the gateway's first answer.
    brief: AtomicBool,
    /// Counts cuts; each connection ends with the next one.
    cuts: watch::Sender<u64>,
}

impl Door {
    /// Opens a door to the first of these ports that takes a connection.
    pub async fn open(gateways: Vec<u16>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shut, brief) = (AtomicBool::new(false), AtomicBool::new(false));
        let hinge = Arc::new(Hinge { gateways, shut, brief, cuts: watch::Sender::new(0) });
        let running = tokio::spawn(accept(listener, Arc::clone(&hinge))).abort_handle();
        Self { address, hinge, running }
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection without a word.
    pub fn cut(&self) {
        self.hinge.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The same, and the next connection too, after it has got its first answer.
    pub fn cut_twice(&self) {
        self.hinge.brief.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Ends every connection and every attempt at one, until [`Self::reopen`].
    pub fn shut(&self) {
        self.hinge.shut.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Takes connections again.
    pub fn reopen(&self) {
        self.hinge.shut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.running.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, hinge: Arc<Hinge>) {
    while let Ok((inside, _)) = listener.accept().await {
        tokio::spawn(carry(inside, Arc::clone(&hinge)));
    }
}

async fn carry(mut inside: TcpStream, hinge: Arc<Hinge>) {
    let mut cuts = hinge.cuts.subscribe();
    if hinge.shut.load(Ordering::SeqCst) {
        return;
    }
    let Some(mut outside) = hinge.gateway().await else { return };
    if hinge.brief.swap(false, Ordering::SeqCst) {
        return carry_one_answer(inside, outside).await;
    }
    tokio::select! {
        _ = copy_bidirectional(&mut inside, &mut outside) => {}
        _ = cuts.changed() => {}
    }
}

/// Carries the upgrade and the first answer; the client is connected then, and loses it at once.
async fn carry_one_answer(mut inside: TcpStream, mut outside: TcpStream) {
    let (mut asks, mut hears) = inside.split();
    let (mut answers, mut gateway) = outside.split();
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        for _ in ["upgrade", "answer"] {
            let read = answers.read(&mut buffer).await?;
            hears.write_all(&buffer[..read]).await?;
        }
        std::io::Result::Ok(())
    };
    tokio::select! {
        _ = down => {}
        _ = copy(&mut asks, &mut gateway) => {}
    }
}

impl Hinge {
    async fn gateway(&self) -> Option<TcpStream> {
        for port in &self.gateways {
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await {
                let _ = stream.set_nodelay(true);
                return Some(stream);
            }
        }
        None
    }
}
