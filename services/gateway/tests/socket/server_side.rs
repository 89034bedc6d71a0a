//! Subscriptions by the server: in the connect's answer, recovered like any other, ended otherwise.
use bytes::Bytes;
use domain::{Grant, Order, OrderAct, Overrides, RoomName, Signal, Who};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming};
use testkit::poll;

use crate::fakes::{id_of, now_ms};
use crate::harness::{Inbound, Running, SOON, start};

fn grants(rooms: &[&str]) -> Vec<Grant> {
    rooms.iter().map(|room| Grant::new(RoomName::parse(room).unwrap())).collect()
}

/// Connects with positions from an earlier connection.
async fn back(running: &Running, user: &str, subs: Value) -> Result<Inbound, CommandError> {
    let (client, incoming) = Client::open(&running.url).await.unwrap();
    let connected = client.command("connect", json!({"token": user, "subs": subs})).await?;
    Ok(Inbound { client, incoming, connected })
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_the_token_stand_in_the_answer_and_those_that_refuse_do_not() {
    let running = start(|_| {}).await;
    *running.auth.rooms.lock() = grants(&["general", "secret-1", "ticket-1", "system", "live-1"]);
    running.auth.rooms.lock()[0].data = Bytes::from_static(b"{\"hello\":1}");
    running.auth.rooms.lock()[0].info = Bytes::from_static(b"[5]");
    running.rooms.say("general", "\"before\"");
    let mut ann = running.client("ann").await;
    let subs = ann.connected["subs"].as_object().unwrap().clone();
    let own = format!("user:{}", id_of("ann").hash());
    let names: Vec<_> = subs.keys().filter(|name| **name != own).map(String::as_str).collect();
    assert_eq!(names, ["general", "live-1", "system", "ticket-1"]);
    let general = &subs["general"];
    assert_eq!((&general["offset"], &general["positioned"]), (&json!(1), &json!(true)));
    assert_eq!((&general["recoverable"], &general["data"]), (&json!(true), &json!({"hello": 1})));
    assert!(!general["epoch"].as_str().unwrap().is_empty());
    running.rooms.say("general", "\"after\"");
    assert_eq!(ann.publication().await, (2, "\"after\"".to_owned()));
    // It is a subscription like any other: seen by presence, not to be had twice, to be left.
    let here = ann.client.command("presence", json!({"channel": "general"})).await.unwrap();
    let id = ann.connected["client"].as_str().unwrap();
    assert_eq!(here["presence"][id]["chan_info"], json!([5]));
    let again = ann.client.command("subscribe", json!({"channel": "general"})).await;
    assert!(matches!(again, Err(CommandError::Refused(refusal)) if refusal.code == 105));
    let said = json!({"channel": "ticket-1", "data": 1});
    ann.client.command("publish", said).await.unwrap();
    assert_eq!(ann.publication().await.0, 1);
    ann.client.command("unsubscribe", json!({"channel": "general"})).await.unwrap();
    ann.client.subscribe("general", None).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_shows_is_the_same_wherever_its_bearer_is_seen() {
    let running = start(|_| {}).await;
    *running.auth.info.lock() = Bytes::from_static(b"{\"age\":7}");
    *running.auth.rooms.lock() = grants(&["general"]);
    running.auth.rooms.lock()[0].info = Bytes::from_static(b"[5]");
    let ann = running.client("ann").await;
    *running.auth.info.lock() = Bytes::new();
    running.auth.rooms.lock().clear();
    assert_eq!(ann.connected["data"]["name"], json!("ANN"));
    let id = ann.connected["client"].as_str().unwrap();
    let shown = json!({"user": "ann", "client": id, "conn_info": {"age": 7}, "chan_info": [5]});
    let mut bob = running.client("bob").await;
    bob.client.subscribe("general", None).await.unwrap();
    ann.client.command("publish", json!({"channel": "general", "data": 1})).await.unwrap();
    let live = bob.push().await.publication.unwrap();
    assert_eq!(live.info.unwrap(), shown);
    let page = json!({"channel": "general", "limit": 5});
    let page = bob.client.command("history", page).await.unwrap();
    assert_eq!(page["publications"][0]["info"], shown);
    let since = json!({"channel": "general", "recover": true, "epoch": page["epoch"]});
    let cat = running.client("cat").await;
    let recovered = cat.client.command("subscribe", since).await.unwrap();
    assert_eq!(recovered["publications"][0]["info"], shown);
    // Presence loses all it knows, and is told again.
    for turn in 0..2 {
        poll::until(SOON, "she is seen", || async {
            let here = bob.client.command("presence", json!({"channel": "general"})).await;
            here.is_ok_and(|here| here["presence"][id] == shown)
        })
        .await
        .unwrap();
        if turn == 0 {
            running.presence.flush_all();
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_those_who_show_much_ends_where_it_would_be_too_long() {
    let running = start(|_| {}).await;
    let ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    let json = Bytes::from(format!("\"{}\"", "x".repeat(domain::INFO_BYTES_MAX - 2)));
    running.presence.crowd("general", 200, &json);
    let here = ann.client.command("presence", json!({"channel": "general"})).await.unwrap();
    let count = here["presence"].as_object().unwrap().len();
    assert!((120..=130).contains(&count), "{count}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_push_of_a_room_comes_before_the_connects_answer() {
    let running = start(|_| {}).await;
    *running.auth.rooms.lock() = grants(&["general"]);
    let rooms = running.rooms.clone();
    let talk = tokio::spawn(async move {
        for n in 0..300 {
            rooms.say("general", format!("{n}"));
            tokio::task::yield_now().await;
        }
    });
    for n in 0..20 {
        let (client, incoming) = Client::open(&running.url).await.unwrap();
        let mut inbound = Inbound { client, incoming, connected: Value::Null };
        let arguments = json!({"token": format!("user-{n}")});
        inbound.client.begin_in_band("connect", arguments).await.unwrap();
        let Incoming::Reply(_, Ok(result)) = inbound.next().await else { panic!("a push first") };
        let mut next = result["subs"]["general"]["offset"].as_u64().unwrap_or(0) + 1;
        while next <= 300 {
            assert_eq!(inbound.publication().await.0, next);
            next += 1;
        }
    }
    talk.await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_its_positions_gets_what_was_missed() {
    let running = start(|config| config.room.recovery_bytes = 20_000).await;
    *running.auth.rooms.lock() = grants(&["general", "other", "big-1", "big-2"]);
    let ann = running.client("ann").await;
    let epoch = |room: &str| ann.connected["subs"][room]["epoch"].clone();
    let positions = json!({
        "general": {"recover": true, "epoch": epoch("general"), "offset": 2},
        "other": {"recover": true, "epoch": "_", "offset": 1},
        "big-1": {"recover": true, "epoch": epoch("big-1")},
        "big-2": {"recover": true, "epoch": epoch("big-2")},
        "not-ours": {"recover": true, "epoch": "x"},
    });
    ann.client.cut();
    for n in 1..=5 {
        running.rooms.say("general", format!("{n}"));
        running.rooms.say("other", format!("{n}"));
        for room in ["big-1", "big-2"] {
            running.rooms.say(room, format!("\"{}\"", "x".repeat(3_000)));
        }
    }
    let mut back = back(&running, "ann", positions).await.unwrap();
    let subs = back.connected["subs"].clone();
    let general = &subs["general"];
    assert_eq!((&general["recovered"], &general["was_recovering"]), (&json!(true), &json!(true)));
    assert_eq!(general["offset"], json!(2), "the client's own offset");
    let offsets: Vec<_> = general["publications"].as_array().unwrap().iter().collect();
    assert_eq!(offsets.iter().map(|p| &p["offset"]).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((subs["other"].get("recovered"), &subs["other"]["offset"]), (None, &json!(5)));
    assert!(subs.get("not-ours").is_none());
    // What the answer has no room for follows as pushes: all of it, once, in order.
    let mut got = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for room in ["big-1", "big-2"] {
        assert_eq!(subs[room]["recovered"], json!(true));
        let listed = subs[room]["publications"].as_array().into_iter().flatten();
        let listed = listed.map(|publication| publication["offset"].as_u64().unwrap()).collect();
        got.insert(room.to_owned(), listed);
    }
    let in_answer: usize = got.values().map(Vec::len).sum();
    assert!((1..10).contains(&in_answer), "{got:?}");
    while got.values().map(Vec::len).sum::<usize>() < 10 {
        let push = back.push().await;
        if let Some(publication) = push.publication {
            got.get_mut(&*push.channel).unwrap().push(publication.offset);
        }
    }
    assert!(got.values().all(|offsets| *offsets == [1, 2, 3, 4, 5]), "{got:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_be_asked_fails_the_connect_for_now() {
    let running = start(|_| {}).await;
    *running.auth.rooms.lock() = grants(&["general", "gone-1", "other"]);
    let failed = back(&running, "ann", json!({})).await.err().unwrap();
    assert!(matches!(failed, CommandError::Refused(refusal) if refusal.temporary));
    // Nothing of it stays behind.
    *running.auth.rooms.lock() = grants(&["general"]);
    let ann = running.client("ann").await;
    let here = ann.client.command("presence", json!({"channel": "general"})).await.unwrap();
    assert_eq!(here["presence"].as_object().unwrap().len(), 1);
    assert_eq!(running.presence.entered().0, 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_cannot_ask_for_more_rooms_than_a_connection_may_have() {
    let running = start(|config| config.limits.subscriptions_max = 2).await;
    *running.auth.rooms.lock() = grants(&["room-1", "room-2", "room-3"]);
    let failed = back(&running, "ann", json!({})).await.err().unwrap();
    assert!(matches!(failed, CommandError::Refused(refusal) if refusal.code == 106));
    *running.auth.rooms.lock() = grants(&["room-1", "room-2"]);
    let ann = running.client("ann").await;
    let third = ann.client.command("subscribe", json!({"channel": "room-3"})).await;
    assert!(matches!(third, Err(CommandError::Refused(refusal)) if refusal.code == 106));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_goes_while_its_rooms_are_joined_leaves_nothing_behind() {
    let running = start(|_| {}).await;
    let rooms: Vec<_> = (0..40).map(|n| format!("room-{n}")).collect();
    let rooms: Vec<_> = rooms.iter().map(String::as_str).collect();
    *running.auth.rooms.lock() = grants(&rooms);
    for _ in 0..30 {
        let (client, _incoming) = Client::open(&running.url).await.unwrap();
        client.begin_in_band("connect", json!({"token": "ann"})).await.unwrap();
        tokio::task::yield_now().await;
        client.cut();
    }
    poll::until(SOON, "all gone", || async {
        running.gateway.hub().connections() == 0
            && running.gateway.hub().users() == 0
            && running.presence.here() == 0
    })
    .await
    .unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_clients_subscription_would_end_the_servers_ends_the_connection() {
    let running = start(|config| config.connection.expiry_grace_ms = 200).await;
    // The token of the subscription ends.
    *running.auth.rooms.lock() = grants(&["general"]);
    running.auth.rooms.lock()[0].until_ms = Some(now_ms() + 300);
    let mut ann = running.client("ann").await;
    assert_eq!(ann.connected["subs"]["general"]["expires"], json!(true));
    assert_eq!(ann.closed().await, 3006);
    // And so does one that is refreshed with an ended token.
    running.auth.rooms.lock()[0].until_ms = None;
    let mut ann = running.client("ann").await;
    let arguments = json!({"channel": "general", "token": "old"});
    ann.client.begin_in_band("sub_refresh", arguments).await.unwrap();
    assert_eq!(ann.closed().await, 3006);
    // The log is begun anew.
    let mut ann = running.client("ann").await;
    running.rooms.renew("general");
    running.rooms.say("general", "1");
    assert_eq!(ann.closed().await, 3010);
    // What the server itself ends is told as ever.
    let mut ann = running.client("ann").await;
    let room = RoomName::parse("general").unwrap();
    let act = OrderAct::Unsubscribe { target: id_of("ann"), room, reason: String::new() };
    running.rooms.orders.send(Order { number: 1, time_ms: now_ms() + 1_000, act }).unwrap();
    assert_eq!(ann.unsubscribed().await, 2000);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_hide_its_bearer_and_have_it_told_of_others() {
    let running = start(|_| {}).await;
    *running.auth.rooms.lock() = grants(&["general"]);
    running.auth.rooms.lock()[0].overrides =
        Overrides { presence: Some(false), join_leave: None, push_join_leave: Some(true) };
    let mut ghost = running.client("ghost").await;
    running.auth.rooms.lock().clear();
    let bob = running.client("bob").await;
    bob.client.subscribe("general", None).await.unwrap();
    let here = bob.client.command("presence", json!({"channel": "general"})).await.unwrap();
    let id = bob.connected["client"].as_str().unwrap();
    assert_eq!(here["presence"].as_object().unwrap().keys().collect::<Vec<_>>(), [id]);
    // Presence of these tests tells nobody of joins, so the signal is given by hand.
    let connection = domain::ConnectionId::random();
    let who = Who {
        id: id_of("bob"),
        name: "BOB".to_owned(),
        info: Bytes::from_static(b"{\"age\":7}"),
        room_info: Bytes::new(),
        connection,
    };
    running.rooms.signal("general", Signal::Join(who));
    let push = ghost.push().await;
    let info = &push.join.unwrap()["info"];
    assert_eq!((&info["user"], &info["conn_info"]), (&json!("bob"), &json!({"age": 7})));
    running.stop().await;
}
