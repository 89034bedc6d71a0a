//! Bytes on a plain TCP socket: frames that no library would send.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Running, SOON, start};

pub const UPGRADE: &str = "HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n";

/// An open socket, its upgrade answered.
pub async fn upgraded(running: &Running) -> TcpStream {
    upgraded_at(running, "/ws").await
}

/// The same at a path.
pub async fn upgraded_at(running: &Running, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    socket.write_all(format!("GET {path} {UPGRADE}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(timeout(SOON, socket.read_u8()).await.unwrap().unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    socket
}

/// The code of the close frame that comes next.
pub async fn close_code(socket: &mut (impl AsyncReadExt + Unpin)) -> u16 {
    let mut head = [0; 4];
    timeout(SOON, socket.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(head[0], 0x88, "no close frame: {head:02x?}");
    u16::from_be_bytes([head[2], head[3]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_refused_on_its_header_and_the_close_arrives() {
    let running = start(|_| {}).await;
    for length in [65_537u64, 1 << 30, (1 << 63) - 1, u64::MAX] {
        let mut socket = upgraded(&running).await;
        // The header alone; not one byte of what it promises.
        socket.write_all(&[0x81, 0xff]).await.unwrap();
        socket.write_all(&length.to_be_bytes()).await.unwrap();
        assert_eq!(close_code(&mut socket).await, 1009, "{length}");
    }
    // And with the payload pouring in: the peer reads a close frame, no reset.
    let (mut read, mut write) = upgraded(&running).await.into_split();
    let flood = tokio::spawn(async move {
        let header = [&[0x81, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat();
        write.write_all(&header).await?;
        for _ in 0..256 {
            write.write_all(&[0; 64 * 1024]).await?;
        }
        Ok::<_, std::io::Error>(write)
    });
    assert_eq!(close_code(&mut read).await, 1009);
    // Whether the rest was read or cut off is the gateway's affair.
    let _ = timeout(SOON, flood).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_standard_forbids_is_closed_with_1002() {
    let running = start(|_| {}).await;
    for (what, bytes) in [
        ("unmasked", &[0x81, 0x02, b'{', b'}'][..]),
        ("reserved bit", &[0xc1, 0x80, 0, 0, 0, 0]),
        ("reserved opcode", &[0x83, 0x80, 0, 0, 0, 0]),
        ("long ping", &[0x89, 0xfe, 0, 126]),
        ("fragmented close", &[0x08, 0x80, 0, 0, 0, 0]),
        ("continuation of nothing", &[0x80, 0x80, 0, 0, 0, 0]),
    ] {
        let mut socket = upgraded(&running).await;
        socket.write_all(bytes).await.unwrap();
        assert_eq!(close_code(&mut socket).await, 1002, "{what}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_is_not_waited_for_without_end() {
    let running = start(|config| config.limits.frame_timeout_ms = 300).await;
    for begun in [&[0x81][..], &[0x81, 0x85, 1, 2, 3, 4, b'h'], &[0x01, 0x80, 1, 2, 3, 4]] {
        let mut socket = upgraded(&running).await;
        socket.write_all(begun).await.unwrap();
        assert_eq!(close_code(&mut socket).await, 4001, "{begun:02x?}");
    }
    // A connection between two frames may be silent for longer.
    let mut socket = upgraded(&running).await;
    socket.write_all(&[0x89, 0x80, 1, 2, 3, 4]).await.unwrap();
    let mut pong = [0; 2];
    timeout(SOON, socket.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(pong, [0x8a, 0]);
    assert!(timeout(Duration::from_millis(900), socket.read_u8()).await.is_err());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_legal_before_a_bad_frame_is_answered() {
    let running = start(|_| {}).await;
    let mut socket = upgraded(&running).await;
    let command = br#"{"id":1,"connect":{"token":"ann"}}"#;
    let mut bytes = vec![0x81, 0x80 | command.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(command);
    bytes.extend_from_slice(&[0x82, 0xff]);
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    socket.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("\"connect\":{"), "{text}");
    let close = [0x88u8, 2 + "message too big".len() as u8, 0x03, 0xf1];
    assert!(answer.windows(4).any(|part| part == close), "{answer:02x?}");
    running.stop().await;
}
