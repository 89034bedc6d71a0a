//! The limits that stand at the door: upgrades, connects, API calls.
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gateway::limit::{Limit, LimitsConfig};
use serde_json::json;
use testkit::client::Client;
use testkit::poll;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{ask, bites, bitten, code, limited, status};
use crate::harness::{Running, SOON};
use crate::raw::UPGRADE;

fn request() -> String {
    format!("GET /ws {UPGRADE}")
}

async fn upgrade(running: &Running) -> u16 {
    status(&ask(running, &request()).await.0)
}

fn call(path: &str, body: &str, length: usize) -> String {
    let method = if length > 0 { "POST" } else { "GET" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ann\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

pub async fn a_full_gateway() {
    let running = limited(|limits| limits.connections_max = 1).await;
    let ann = running.client("ann").await;
    assert_eq!(upgrade(&running).await, 503);
    drop(ann);
    running.stop().await;
}

pub async fn a_user_with_many_connections() {
    let running = limited(|limits| limits.connections_per_user_max = 1).await;
    let ann = running.client("ann").await;
    let (second, _incoming) = Client::open(&running.url).await.unwrap();
    assert_eq!(code(second.command("connect", json!({"token": "ann"})).await), 106);
    let bob = running.client("bob").await;
    drop((ann, bob));
    running.stop().await;
}

pub async fn an_address_with_many_connections() {
    let running = limited(|limits| limits.connections_per_address_max = 2).await;
    let (ann, bob) = (running.client("ann").await, running.client("bob").await);
    assert_eq!(upgrade(&running).await, 503);
    // A place that is given back is taken again, as often as one likes.
    drop(ann);
    poll::until(SOON, "a place", || async { running.gateway.hub().connections() == 1 })
        .await
        .unwrap();
    assert_eq!(upgrade(&running).await, 101);
    drop(bob);
    running.stop().await;
}

pub async fn an_address_that_never_connects() {
    let running = limited(|limits| limits.unauthenticated_per_address_max = 1).await;
    let (silent, mut incoming) = Client::open(&running.url).await.unwrap();
    assert_eq!(upgrade(&running).await, 503);
    // Who is connected does not count.
    silent.command("connect", json!({"token": "ann"})).await.unwrap();
    let bob = running.client("bob").await;
    let (_gone, socket) = ask(&running, &request()).await;
    assert_eq!(upgrade(&running).await, 503);
    drop(socket);
    poll::until(SOON, "a place", || async { running.gateway.hub().connections() == 2 })
        .await
        .unwrap();
    assert_eq!(upgrade(&running).await, 101);
    incoming.close();
    drop((silent, bob));
    running.stop().await;
}

pub async fn a_herd() {
    let running =
        limited(|limits| (limits.upgrades_per_second, limits.upgrades_burst) = (1, 1)).await;
    assert_eq!(upgrade(&running).await, 101);
    assert_eq!(upgrade(&running).await, 503);
    running.stop().await;
}

pub async fn a_herd_from_one_address() {
    let running = limited(|limits| {
        (limits.upgrades_per_second_per_address, limits.upgrades_burst_per_address) = (1, 1);
    })
    .await;
    assert_eq!(upgrade(&running).await, 101);
    assert_eq!(upgrade(&running).await, 503);
    running.stop().await;
}

/// A gateway whose one address has just broken the rules once too often.
async fn offended(change: impl FnOnce(&mut LimitsConfig)) -> Running {
    let running = limited(|limits| {
        (limits.offences_per_second, limits.offences_burst) = (1, 1);
        change(limits);
    })
    .await;
    let before = bites(Limit::Offences);
    let offend = || async {
        let (client, incoming) = Client::open(&running.url).await.unwrap();
        client.raw(Message::text("{no command")).await.unwrap();
        let mut bad = crate::harness::Inbound { client, incoming, connected: json!(null) };
        assert_eq!(bad.closed().await, 3501);
    };
    poll::until(SOON, "an offence too many", || async {
        offend().await;
        bites(Limit::Offences) > before
    })
    .await
    .unwrap();
    running
}

pub async fn one_that_breaks_rules_again_and_again() {
    // One in a second, so that the second one waits for a second at least.
    let running = offended(|limits| limits.offender_connects_per_second = 1).await;
    let begun = Instant::now();
    let (upgraded, called) = tokio::join!(upgrade(&running), async {
        status(&ask(&running, &call("/api/v1/me", "", 0)).await.0)
    });
    assert_eq!((upgraded, called), (101, 200));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    running.stop().await;
}

pub async fn offenders_without_end() {
    let running = offended(|limits| {
        limits.offender_connects_per_second = 1;
        (limits.offender_ms, limits.offenders_waiting_max) = (600_000, 1);
    })
    .await;
    // One of two waits, and the other one is not let in at all.
    let asked = || async { timeout(SOON / 50, upgrade(&running)).await.ok() };
    poll::until(SOON, "a refusal", || async {
        let (one, other) = tokio::join!(asked(), asked());
        matches!((one, other), (None, Some(503)) | (Some(503), None))
    })
    .await
    .unwrap();
    running.stop().await;
}

pub async fn one_that_says_nothing() {
    let running = limited(|limits| limits.connect_timeout_ms = 300).await;
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    let mut silent = crate::harness::Inbound { client, incoming, connected: json!(null) };
    assert_eq!(silent.closed().await, 4000);
    running.stop().await;
}

pub async fn connects_that_wait_their_turn() {
    let running = limited(|limits| limits.connects_in_flight_max = 1).await;
    running.auth.pause_ms.store(200, Ordering::SeqCst);
    let all = ["ann", "bob", "cid"].map(|user| running.client(user));
    let connected = futures_util::future::join_all(all).await;
    assert!(connected.iter().all(|client| client.connected["client"].is_string()));
    drop(connected);
    running.stop().await;
}

pub async fn much_before_the_connect() {
    let running = limited(|limits| limits.bytes_before_connect_max = 1_024).await;
    let connect = |token: &str| json!({"id": 1, "connect": {"token": token}}).to_string();
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    let mut early = crate::harness::Inbound { client, incoming, connected: json!(null) };
    // Pings count too: only together they are too much.
    early.client.raw(Message::Ping(vec![0; 125].into())).await.unwrap();
    early.client.raw(Message::text(connect(&"x".repeat(900)))).await.unwrap();
    assert_eq!(early.closed().await, 1009);
    let large = connect(&"x".repeat(1_100));
    let request = call("/connection/http_stream", &large, large.len());
    assert_eq!(status(&ask(&running, &request).await.0), 413);
    let ann = running.client(&"a".repeat(900)).await;
    ann.client.command("rpc", json!({"method": "x".repeat(2_000)})).await.unwrap_err();
    running.stop().await;
}

pub async fn calls_without_end() {
    let running =
        limited(|limits| (limits.requests_per_second, limits.requests_burst) = (1, 1)).await;
    let me = call("/api/v1/me", "", 0);
    assert_eq!(status(&ask(&running, &me).await.0), 200);
    assert_eq!(status(&ask(&running, &me).await.0), 429);
    running.stop().await;
}

pub async fn too_many_calls_at_once() {
    let running = limited(|limits| limits.requests_in_flight_max = 1).await;
    running.auth.pause_ms.store(500, Ordering::SeqCst);
    let me = call("/api/v1/me", "", 0);
    let (first, second) = futures_util::join!(ask(&running, &me), ask(&running, &me));
    let mut both = [status(&first.0), status(&second.0)];
    both.sort_unstable();
    assert_eq!(both, [200, 503]);
    running.stop().await;
}

pub async fn a_large_body() {
    let running = limited(|limits| limits.body_bytes_max = 1_024).await;
    let body = "x".repeat(2_000);
    let request = call("/api/v1/rooms/general/messages", &body, body.len());
    assert_eq!(status(&ask(&running, &request).await.0), 413);
    running.stop().await;
}

pub async fn a_body_that_does_not_come() {
    let running = limited(|limits| limits.body_timeout_ms = 300).await;
    let before = bites(Limit::BodyTimeout);
    let request = call("/api/v1/rooms/general/messages", "{", 100);
    let answer = timeout(Duration::from_secs(5), ask(&running, &request)).await;
    assert_eq!(status(&answer.unwrap().0), 408);
    bitten(Limit::BodyTimeout, before).await;
    running.stop().await;
}
