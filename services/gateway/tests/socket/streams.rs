//! Connections without a WebSocket: HTTP streaming and server-sent events, frames beside them.
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::{Order, OrderAct};
use gateway::GatewayConfig;
use serde_json::json;
use testkit::parts::free_port;
use testkit::poll;

use crate::fakes::{id_of, now_ms};
use crate::harness::{Running, SOON, start, start_beside};
use crate::speaker::{frame, num, part};
use crate::streamer::{Streamer, Way, emulate};

/// All ways are open.
fn open(config: &mut GatewayConfig) {
    config.http.sse = true;
}

/// Sockets have all that streams have, but for what names a stream.
async fn is_no_stream(running: &Running) {
    let socket = running.client("sam").await;
    assert!(socket.connected.get("session").is_none() && socket.connected.get("node").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_does_what_a_socket_does() {
    let running = start(open).await;
    let at = running.address;
    is_no_stream(&running).await;
    for way in Way::JSON {
        let room = format!("room-{way:?}");
        let other = running.client("bob").await;
        other.client.subscribe(&room, None).await.unwrap();
        let (mut ann, result) = Streamer::connect(at, way, "ann").await;
        assert!(ann.head.contains("x-accel-buffering: no"), "{}", ann.head);
        assert!(ann.head.contains("cache-control: no-store"), "{}", ann.head);
        assert_eq!((ann.session.len(), ann.node.as_str()), (32, "g1"));
        assert_eq!((&result["ping"], &result["pong"]), (&json!(25), &json!(true)));

        let (subscribed, _) = ann.ask(at, "subscribe", json!({"channel": room})).await;
        assert!(subscribed["subscribe"].is_object(), "{subscribed}");
        other.client.command("publish", json!({"channel": room, "data": {"n": 1}})).await.unwrap();
        let push = ann.json().await;
        assert_eq!(
            (&push["push"]["channel"], &push["push"]["pub"]["data"]),
            (&json!(room), &json!({"n": 1}))
        );
        // Its own, in front of the answer or behind it.
        let wish = json!({"channel": room, "data": "two\nlines"});
        let (published, mut pushes) = ann.ask(at, "publish", wish).await;
        assert_eq!(published["publish"], json!({}));
        if pushes.is_empty() {
            pushes.push(ann.json().await);
        }
        assert_eq!(pushes[0]["push"]["pub"]["offset"], json!(2));
        let (history, _) = ann.ask(at, "history", json!({"channel": room, "limit": 5})).await;
        assert_eq!(history["history"]["publications"].as_array().unwrap().len(), 2);
        let (left, _) = ann.ask(at, "unsubscribe", json!({"channel": room})).await;
        assert_eq!(left["unsubscribe"], json!({}));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_speaks_protobuf_too() {
    let running = start(|_| {}).await;
    let at = running.address;
    let mut bob = running.client("bob").await;
    bob.client.subscribe("general", None).await.unwrap();
    let (mut ann, _) = Streamer::connect(at, Way::Delimited, "ann").await;
    assert_eq!((ann.session.len(), ann.node.as_str()), (32, "g1"));
    // Two commands in one frame, of which the second needs the first.
    let subscribe = [num(1, 2), part(5, part(1, "general"))].concat();
    let body = [part(1, "general"), part(2, "{\"n\":1}")].concat();
    let publish = [num(1, 3), part(7, body)].concat();
    assert_eq!(ann.send(at, &frame(&[subscribe, publish])).await, 204);
    let (mut answered, mut shown) = (Vec::new(), 0);
    while answered.len() < 2 || shown == 0 {
        let message = ann.fields().await;
        match message.get(4) {
            Some(push) => {
                assert_eq!(push.get(4).unwrap().bytes(4), b"{\"n\":1}");
                shown += 1;
            }
            None => answered.push(message.num(1)),
        }
    }
    assert_eq!((answered, shown), (vec![2, 3], 1));
    assert_eq!(bob.publication().await, (1, "{\"n\":1}".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_come_on_the_stream_and_pongs_beside_it() {
    let running = start(|config| {
        open(config);
        (config.connection.ping_ms, config.limits.pong_ms) = (1_000, 500);
    })
    .await;
    for way in Way::ALL {
        let (mut alive, _) = Streamer::connect(running.address, way, "ann").await;
        let (mut mute, _) = Streamer::connect(running.address, way, "bob").await;
        let (ping, pong): (&[u8], &[u8]) =
            if way == Way::Delimited { (b"", &[0]) } else { (b"{}", b"{}") };
        for _ in 0..2 {
            assert_eq!(alive.message().await.as_deref(), Some(ping), "{way:?}");
            assert_eq!(alive.send(running.address, pong).await, 204);
        }
        assert_eq!(mute.closed().await, (3012, true), "{way:?}");
        // Nobody asked for this one.
        assert_eq!(alive.send(running.address, pong).await, 204);
        assert_eq!(alive.closed().await, (3501, false), "{way:?}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_a_push_and_then_the_end_of_the_body() {
    let running = start(open).await;
    let at = running.address;
    for way in Way::ALL {
        let mut bad = Streamer::open(at, way, &way.connect("bad")).await;
        assert_eq!(bad.closed().await, (3500, false), "{way:?}");
        let mut malformed = Streamer::open(at, way, b"nonsense").await;
        assert_eq!(malformed.closed().await, (3501, false), "{way:?}");
        let (mut garbled, _) = Streamer::connect(at, way, "ann").await;
        assert_eq!(garbled.send(at, b"\x01").await, 204);
        assert_eq!(garbled.closed().await, (3501, false), "{way:?}");
        let (session, node) = (&garbled.session, &garbled.node);
        poll::until(SOON, "the session is gone", || async {
            emulate(at, node, session, "{}").await == 404
        })
        .await
        .unwrap();
        let (mut ordered, _) = Streamer::connect(at, way, "ann").await;
        let act = OrderAct::Disconnect {
            target: id_of("ann"),
            reason: "bye".to_owned(),
            reconnect: false,
        };
        let number = way as u64 + 1;
        running.rooms.orders.send(Order { number, time_ms: now_ms() + 1_000, act }).unwrap();
        assert_eq!(ordered.closed().await, (3503, false), "{way:?}");
        // Orders concern who came before: the next one comes after.
        let later = now_ms() + 1_000;
        poll::until(SOON, "the order is of the past", || async { now_ms() > later }).await.unwrap();
    }
    let mut left = Vec::new();
    for way in Way::ALL {
        left.push(Streamer::connect(at, way, "cid").await.0);
    }
    running.shutdown.cancel();
    for stream in &mut left {
        assert_eq!(stream.closed().await, (3001, true));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_gone_at_once() {
    let running = start(open).await;
    for way in Way::ALL {
        let (ann, _) = Streamer::connect(running.address, way, "ann").await;
        let here = || async { running.presence.here() == 1 };
        poll::until(SOON, "presence was told", here).await.unwrap();
        let (node, session, hung_up) = (ann.node.clone(), ann.session.clone(), Instant::now());
        drop(ann);
        let gone = || async { running.gateway.hub().connections() == 0 };
        poll::until(SOON, "the connection is gone", gone).await.unwrap();
        assert!(hung_up.elapsed() < Duration::from_secs(2), "{way:?}: {:?}", hung_up.elapsed());
        assert_eq!(emulate(running.address, &node, &session, "{}").await, 404);
        let gone = || async { running.presence.here() == 0 };
        poll::until(SOON, "presence was told", gone).await.unwrap();
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_needs_a_session_that_is_open() {
    let running = start(open).await;
    let at = running.address;
    let (ann, _) = Streamer::connect(at, Way::Lines, "ann").await;
    let (mut bob, _) = Streamer::connect(at, Way::Events, "bob").await;
    let other = "0".repeat(32);
    for session in ["", "x", &other, &ann.session.to_uppercase(), &ann.session[1..]] {
        assert_eq!(emulate(at, "g1", session, "{}").await, 404, "{session}");
    }
    assert_eq!(emulate(at, "g9", &ann.session, "{}").await, 404, "another gateway");
    assert_eq!(emulate(at, "not a name", &ann.session, "{}").await, 404);
    assert_eq!(emulate(at, "g1", &ann.session, &"x".repeat(70_000)).await, 413);
    // None of it has harmed anybody.
    let (subscribed, _) = bob.ask(at, "subscribe", json!({"channel": "general"})).await;
    assert!(subscribed["subscribe"].is_object());
    assert_eq!(running.gateway.hub().connections(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_not_read_are_bounded_and_those_that_were_taken_come_in_order() {
    let running = start(|config| {
        open(config);
        config.limits.commands_in_flight_max = 1;
    })
    .await;
    let at = running.address;
    let (mut ann, _) = Streamer::connect(at, Way::Lines, "ann").await;
    ann.ask(at, "subscribe", json!({"channel": "general"})).await;
    let frozen = running.presence.frozen.lock().await;
    let mut taken = 0;
    for id in 10.. {
        let ask = json!({"id": id, "presence_stats": {"channel": "general"}}).to_string();
        match ann.send(at, ask.as_bytes()).await {
            204 => taken += 1,
            status => {
                assert_eq!(status, 429);
                break;
            }
        }
        assert!(taken < 100, "there is no bound");
    }
    assert!(taken >= 64, "{taken}");
    drop(frozen);
    for id in 10..10 + taken {
        assert_eq!(ann.json().await["id"], json!(id));
    }
    running.stop().await;
}

/// Two gateways that know each other.
pub async fn pair() -> (Running, Running) {
    let reachable = |name: &'static str| {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        move |config: &mut GatewayConfig| {
            open(config);
            config.gateway_id = name.to_owned();
            config.peer_listen = address.to_string();
            config.peer_url = format!("http://{address}");
        }
    };
    let one = start(reachable("g1")).await;
    let two = start_beside(&one, reachable("g2")).await;
    (one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_may_come_to_any_gateway() {
    let (one, two) = pair().await;
    for way in Way::JSON {
        let room = format!("room-{way:?}");
        let (mut ann, _) = Streamer::connect(one.address, way, "ann").await;
        assert_eq!(ann.node, "g1");
        let (subscribed, _) = ann.ask(two.address, "subscribe", json!({"channel": room})).await;
        assert!(subscribed["subscribe"].is_object(), "{subscribed}");
        for n in 0..20 {
            // By turns, so that most frames overtake none but all could.
            let at = if n % 2 == 0 { two.address } else { one.address };
            let wish = json!({"channel": room, "data": n});
            let (published, mut pushes) = ann.ask(at, "publish", wish).await;
            assert_eq!(published["publish"], json!({}));
            if pushes.is_empty() {
                pushes.push(ann.json().await);
            }
            assert_eq!(pushes[0]["push"]["pub"]["data"], json!(n));
        }
        let unknown = emulate(two.address, "g1", &"0".repeat(32), "{}").await;
        assert_eq!(unknown, 404, "the other gateway knows no such session");
        assert_eq!(ann.send(two.address, &[b'x'; 70_000]).await, 413);
    }
    let (mut ann, _) = Streamer::connect(one.address, Way::Delimited, "ann").await;
    let subscribe = [num(1, 2), part(5, part(1, "general"))].concat();
    assert_eq!(ann.send(two.address, &frame(&[subscribe])).await, 204);
    assert!(ann.fields().await.get(6).is_some());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_gone_or_never_was_is_asked_for_seldom() {
    let (one, two) = pair().await;
    let session = "0".repeat(32);
    let began = Instant::now();
    let all = (0..100).map(|n| {
        // Of one session alone no more than 64 would be let through at once.
        let (session, node) = (format!("{n:032x}"), format!("g{}", n + 10));
        async move { emulate(two.address, &node, &session, "{}").await }
    });
    let statuses = futures_util::future::join_all(all).await;
    assert!(statuses.iter().all(|status| *status == 404), "{statuses:?}");
    let asked = two.presence.gateways_asked.load(Ordering::SeqCst);
    assert!(asked as u64 <= began.elapsed().as_secs() + 1, "{asked} look-ups");

    // One that was known goes: its lease with it.
    let (ann, _) = Streamer::connect(one.address, Way::Lines, "ann").await;
    poll::until(SOON, "it is found", || async { ann.send(two.address, b"").await == 204 })
        .await
        .unwrap();
    one.stop().await;
    poll::until(SOON, "it is gone", || async {
        emulate(two.address, "g1", &session, "{}").await == 404
    })
    .await
    .unwrap();
    two.stop().await;
}
