//! Somebody behind auth decides who connects and who comes into a room: what clients see of it.
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Refusal;
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Refusal as Refused};
use tokio::time::Instant;

use crate::fakes::id_of;
use crate::harness::{Inbound, Running, start};
use crate::streamer::{Streamer, Way};

/// The grace is longer than any test: whoever has no token must not get it.
async fn guarded() -> Running {
    let running = start(|config| config.connection.expiry_grace_ms = 600_000).await;
    *running.auth.guarded.lock() = vec!["private".to_owned()];
    running
}

async fn open(running: &Running) -> Inbound {
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    Inbound { client, incoming, connected: Value::Null }
}

fn refused(result: Result<Value, CommandError>) -> Refused {
    match result {
        Err(CommandError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn error(temporary: bool) -> Refusal {
    Refusal::Error { code: 1_402, message: "pay first".to_owned(), temporary }
}

fn disconnect(reconnect: bool) -> Refusal {
    Refusal::Disconnect { reason: "banned".to_owned(), reconnect }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_is_refused_in_the_words_of_whoever_decides() {
    let running = guarded().await;
    for temporary in [true, false] {
        *running.auth.refusal.lock() = Some(error(temporary));
        let ann = open(&running).await;
        let answer = refused(ann.client.command("connect", json!({"token": "ann"})).await);
        let message = "pay first".to_owned();
        assert_eq!(answer, Refused { code: 1_402, message, temporary });
    }
    for (reconnect, code) in [(true, 3011), (false, 3503)] {
        *running.auth.refusal.lock() = Some(disconnect(reconnect));
        let mut ann = open(&running).await;
        ann.client.begin_in_band("connect", json!({"token": "ann"})).await.unwrap();
        assert_eq!(ann.closed().await, code);
        let hello = Way::Lines.connect("ann");
        let mut stream = Streamer::open(running.address, Way::Lines, &hello).await;
        assert_eq!(stream.closed().await, (u64::from(code), reconnect));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_a_client_sends_first_is_shown_to_whoever_decides() {
    let running = guarded().await;
    let ann = open(&running).await;
    let hello = json!({
        "token": "ann", "data": {"tab": 7}, "name": "js", "version": "5.4", "headers": {"a": "b"},
    });
    ann.client.command("connect", hello).await.unwrap();
    let (_stream, _) = Streamer::connect(running.address, Way::Lines, "bob").await;
    ann.client.command("refresh", json!({"token": "ann"})).await.unwrap();
    let admissions = std::mem::take(&mut *running.auth.admissions.lock());
    let [first, second, third] = &admissions[..] else { panic!("{admissions:?}") };
    assert_eq!((first.token.as_str(), &first.data[..]), ("ann", &b"{\"tab\":7}"[..]));
    assert_eq!((first.name.as_str(), first.version.as_str()), ("js", "5.4"));
    assert_eq!((first.headers["a"].as_str(), &first.refresh), ("b", &None));
    for admission in &admissions {
        assert!(admission.address.is_some_and(|address| address.is_loopback()), "{admission:?}");
    }
    assert_eq!((second.token.as_str(), &second.refresh), ("bob", &None));
    assert_eq!(third.refresh, Some(id_of("ann")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_rooms_of_guarded_kinds_need_a_word_and_a_token_is_one() {
    let running = guarded().await;
    let ann = running.client("ann").await;
    let subscribe = |room: &str, more: Value| {
        let mut arguments = json!({"channel": room});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ann.client.command("subscribe", arguments)
    };
    subscribe("general", json!({"data": {"k": 0}})).await.unwrap();
    subscribe("private:1", json!({"token": "{}"})).await.unwrap();
    assert_eq!(*running.auth.asked.lock(), []);
    let joined = subscribe("private:2", json!({"data": {"k": 1}})).await.unwrap();
    assert_eq!((&joined["data"], joined.get("expires")), (&json!({"v": 1}), None));
    let expected = ("ann private:2".to_owned(), "{\"k\":1}".into());
    assert_eq!(*running.auth.asked.lock(), [expected]);

    *running.auth.refusal.lock() = Some(error(false));
    assert_eq!(refused(subscribe("private:3", json!({})).await).code, 1_402);
    *running.auth.refusal.lock() = None;
    running.auth.away.store(true, Ordering::SeqCst);
    assert!(refused(subscribe("private:3", json!({})).await).temporary);
    running.auth.away.store(false, Ordering::SeqCst);
    subscribe("private:3", json!({})).await.unwrap();
    *running.auth.refusal.lock() = Some(disconnect(false));
    let mut ann = ann;
    ann.client.begin_in_band("subscribe", json!({"channel": "private:4"})).await.unwrap();
    assert_eq!(ann.closed().await, 3503);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_without_a_token_ends_when_it_says_and_can_be_asked_for_again() {
    let running = guarded().await;
    *running.auth.grant_ttl_ms.lock() = Some(700);
    let mut ann = running.client("ann").await;
    let begun = Instant::now();
    let subscribe = || ann.client.command("subscribe", json!({"channel": "private:1"}));
    let joined = subscribe().await.unwrap();
    assert_eq!((joined.get("expires"), joined.get("ttl")), (None, None), "nothing to refresh");
    assert_eq!(ann.unsubscribed().await, 2501);
    assert!(begun.elapsed() >= Duration::from_millis(650), "too early: {:?}", begun.elapsed());
    *running.auth.grant_ttl_ms.lock() = None;
    ann.client.command("subscribe", json!({"channel": "private:1"})).await.unwrap();
    assert_eq!(running.auth.asked.lock().len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_token_comes_back_when_its_time_is_over() {
    let running = guarded().await;
    running.auth.anonymous.store(true, Ordering::SeqCst);
    *running.auth.ttl_ms.lock() = Some(700);
    let mut nobody = open(&running).await;
    let hello = nobody.client.command("connect", json!({"data": {"session": 1}})).await.unwrap();
    assert_eq!((hello.get("expires"), hello.get("ttl")), (None, None), "nothing to refresh");
    assert_eq!(nobody.closed().await, 3005);
    // Who showed one has the grace to refresh it.
    let ann = running.client("ann").await;
    assert_eq!(ann.connected["expires"], json!(true));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_refused_in_the_words_of_whoever_decides() {
    let running = guarded().await;
    let mut ann = running.client("ann").await;
    *running.auth.refusal.lock() = Some(error(true));
    let answer = ann.client.command("refresh", json!({"token": "ann"})).await;
    assert_eq!(refused(answer).code, 1_402);
    *running.auth.refusal.lock() = Some(disconnect(true));
    ann.client.begin_in_band("refresh", json!({"token": "ann"})).await.unwrap();
    assert_eq!(ann.closed().await, 3011);
    running.stop().await;
}
