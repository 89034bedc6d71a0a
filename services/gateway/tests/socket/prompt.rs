//! How soon the TCP connection ends once both sides have said their last word.
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Running, SOON, start};
use crate::raw::upgraded;
use crate::streamer::{Streamer, Way};

/// Of each kind of close.
const ROUNDS: usize = 20;
/// Generous, for machines that do much else; the figure itself is printed.
const PROMPT: Duration = Duration::from_secs(1);

/// A masked frame; the mask is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// From when the last frame was sent until the peer has ended the connection, with nothing more
/// to read.
async fn until_end(socket: &mut TcpStream, told: Instant) -> Duration {
    let mut rest = Vec::new();
    let read = timeout(SOON, socket.read_to_end(&mut rest)).await.expect("an end");
    assert!(read.is_ok_and(|bytes| bytes == 0), "{rest:02x?}");
    told.elapsed()
}

/// The gateway closes; the peer answers.
async fn ours(running: &Running, sent: &[u8], code: u16) -> Duration {
    let mut socket = upgraded(running).await;
    socket.write_all(sent).await.unwrap();
    let mut head = [0; 2];
    timeout(SOON, socket.read_exact(&mut head)).await.unwrap().unwrap();
    let mut close = vec![0; usize::from(head[1])];
    timeout(SOON, socket.read_exact(&mut close)).await.unwrap().unwrap();
    assert_eq!((head[0], &close[..2]), (0x88, &code.to_be_bytes()[..]));
    let told = Instant::now();
    socket.write_all(&frame(0x88, &code.to_be_bytes())).await.unwrap();
    until_end(&mut socket, told).await
}

/// The peer closes; the gateway answers.
async fn theirs(running: &Running, connect: &[u8]) -> Duration {
    let mut socket = upgraded(running).await;
    socket.write_all(connect).await.unwrap();
    let told = Instant::now();
    socket.write_all(&frame(0x88, &1_000_u16.to_be_bytes())).await.unwrap();
    let mut all = Vec::new();
    // The answer of a connect may come before.
    while !all.ends_with(&[0x88, 2, 0x03, 0xe8]) {
        all.push(timeout(SOON, socket.read_u8()).await.unwrap().unwrap());
    }
    until_end(&mut socket, told).await
}

fn report(what: &str, all: &mut [Duration]) {
    all.sort_unstable();
    let worst = all.last().copied().unwrap_or_default();
    println!("{what}: half within {:?}, all within {worst:?}", all[all.len() / 2]);
    assert!(worst < PROMPT, "{what}: {worst:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_at_once_when_both_have_closed() {
    let running = start(|_| {}).await;
    let connect = frame(0x81, br#"{"id":1,"connect":{"token":"ann"}}"#);
    let huge = [&[0x81, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4], b"begun"].concat();
    let mut all = Vec::new();
    for (what, sent, code) in [
        ("unmasked, 1002", b"\x81\x02{}".to_vec(), 1002),
        ("no text, 1007", frame(0x81, b"\xff\xfe"), 1007),
        ("too big, 1009", huge, 1009),
        ("no command, 3501", frame(0x81, b"nonsense"), 3501),
    ] {
        let mut some = Vec::new();
        for _ in 0..ROUNDS {
            some.push(ours(&running, &sent, code).await);
        }
        report(what, &mut some);
        all.extend(some);
    }
    for (what, sent) in [("the peer closes before it connects", &[][..]), ("and after", &connect)] {
        let mut some = Vec::new();
        for _ in 0..ROUNDS {
            some.push(theirs(&running, sent).await);
        }
        report(what, &mut some);
        all.extend(some);
    }
    report("all closes", &mut all);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streams_socket_ends_with_its_body() {
    let running = start(|config| config.http.sse = true).await;
    for way in Way::ALL {
        let mut some = Vec::new();
        for _ in 0..ROUNDS {
            let (mut ann, _) = Streamer::connect(running.address, way, "ann").await;
            let told = Instant::now();
            assert_eq!(ann.send(running.address, b"nonsense").await, 204);
            assert_eq!(ann.closed().await.0, 3501);
            some.push(until_end(ann.socket(), told).await);
        }
        report(&format!("{way:?}"), &mut some);
    }
    running.stop().await;
}
