//! The limits on peers that are slow, silent or half open.
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use gateway::limit::Limit;
use testkit::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{bites, bitten, limited};
use crate::harness::{Running, SOON, start};
use crate::raw::{close_code, upgraded};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A member of a room that reads nothing from now on.
async fn member(running: &Running, room: &str) -> Socket {
    let mut socket = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    let frame = format!(
        "{{\"id\":1,\"connect\":{{\"token\":\"ann\"}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{room}\"}}}}"
    );
    socket.send(Message::text(frame)).await.unwrap();
    poll::until(SOON, "subscribed", || async { running.presence.entered().0 == 1 }).await.unwrap();
    socket
}

/// Says something large until a limit bites.
async fn say_until(running: &Running, room: &str, limit: Limit, before: u64) {
    let body = format!("\"{}\"", "x".repeat(16 * 1024));
    poll::until(SOON, limit.key(), || async {
        (0..100).for_each(|_| {
            running.rooms.say(room, body.clone());
        });
        bites(limit) > before
    })
    .await
    .unwrap();
}

/// The code with which a socket is closed that reads again.
async fn code(socket: &mut Socket) -> u16 {
    loop {
        let next = timeout(SOON, socket.next()).await.expect("something comes in time");
        if let Some(Ok(Message::Close(frame))) = &next {
            return frame.as_ref().expect("a code").code.into();
        }
        assert!(matches!(next, Some(Ok(_))), "ended without a close: {next:?}");
    }
}

pub async fn a_feed_that_waits() {
    let running = limited(|limits| limits.feed_pause_bytes = 1_024).await;
    let before = bites(Limit::FeedPause);
    let mut late = member(&running, "general").await;
    say_until(&running, "general", Limit::FeedPause, before).await;
    // It goes on where it was: the first item is there, and nobody was closed.
    let mut text = String::new();
    while !text.contains("\"offset\":1,") && !text.contains("\"offset\":1}") {
        let next = timeout(SOON, late.next()).await.unwrap().unwrap().unwrap();
        text = next.to_text().unwrap().to_owned();
    }
    drop(late);
    running.stop().await;
}

pub async fn pushes_that_pile_up() {
    let running = start(|config| {
        config.limits.replies_bytes_max = 65_536;
        config.room.recovery_bytes = 1_024;
        config.limits.close_ms = 10_000;
    })
    .await;
    let before = bites(Limit::Replies);
    // A room without a log: what is not sent now is lost.
    let mut stuck = member(&running, "live").await;
    say_until(&running, "live", Limit::Replies, before).await;
    assert_eq!(code(&mut stuck).await, 3008);
    running.stop().await;
}

pub async fn one_that_reads_nothing() {
    let running = limited(|limits| (limits.slow_ms, limits.close_ms) = (1_000, 10_000)).await;
    let before = bites(Limit::Slow);
    let mut stuck = member(&running, "general").await;
    say_until(&running, "general", Limit::Slow, before).await;
    assert_eq!(code(&mut stuck).await, 3008);
    running.stop().await;
}

pub async fn one_that_is_half_open() {
    let running = start(|config| {
        config.connection.ping_ms = 1_000;
        config.limits.pong_ms = 500;
    })
    .await;
    let mut silent = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    silent.send(Message::text("{\"id\":1,\"connect\":{\"token\":\"ann\"}}")).await.unwrap();
    assert_eq!(code(&mut silent).await, 3012);
    running.stop().await;
}

pub async fn one_that_answers_no_close() {
    let running = limited(|limits| limits.close_ms = 300).await;
    let before = bites(Limit::Close);
    let mut socket = upgraded(&running).await;
    // Unmasked, so it is closed; the peer leaves that unanswered.
    socket.write_all(&[0x81, 0x02, b'{', b'}']).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 1002);
    let told = Instant::now();
    let mut rest = Vec::new();
    timeout(SOON, socket.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(told.elapsed() >= Duration::from_millis(250), "{:?}", told.elapsed());
    bitten(Limit::Close, before).await;
    running.stop().await;
}
