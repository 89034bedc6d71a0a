//! Whether the nginx of this container answers with the page's settings.
//!
//! One request on loopback, bounded in time and in size.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Where nginx.conf listens.
const PORT: u16 = 8080;
const PATIENCE: Duration = Duration::from_secs(1);
const ANSWER_BYTES_MAX: u64 = 4096;

/// Fails if it is not well.
pub fn ask() -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let mut socket =
        TcpStream::connect_timeout(&address, PATIENCE).with_context(|| address.to_string())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /config.json HTTP/1.1\r\nhost: page\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let first = answer.lines().next().unwrap_or_default();
    ensure!(first.starts_with("HTTP/1.1 200 "), "{first}");
    ensure!(answer.contains("\"client_id\""), "no settings");
    Ok(())
}
