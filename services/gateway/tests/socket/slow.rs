//! Clients that do not read: they cost themselves something, and nobody else.
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{SOON, start};
use crate::streamer::{Streamer, Way};

const BODY_BYTES: usize = 16 * 1024;

fn body() -> String {
    format!("\"{}\"", "x".repeat(BODY_BYTES))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_late_gets_everything_in_order() {
    let running = start(|_| {}).await;
    let mut late = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    let frame = "{\"id\":1,\"connect\":{\"token\":\"late\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"general\"}}";
    late.send(Message::text(frame)).await.unwrap();
    let mut quick = running.client("quick").await;
    quick.client.subscribe("general", None).await.unwrap();
    // It is subscribed when presence says so; it reads nothing meanwhile.
    poll::until(SOON, "subscribed", || async { running.presence.entered().0 == 2 }).await.unwrap();
    for _ in 0..600 {
        running.rooms.say("general", body());
    }
    for offset in 1..=600 {
        assert_eq!(quick.publication().await.0, offset);
    }
    let mut next = 1;
    while next <= 600 {
        let message = tokio::time::timeout(SOON, late.next()).await.unwrap().unwrap().unwrap();
        for line in message.to_text().unwrap().lines() {
            let reply: Value = serde_json::from_str(line).unwrap();
            if let Some(offset) = reply["push"]["pub"]["offset"].as_u64() {
                assert_eq!(offset, next);
                next += 1;
            }
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_let_go() {
    let running = start(|config| config.limits.slow_ms = 1_000).await;
    let mut stuck = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    let frame = "{\"id\":1,\"connect\":{\"token\":\"stuck\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"general\"}}";
    stuck.send(Message::text(frame)).await.unwrap();
    poll::until(SOON, "subscribed", || async { running.presence.entered().0 == 1 }).await.unwrap();
    for _ in 0..1_000 {
        running.rooms.say("general", body());
    }
    assert_eq!(running.gateway.hub().connections(), 1);
    poll::until(SOON, "let go", || async { running.gateway.hub().connections() == 0 })
        .await
        .unwrap();
    poll::until(SOON, "its presence is gone", || async { running.presence.here() == 0 })
        .await
        .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_never_finished_is_not_waited_for() {
    let running = start(|config| config.limits.frame_timeout_ms = 300).await;
    let mut socket = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n",
        running.address
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    // A masked text frame of 100 bytes, of which 3 come.
    socket.write_all(&[0x81, 0x80 | 100, 1, 2, 3, 4, 5, 6, 7]).await.unwrap();
    let mut all = Vec::new();
    let read = tokio::time::timeout(SOON, socket.read_to_end(&mut all)).await;
    read.expect("the socket ends").unwrap();
    let close = &4001_u16.to_be_bytes();
    let found = all.windows(4).any(|part| part[0] == 0x88 && &part[2..4] == close);
    assert!(found, "{:?}", String::from_utf8_lossy(&all));
    poll::until(Duration::from_secs(5), "gone", || async {
        running.gateway.hub().connections() == 0
    })
    .await
    .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_ended_and_told_why() {
    let running = start(|config| {
        config.http.sse = true;
        (config.limits.slow_ms, config.limits.close_ms) = (1_000, 10_000);
    })
    .await;
    for (n, way) in [Way::Lines, Way::Events].into_iter().enumerate() {
        let (mut stuck, _) = Streamer::connect(running.address, way, "stuck").await;
        stuck.ask(running.address, "subscribe", json!({"channel": "general"})).await;
        poll::until(SOON, "subscribed", || async { running.presence.entered().0 == n + 1 })
            .await
            .unwrap();
        for _ in 0..1_000 {
            running.rooms.say("general", body());
        }
        poll::until(SOON, "let go", || async { running.gateway.hub().connections() == 0 })
            .await
            .unwrap();
        // It reads again: what was on its way, then why, then the end of body and socket.
        assert_eq!(stuck.closed().await, (3008, true), "{way:?}");
        let mut rest = Vec::new();
        let end = tokio::time::timeout(SOON, stuck.socket().read_to_end(&mut rest)).await;
        assert_eq!(end.expect("an end").unwrap(), 0);
    }
    running.stop().await;
}
