//! Subscriptions by an order: made while the connection lives, once, and ended as others are.
use std::sync::atomic::Ordering;

use bytes::Bytes;
use domain::{Order, OrderAct, RoomName};
use serde_json::{Value, json};
use testkit::poll;

use crate::fakes::{id_of, now_ms};
use crate::harness::{Inbound, Running, SOON, start};

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

/// Gives an order that was made so many milliseconds after now; when that was.
fn give(running: &Running, number: u64, after_ms: i64, act: OrderAct) -> i64 {
    let time_ms = now_ms() + after_ms;
    running.rooms.orders.send(Order { number, time_ms, act }).unwrap();
    time_ms
}

fn subscribe(running: &Running, number: u64, user: &str, name: &str) -> i64 {
    let (target, data) = (id_of(user), Bytes::from_static(b"{\"by\":\"root\"}"));
    give(running, number, 1, OrderAct::Subscribe { target, room: room(name), data })
}

fn unsubscribe(running: &Running, number: u64, after_ms: i64, user: &str, name: &str) {
    let (target, reason) = (id_of(user), String::new());
    give(running, number, after_ms, OrderAct::Unsubscribe { target, room: room(name), reason });
}

/// The next subscribe push: its room and what it says.
async fn subscribed(member: &mut Inbound) -> (String, Value) {
    loop {
        let push = member.push().await;
        if let Some(subscribe) = push.subscribe {
            return (push.channel.to_string(), *subscribe);
        }
    }
}

/// A notice that comes after all that was ordered before it.
async fn hears_nothing_but_a_notice(running: &Running, number: u64, member: &mut Inbound) {
    let (id, text) = ("n".to_owned(), "hear".to_owned());
    let level = domain::NoticeLevel::Info;
    give(running, number, 0, OrderAct::Notice(domain::Notice { id, text, level }));
    let push = member.push().await;
    assert_eq!(&*push.channel, "system", "{push:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_subscribes_every_connection_of_a_principal_and_no_other() {
    let running = start(|_| {}).await;
    running.rooms.say("ticket-1", "\"before\"");
    let mut both = [running.client("ann").await, running.client("ann").await];
    let mut bob = running.client("bob").await;
    let ordered_ms = subscribe(&running, 1, "ann", "ticket-1");
    for ann in &mut both {
        let (name, push) = subscribed(ann).await;
        assert_eq!((name.as_str(), &push["offset"]), ("ticket-1", &json!(1)));
        assert_eq!((&push["recoverable"], &push["positioned"]), (&json!(true), &json!(true)));
        assert_eq!(push["data"], json!({"by": "root"}));
        assert!(!push["epoch"].as_str().unwrap().is_empty());
    }
    running.rooms.say("ticket-1", "\"after\"");
    for ann in &mut both {
        assert_eq!(ann.publication().await, (2, "\"after\"".to_owned()));
        let here = ann.client.command("presence", json!({"channel": "ticket-1"})).await.unwrap();
        assert_eq!(here["presence"].as_object().unwrap().len(), 2);
    }
    hears_nothing_but_a_notice(&running, 2, &mut bob).await;
    // Only what the token says is there again after a reconnect.
    poll::until(SOON, "it is later", || async { now_ms() > ordered_ms }).await.unwrap();
    let mut again = running.client("ann").await;
    assert!(again.connected["subs"].get("ticket-1").is_none());
    hears_nothing_but_a_notice(&running, 3, &mut again).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_room_already_hears_nothing_of_an_order_nor_of_its_repetition() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    subscribe(&running, 1, "ann", "general");
    hears_nothing_but_a_notice(&running, 2, &mut ann).await;
    subscribe(&running, 3, "ann", "other");
    assert_eq!(subscribed(&mut ann).await.0, "other");
    subscribe(&running, 3, "ann", "other");
    subscribe(&running, 4, "ann", "other");
    hears_nothing_but_a_notice(&running, 5, &mut ann).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_order_ends_it_and_an_earlier_one_does_not_whatever_the_clocks_say() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    subscribe(&running, 2, "ann", "general");
    assert_eq!(subscribed(&mut ann).await.0, "general");
    // Its rooms pod's clock is an hour behind that of the first.
    unsubscribe(&running, 3, -3_600_000, "ann", "general");
    assert_eq!(ann.unsubscribed().await, 2000);
    subscribe(&running, 5, "ann", "general");
    assert_eq!(subscribed(&mut ann).await.0, "general");
    let presence = json!({"channel": "general"});
    assert!(ann.client.command("presence", presence).await.is_ok(), "it is in the room");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_tried_again_while_its_room_cannot_be_asked_and_ended_by_a_later_one() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    running.rooms.away.store(true, Ordering::SeqCst);
    subscribe(&running, 1, "ann", "general");
    subscribe(&running, 2, "ann", "other");
    unsubscribe(&running, 3, 2_000, "ann", "general");
    hears_nothing_but_a_notice(&running, 4, &mut ann).await;
    running.rooms.away.store(false, Ordering::SeqCst);
    assert_eq!(subscribed(&mut ann).await.0, "other", "general was taken back meanwhile");
    let general = ann.client.command("presence", json!({"channel": "general"})).await;
    assert!(general.is_err());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_brings_nobody_beyond_the_bounds_or_where_the_room_refuses() {
    let running = start(|config| config.limits.subscriptions_max = 1).await;
    let mut ann = running.client("ann").await;
    subscribe(&running, 1, "ann", "secret-1");
    subscribe(&running, 2, "ann", "system");
    hears_nothing_but_a_notice(&running, 3, &mut ann).await;
    // What was refused takes no place.
    poll::until(SOON, "it is let go", || async {
        ann.client.subscribe("general", None).await.is_ok()
    })
    .await
    .unwrap();
    subscribe(&running, 4, "ann", "other");
    hears_nothing_but_a_notice(&running, 5, &mut ann).await;
    running.stop().await;
}
