//! A connection's life: connect, pings, tokens, orders, presence, drain.
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::{Order, OrderAct};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming};
use testkit::poll;
use tokio_tungstenite::tungstenite::Message;

use crate::fakes::{id_of, now_ms};
use crate::harness::{Inbound, Running, SOON, start};

async fn unconnected(running: &Running) -> Inbound {
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    Inbound { client, incoming, connected: Value::Null }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_is_told_what_a_page_needs() {
    let running = start(|_| {}).await;
    *running.auth.ttl_ms.lock() = Some(60_000);
    let ann = running.client("ann").await;
    let result = &ann.connected;
    assert_eq!((&result["ping"], &result["pong"]), (&json!(25), &json!(true)));
    assert_eq!((&result["expires"], &result["ttl"]), (&json!(true), &json!(60)));
    assert_eq!(result["data"]["gateway"], json!("g1"));
    let personal = format!("user:{}", id_of("ann").hash());
    assert_eq!(result["data"]["user_channel"], json!(personal));
    assert!(result["subs"].get("system").is_some() && result["subs"].get(&personal).is_some());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_connect_in_its_frame_waits_for_it() {
    let running = start(|_| {}).await;
    let mut raw = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    let frame = "{\"id\":1,\"connect\":{\"token\":\"ann\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"general\"}}\n{\"id\":3,\"subscribe\":{\"channel\":\"other\"}}\n";
    raw.send(Message::text(frame)).await.unwrap();
    let mut ids = Vec::new();
    while ids.len() < 3 {
        let message = tokio::time::timeout(SOON, raw.next()).await.unwrap().unwrap().unwrap();
        for line in message.to_text().unwrap().lines() {
            let reply: Value = serde_json::from_str(line).unwrap();
            assert!(reply.get("error").is_none(), "{reply}");
            ids.extend(reply.get("id").and_then(Value::as_u64));
        }
    }
    assert_eq!(ids[0], 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_proved_bad_closes_for_good() {
    let running = start(|_| {}).await;
    let mut bad = unconnected(&running).await;
    bad.client.begin_in_band("connect", json!({"token": "bad"})).await.unwrap();
    assert_eq!(bad.closed().await, 3500);

    let old = unconnected(&running).await;
    let answer = old.client.command("connect", json!({"token": "old"})).await;
    assert!(matches!(answer, Err(CommandError::Refused(refusal)) if refusal.code == 109));

    running.auth.away.store(true, Ordering::SeqCst);
    let mut early = unconnected(&running).await;
    let answer = early.client.command("connect", json!({"token": "ann"})).await;
    assert!(matches!(answer, Err(CommandError::Refused(refusal)) if refusal.temporary));
    // After an error reply the connection is unusable.
    early.client.begin_in_band("subscribe", json!({"channel": "general"})).await.unwrap();
    assert_eq!(early.closed().await, 3501);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_connect_is_closed_and_may_come_back() {
    let running = start(|config| config.limits.connect_timeout_ms = 300).await;
    let mut silent = unconnected(&running).await;
    assert_eq!(silent.closed().await, 4000);
    // A connect that failed for a moment's reason gets no terminal code either.
    running.auth.away.store(true, Ordering::SeqCst);
    let mut failed = unconnected(&running).await;
    failed.client.begin_in_band("connect", json!({"token": "ann"})).await.unwrap();
    assert_eq!(failed.closed().await, 4000);
    running.auth.away.store(false, Ordering::SeqCst);
    let mut old = unconnected(&running).await;
    old.client.begin_in_band("connect", json!({"token": "old"})).await.unwrap();
    assert_eq!(old.closed().await, 3502);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_protocol_is_closed() {
    let running = start(|_| {}).await;
    for frame in ["", "nonsense", "{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}", "{}"] {
        let mut client = unconnected(&running).await;
        client.client.raw(Message::text(frame)).await.unwrap();
        assert_eq!(client.closed().await, 3501, "{frame:?}");
    }
    for frame in [
        "{\"id\":9,\"connect\":{\"token\":\"x\"}}",
        "{}",
        "{\"id\":9,\"ping\":{}}",
        "{\"id\":9,\"publish\":{\"data\":1}}",
    ] {
        let mut client = running.client("ann").await;
        client.client.raw(Message::text(frame)).await.unwrap();
        assert_eq!(client.closed().await, 3501, "{frame:?}");
    }
    let mut client = running.client("ann").await;
    client.client.raw(Message::text("x".repeat(70_000))).await.unwrap();
    assert_eq!(client.closed().await, 1009);
    let mut client = running.client("ann").await;
    client.client.raw(Message::text("{\"send\":{\"data\":1}}")).await.unwrap();
    assert_eq!(client.closed().await, 3508);
    poll::until(SOON, "all gone", || async { running.gateway.hub().connections() == 0 })
        .await
        .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_a_ping_is_closed() {
    let running = start(|config| {
        config.connection.ping_ms = 1_000;
        config.limits.pong_ms = 500;
    })
    .await;
    // The test client answers pings by itself.
    let alive = running.client("ann").await;
    let mut raw = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    raw.send(Message::text("{\"id\":1,\"connect\":{\"token\":\"bob\"}}")).await.unwrap();
    let mut pinged = false;
    let code = loop {
        match tokio::time::timeout(SOON, raw.next()).await.unwrap().unwrap().unwrap() {
            Message::Text(text) => pinged |= text.as_str() == "{}",
            Message::Close(frame) => break u16::from(frame.unwrap().code),
            _ => {}
        }
    };
    assert_eq!((pinged, code), (true, 3012));
    alive.client.subscribe("general", None).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_token_closes_after_its_grace_unless_it_is_refreshed() {
    let running = start(|config| config.connection.expiry_grace_ms = 500).await;
    *running.auth.ttl_ms.lock() = Some(500);
    let mut ann = running.client("ann").await;
    let mut bob = running.client("bob").await;
    *running.auth.ttl_ms.lock() = Some(60_000);
    let fresh = bob.client.command("refresh", json!({"token": "bob"})).await.unwrap();
    assert_eq!(fresh["ttl"], json!(60));
    assert_eq!(ann.closed().await, 3005);
    bob.client.subscribe("general", None).await.unwrap();
    // Another user's token is no refresh.
    bob.client.begin_in_band("refresh", json!({"token": "ann"})).await.unwrap();
    assert_eq!(bob.closed().await, 3500);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_concerns_only_connections_older_than_itself() {
    let running = start(|_| {}).await;
    let mut older = running.client("ann").await;
    let mut other = running.client("bob").await;
    let time_ms = now_ms() + 1;
    while now_ms() <= time_ms {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let newer = running.client("ann").await;
    let disconnect = |number, reconnect| Order {
        number,
        time_ms,
        act: OrderAct::Disconnect { target: id_of("ann"), reason: "bye".to_owned(), reconnect },
    };
    running.rooms.orders.send(disconnect(1, false)).unwrap();
    assert_eq!(older.closed().await, 3503);
    newer.client.subscribe("general", None).await.unwrap();
    other.client.subscribe("general", None).await.unwrap();

    // Ending a subscription concerns that one alone.
    let later = now_ms() + 1_000;
    let target = id_of("bob");
    let room = domain::RoomName::parse("general").unwrap();
    let act = OrderAct::Unsubscribe { target, room, reason: String::new() };
    running.rooms.orders.send(Order { number: 2, time_ms: later, act }).unwrap();
    assert_eq!(other.unsubscribed().await, 2000);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_every_connection() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    let notice = domain::Notice {
        id: "n1".to_owned(),
        text: "maintenance at noon".to_owned(),
        level: domain::NoticeLevel::Info,
    };
    let act = OrderAct::Notice(notice);
    running.rooms.orders.send(Order { number: 1, time_ms: now_ms(), act }).unwrap();
    let push = ann.push().await;
    assert_eq!(&*push.channel, "system");
    assert!(push.publication.unwrap().data.get().contains("maintenance at noon"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_sees_the_caller_and_survives_a_store_that_forgot() {
    let running = start(|_| {}).await;
    let ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    let channel = json!({"channel": "general"});
    let here = ann.client.command("presence", channel.clone()).await.unwrap();
    let id = ann.connected["client"].as_str().unwrap();
    assert_eq!(here["presence"][id]["user"], json!("ann"));
    assert_eq!(here["presence"][id]["conn_info"], json!({"name": "ANN"}));
    assert_eq!(running.presence.entered(), (1, 0));

    running.presence.flush_all();
    poll::until(SOON, "registered again", || async { running.presence.entered() == (0, 1) })
        .await
        .unwrap();
    let stats = ann.client.command("presence_stats", channel).await.unwrap();
    assert_eq!(stats["num_clients"], json!(1));
    drop(ann);
    poll::until(SOON, "gone", || async { running.presence.here() == 0 }).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_answers_what_is_under_way_and_sends_everybody_elsewhere() {
    let running = start(|_| {}).await;
    let mut clients = Vec::new();
    for n in 0..20 {
        let client = running.client(&format!("user-{n}")).await;
        client.client.subscribe("general", None).await.unwrap();
        clients.push(client);
    }
    // Takes 50 ms, then fails for a moment's reason: an answer all the same.
    *running.rooms.poison.lock() = Some("1".into());
    let data = json!({"channel": "general", "data": 1});
    let id = clients[0].client.begin_in_band("publish", data).await.unwrap();
    running.shutdown.cancel();
    let (mut answered, mut first) = (false, true);
    for client in &mut clients {
        loop {
            match client.next().await {
                Incoming::Reply(reply, _) => answered |= first && reply == id,
                Incoming::Closed(code, _) => {
                    assert_eq!(code, 3001);
                    break;
                }
                Incoming::Push(_) => {}
            }
        }
        first = false;
    }
    assert!(answered, "the publish under way was not answered");
    running.stop().await;
}
