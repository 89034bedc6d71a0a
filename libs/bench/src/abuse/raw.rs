//! An attacker's socket: bytes on plain TCP, with as little work as can be.
use std::io::{Error, Result};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Who is turned away comes again so soon.
const AGAIN: Duration = Duration::from_millis(50);

/// Opens a WebSocket by hand, with a small receive buffer if one is named.
pub async fn open(url: &str, receive_bytes: Option<u32>) -> Result<TcpStream> {
    let rest = url.strip_prefix("ws://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host.parse().map_err(Error::other)?;
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let mut stream = socket.connect(address).await?;
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        return Ok(stream);
    }
    tokio::time::sleep(AGAIN).await;
    Err(Error::other("turned away"))
}

/// A masked frame; the mask is zero, so that the payload stands as it is.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// The header of a frame that claims so many bytes.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// Reads until the text has come, or the socket ends.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> Result<()> {
    let mut all = Vec::new();
    let mut chunk = [0; 1_024];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(Error::other("closed"));
        }
        all.extend_from_slice(&chunk[..read]);
        if all.windows(text.len()).any(|part| part == text.as_bytes()) {
            return Ok(());
        }
    }
}

/// Reads and forgets until the socket ends.
pub async fn drain(mut stream: impl AsyncReadExt + Unpin) {
    let mut chunk = vec![0; 16 * 1024];
    while stream.read(&mut chunk).await.is_ok_and(|read| read > 0) {}
}
