//! Ways in: without a token, with tokens for rooms, and what happens when a token ends.
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming};
use testkit::poll;

use crate::harness::{Inbound, Running, SOON, start};

async fn unconnected(running: &Running) -> Inbound {
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    Inbound { client, incoming, connected: Value::Null }
}

fn code(result: Result<Value, CommandError>) -> u32 {
    match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

impl Inbound {
    async fn subscribe_with(&self, room: &str, token: &str) -> Result<Value, CommandError> {
        self.client.command("subscribe", json!({"channel": room, "token": token})).await
    }

    async fn sub_refresh(&self, room: &str, token: &str) -> Result<Value, CommandError> {
        self.client.command("sub_refresh", json!({"channel": room, "token": token})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_token_is_let_in_only_where_that_is_allowed() {
    let running = start(|config| config.limits.connections_per_user_max = 1).await;
    let mut refused = unconnected(&running).await;
    refused.client.begin_in_band("connect", json!({})).await.unwrap();
    assert_eq!(refused.closed().await, 3501);
    // Whether it is allowed cannot be known now: nothing terminal.
    running.auth.away.store(true, Ordering::SeqCst);
    let early = unconnected(&running).await;
    let answer = early.client.command("connect", json!({})).await;
    assert!(matches!(answer, Err(CommandError::Refused(refusal)) if refusal.temporary));
    running.auth.away.store(false, Ordering::SeqCst);

    running.auth.anonymous.store(true, Ordering::SeqCst);
    let (one, mut other) = (running.client("").await, running.client("").await);
    assert_eq!(one.connected["data"]["user"], json!(""));
    assert_ne!(one.connected["data"]["user_channel"], other.connected["data"]["user_channel"]);
    for client in [&one, &other] {
        client.client.subscribe("general", None).await.unwrap();
    }
    let here = one.client.command("presence", json!({"channel": "general"})).await.unwrap();
    let here = here["presence"].as_object().unwrap();
    assert_eq!(here.len(), 2);
    for (client, info) in here {
        assert_eq!(info, &json!({"user": "", "client": client}), "no name is made up");
    }
    one.client.command("publish", json!({"channel": "general", "data": 1})).await.unwrap();
    let push = loop {
        let push = other.push().await;
        if push.publication.is_some() {
            break push;
        }
    };
    let info = push.publication.unwrap().info.unwrap();
    assert_eq!(info, json!({"user": "", "client": one.connected["client"]}));
    // The limit of connections of one user is for users.
    let _ann = running.client("ann").await;
    let second = unconnected(&running).await;
    assert_eq!(code(second.client.command("connect", json!({"token": "ann"})).await), 106);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_particular_stays_nobody_in_particular() {
    let running = start(|_| {}).await;
    running.auth.anonymous.store(true, Ordering::SeqCst);
    let mut guest = running.client("guest").await;
    guest.client.subscribe("general", None).await.unwrap();
    assert!(guest.client.command("refresh", json!({"token": "guest"})).await.is_ok());
    // Still the same nobody: a kick of all who did not sign in reaches it.
    let target = domain::PrincipalId::anonymous("someone-else").seen();
    let act = domain::OrderAct::Unsubscribe {
        target,
        room: domain::RoomName::parse("general").unwrap(),
        reason: String::new(),
    };
    let time_ms = crate::fakes::now_ms() + 1_000;
    running.rooms.orders.send(domain::Order { number: 1, time_ms, act }).unwrap();
    assert_eq!(guest.unsubscribed().await, 2000);
    guest.client.begin_in_band("refresh", json!({"token": "ann"})).await.unwrap();
    assert_eq!(guest.closed().await, 3500);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_announced_and_a_token_without_one_lasts() {
    let running = start(|config| config.connection.expiry_grace_ms = 200).await;
    let mut lasting = running.client("ann").await;
    assert!(lasting.connected.get("expires").is_none() && lasting.connected.get("ttl").is_none());
    *running.auth.ttl_ms.lock() = Some(300);
    let mut ending = running.client("bob").await;
    let (expires, ttl) = (&ending.connected["expires"], &ending.connected["ttl"]);
    assert_eq!((expires, ttl), (&json!(true), &json!(1)));
    let kept = running.client("cat").await;
    let mut left = running.client("dan").await;
    *running.auth.ttl_ms.lock() = None;
    let refreshed = kept.client.command("refresh", json!({"token": "cat"})).await.unwrap();
    assert!(refreshed.get("expires").is_none(), "{refreshed}");
    assert_eq!(ending.closed().await, 3005);
    assert_eq!(left.closed().await, 3005);
    // Refreshing again with an end arms the clock again.
    *running.auth.ttl_ms.lock() = Some(300);
    let mut kept = kept;
    kept.client.command("refresh", json!({"token": "cat"})).await.unwrap();
    assert_eq!(kept.closed().await, 3005);
    lasting.client.begin_in_band("refresh", json!({"token": "old"})).await.unwrap();
    assert_eq!(lasting.closed().await, 3005);
    let mut bad = running.client("eve").await;
    bad.client.begin_in_band("refresh", json!({"token": "bad"})).await.unwrap();
    assert_eq!(bad.closed().await, 3500);
    let mut empty = running.client("fay").await;
    empty.client.begin_in_band("refresh", json!({"token": ""})).await.unwrap();
    assert_eq!(empty.closed().await, 3501);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_a_room_is_judged_with_the_protocols_codes() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    assert_eq!(code(ann.subscribe_with("general", "old").await), 109);
    assert_eq!(code(ann.subscribe_with("general", "bad").await), 103);
    assert_eq!(code(ann.subscribe_with("secret-1", "{}").await), 103, "rooms decides all the same");
    running.auth.away.store(true, Ordering::SeqCst);
    let away = ann.subscribe_with("general", "{}").await;
    assert!(matches!(away, Err(CommandError::Refused(refusal)) if refusal.temporary));
    running.auth.away.store(false, Ordering::SeqCst);
    // A failure leaves nothing behind: the next try is no second subscription.
    let joined = ann.subscribe_with("general", r#"{"ttl_ms":60000}"#).await.unwrap();
    assert_eq!((&joined["expires"], &joined["ttl"]), (&json!(true), &json!(60)));
    let lasting = ann.subscribe_with("room-2", "{}").await.unwrap();
    assert!(lasting.get("expires").is_none() && lasting.get("ttl").is_none(), "{lasting}");
    ann.client.begin_in_band("subscribe", json!({"channel": "x", "token": "other"})).await.unwrap();
    assert_eq!(ann.closed().await, 3500);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_of_tickets_opens_to_tickets_for_all_that_is_done_in_it() {
    let running = start(|_| {}).await;
    let ann = running.client("ann").await;
    let said = json!({"channel": "ticket-1", "data": {"text": "hi"}});
    let past = json!({"channel": "ticket-1", "limit": 10});
    assert_eq!(code(ann.subscribe_with("ticket-1", "").await), 103);
    assert_eq!(code(ann.client.command("publish", said.clone()).await), 103);
    assert_eq!(code(ann.client.command("history", past.clone()).await), 103);
    ann.subscribe_with("ticket-1", r#"{"info":{"seat":5}}"#).await.unwrap();
    ann.client.command("publish", said.clone()).await.unwrap();
    let page = ann.client.command("history", past.clone()).await.unwrap();
    let info = &page["publications"][0]["info"];
    assert_eq!(info["chan_info"], json!({"seat": 5}), "{page}");
    assert_eq!(info["conn_info"], json!({"name": "ANN"}));
    let here = ann.client.command("presence", json!({"channel": "ticket-1"})).await.unwrap();
    let id = ann.connected["client"].as_str().unwrap();
    assert_eq!(here["presence"][id]["chan_info"], json!({"seat": 5}));
    // What the token says of one room is said in that room alone.
    ann.client.subscribe("general", None).await.unwrap();
    let here = ann.client.command("presence", json!({"channel": "general"})).await.unwrap();
    assert!(here["presence"][id].get("chan_info").is_none(), "{here}");
    // The right ends with the subscription.
    ann.client.command("unsubscribe", json!({"channel": "ticket-1"})).await.unwrap();
    assert_eq!(code(ann.client.command("publish", said).await), 103);
    assert_eq!(code(ann.client.command("history", past).await), 103);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_its_token_unless_that_is_refreshed() {
    let running = start(|config| config.connection.expiry_grace_ms = 300).await;
    let mut ann = running.client("ann").await;
    for room in ["ending", "kept", "freed"] {
        ann.subscribe_with(room, r#"{"ttl_ms":400}"#).await.unwrap();
    }
    let fresh = ann.sub_refresh("kept", r#"{"ttl_ms":60000}"#).await.unwrap();
    assert_eq!((&fresh["expires"], &fresh["ttl"]), (&json!(true), &json!(60)));
    assert_eq!(ann.sub_refresh("freed", "{}").await.unwrap(), json!({}));
    let push = loop {
        let push = ann.push().await;
        if push.unsubscribe.is_some() {
            break push;
        }
    };
    assert_eq!((&*push.channel, &push.unsubscribe.unwrap()["code"]), ("ending", &json!(2501)));
    for room in ["kept", "freed"] {
        running.rooms.say(room, "1");
        assert_eq!(ann.publication().await.0, 1, "{room}");
    }
    // One that came later with an end that comes sooner is noticed in its own time.
    ann.subscribe_with("ending", r#"{"ttl_ms":100}"#).await.unwrap();
    assert_eq!(ann.unsubscribed().await, 2501);
    assert_eq!(running.gateway.hub().connections(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_end_is_not_held_against_those_who_cannot_refresh() {
    let running = start(|config| {
        config.connection.expiry_grace_ms = 100;
        config.connection.auth_outage_grace_ms = 60_000;
    })
    .await;
    *running.auth.ttl_ms.lock() = Some(300);
    let mut ann = running.client("ann").await;
    ann.subscribe_with("general", r#"{"ttl_ms":300}"#).await.unwrap();
    running.auth.away.store(true, Ordering::SeqCst);
    let refused = ann.sub_refresh("general", "{}").await;
    assert!(matches!(refused, Err(CommandError::Refused(refusal)) if refusal.temporary));
    // Longer than both tokens and their grace: the connection and the subscription are still there.
    let till = tokio::time::Instant::now() + std::time::Duration::from_millis(1_500);
    let mut offset = 0;
    while tokio::time::Instant::now() < till {
        running.rooms.say("general", "1");
        offset += 1;
        assert_eq!(ann.publication().await.0, offset);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    running.auth.away.store(false, Ordering::SeqCst);
    *running.auth.ttl_ms.lock() = None;
    ann.client.command("refresh", json!({"token": "ann"})).await.unwrap();
    assert_eq!(ann.unsubscribed().await, 2501, "its token has ended long since");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_refresh_is_judged_with_the_protocols_codes() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    assert_eq!(code(ann.sub_refresh("general", "{}").await), 103);
    assert_eq!(code(ann.sub_refresh("no.room", "{}").await), 103);
    ann.subscribe_with("general", "{}").await.unwrap();
    assert_eq!(code(ann.sub_refresh("general", "").await), 107);
    let other = json!({"channel": "general", "token": "{}", "type": 1});
    assert_eq!(code(ann.client.command("sub_refresh", other).await), 108);
    running.auth.away.store(true, Ordering::SeqCst);
    let away = ann.sub_refresh("general", "{}").await;
    assert!(matches!(away, Err(CommandError::Refused(refusal)) if refusal.temporary));
    running.auth.away.store(false, Ordering::SeqCst);
    // The push comes before the answer, so that the SDK subscribes anew.
    let arguments = json!({"channel": "general", "token": "old"});
    ann.client.begin_in_band("sub_refresh", arguments).await.unwrap();
    assert_eq!(ann.unsubscribed().await, 2501);
    assert!(matches!(ann.next().await, Incoming::Reply(_, Err(refusal)) if refusal.code == 110));
    for token in ["bad", "other"] {
        let mut bob = running.client("bob").await;
        bob.subscribe_with("general", "{}").await.unwrap();
        let arguments = json!({"channel": "general", "token": token});
        bob.client.begin_in_band("sub_refresh", arguments).await.unwrap();
        assert_eq!(bob.closed().await, 3500, "{token}");
    }
    poll::until(SOON, "they are gone", || async { running.gateway.hub().connections() == 1 })
        .await
        .unwrap();
    running.stop().await;
}
