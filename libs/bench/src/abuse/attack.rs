//! The attacks, each a child process of its own: it says "ready" and goes on until its standard
//! input ends.
use std::io::{Read, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::raw::{self, drain, frame, header, read_until};
use crate::target::Target;

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const BUSY: &str = "abuse-busy";
/// Attackers come as other users than the honest, who are the first.
const FIRST_USER: usize = 50;

/// An attack.
#[derive(Debug, Args)]
pub struct Attack {
    kind: Kind,
}

/// What the attackers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// 1,000 join a busy room and read nothing.
    SlowReaders,
    /// 1,000 open a socket and say nothing, again and again.
    SilentSockets,
    /// 50 send publishes, pings or unmasked bytes as fast as they can.
    Floods,
    /// 100 announce a frame of 1 GiB and send it.
    Oversize,
    /// 50 connect with tokens whose key nobody knows.
    UnknownKeys,
}

impl Kind {
    /// Its name in figures and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowReaders => "slow-readers",
            Self::SilentSockets => "silent-sockets",
            Self::Floods => "floods",
            Self::Oversize => "oversize",
            Self::UnknownKeys => "unknown-keys",
        }
    }

    /// How many attack, and how many of them must stand before the attack is under way.
    fn sizes(self) -> (usize, u64) {
        match self {
            Self::SlowReaders | Self::SilentSockets => (1_000, 1_000),
            Self::Oversize => (100, 0),
            Self::Floods | Self::UnknownKeys => (50, 0),
        }
    }
}

impl Attack {
    /// Attacks until standard input ends.
    pub async fn run(self, target: &Target) -> anyhow::Result<()> {
        let (attackers, wanted) = self.kind.sizes();
        let standing = Arc::new(AtomicU64::new(0));
        if self.kind == Kind::SlowReaders {
            let (url, token) = target.place(FIRST_USER);
            tokio::spawn(talk(url.to_owned(), token.to_owned()));
        }
        for index in 0..attackers {
            let (url, token) = target.place(FIRST_USER + index % 100);
            let one = One { url: url.to_owned(), token: token.to_owned(), index };
            let (kind, standing) = (self.kind, standing.clone());
            tokio::spawn(async move {
                loop {
                    // Whatever ends it: it comes again.
                    let _ended = one.attack(kind, &standing).await;
                }
            });
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while standing.load(Ordering::Relaxed) < wanted {
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "not all stand");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("ready");
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        Ok(())
    }
}

/// One attacker.
struct One {
    url: String,
    token: String,
    index: usize,
}

impl One {
    async fn attack(&self, kind: Kind, standing: &AtomicU64) -> Result<()> {
        match kind {
            Kind::SlowReaders => {
                let mut stream = raw::open(&self.url, Some(4_096)).await?;
                stream.write_all(&self.connect(&self.token)).await?;
                let join = json!({"id": 2, "subscribe": {"channel": BUSY}}).to_string();
                read_until(&mut stream, "\"connect\"").await?;
                stream.write_all(&frame(TEXT, join.as_bytes())).await?;
                read_until(&mut stream, "\"subscribe\"").await?;
                standing.fetch_add(1, Ordering::Relaxed);
                // It keeps the socket and takes nothing from it.
                std::future::pending::<()>().await;
            }
            Kind::SilentSockets => {
                let stream = raw::open(&self.url, None).await?;
                standing.fetch_add(1, Ordering::Relaxed);
                drain(stream).await;
            }
            Kind::Floods if self.index % 5 == 4 => {
                let mut stream = raw::open(&self.url, None).await?;
                stream.write_all(&[b'{'; 4_096]).await?;
                drain(stream).await;
            }
            Kind::Floods => {
                let mut stream = raw::open(&self.url, None).await?;
                stream.write_all(&self.connect(&self.token)).await?;
                read_until(&mut stream, "\"connect\"").await?;
                let publish = json!({"id": 9, "publish": {"channel": BUSY, "data": {"text": "x"}}});
                let one = match self.index % 5 {
                    3 => frame(PING, &[0; 100]),
                    _ => frame(TEXT, publish.to_string().as_bytes()),
                };
                pour(stream, &[], &one.repeat(256)).await?;
            }
            Kind::Oversize => {
                let stream = raw::open(&self.url, None).await?;
                pour(stream, &header(TEXT, 1 << 30), &[b'x'; 64 * 1024]).await?;
            }
            Kind::UnknownKeys => {
                let mut stream = raw::open(&self.url, None).await?;
                stream.write_all(&self.connect(&self.strange())).await?;
                read_until(&mut stream, "error").await?;
            }
        }
        Ok(())
    }

    fn connect(&self, token: &str) -> Vec<u8> {
        frame(TEXT, json!({"id": 1, "connect": {"token": token}}).to_string().as_bytes())
    }

    /// Its token, as if signed with a key that nobody has seen.
    fn strange(&self) -> String {
        static KEYS: AtomicU64 = AtomicU64::new(0);
        let key = format!("{}-{}", std::process::id(), KEYS.fetch_add(1, Ordering::Relaxed));
        let (head, rest) = self.token.split_once('.').unwrap_or((&self.token, ""));
        let head = BASE64_URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
        let mut head: Value = serde_json::from_slice(&head).unwrap_or_default();
        head["kid"] = key.into();
        format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(head.to_string()))
    }
}

/// Writes `first`, then `again` without end, and reads what comes meanwhile.
async fn pour(stream: TcpStream, first: &[u8], again: &[u8]) -> Result<()> {
    let (read, write) = stream.into_split();
    tokio::select! {
        ended = write_on(write, first, again) => ended,
        () = drain(read) => Ok(()),
    }
}

async fn write_on(mut write: OwnedWriteHalf, first: &[u8], again: &[u8]) -> Result<()> {
    write.write_all(first).await?;
    loop {
        write.write_all(again).await?;
    }
}

/// Keeps a room busy: 20 messages of 4 KiB a second.
async fn talk(url: String, token: String) {
    let Ok(mut socket) = crate::socket::Socket::connect(&url, &token).await else { return };
    let text = "x".repeat(4_096);
    let mut clock = tokio::time::interval(Duration::from_millis(50));
    loop {
        clock.tick().await;
        let message = json!({"channel": BUSY, "data": {"text": text}});
        if socket.call("publish", message).await.is_err() {
            return;
        }
    }
}
