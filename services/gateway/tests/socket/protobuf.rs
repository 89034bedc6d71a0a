//! The same rooms in Protobuf: what its clients get, alone and beside those who speak JSON.
use bytes::Bytes;
use domain::{ConnectionId, Order, OrderAct, Signal, Who};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::fakes::{id_of, now_ms};
use crate::harness::{SOON, start};
use crate::speaker::{Fields, Speaker, frame, num, part};

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_is_told_what_a_page_needs() {
    let running = start(|_| {}).await;
    *running.auth.ttl_ms.lock() = Some(60_000);
    let (ann, result) = Speaker::connect(&running, "ann").await;
    assert!(!ann.id.is_empty() && !result.text(2).is_empty());
    assert_eq!((result.num(3), result.num(4)), (1, 60), "expires, ttl");
    assert_eq!((result.num(7), result.num(8)), (25, 1), "ping, pong");
    let data: Value = serde_json::from_slice(result.bytes(5)).unwrap();
    assert_eq!(data["gateway"], json!("g1"));
    let subs: Vec<_> = result.all(6).map(|entry| entry.text(1).to_owned()).collect();
    assert_eq!(subs, ["system".to_owned(), format!("user:{}", id_of("ann").hash())]);
    // A missing value would be null to the JavaScript SDK, which then fails.
    assert!(result.all(6).all(|entry| entry.get(2).is_some()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_holds_several_commands_whatever_its_opcode() {
    let running = start(|_| {}).await;
    let connect = [num(1, 1), part(4, part(1, "ann"))].concat();
    let subscribe = |id, room| [num(1, id), part(5, part(1, room))].concat();
    let frame = frame(&[connect, subscribe(2, "general"), subscribe(3, "other")]);
    let text = Message::text(String::from_utf8(frame.clone()).unwrap());
    for message in [Message::binary(frame), text] {
        let mut ann = Speaker::open(&running).await;
        ann.socket.send(message).await.unwrap();
        assert!(ann.next().await.unwrap().get(5).is_some(), "the connect first");
        let mut answered = vec![ann.next().await.unwrap().num(1), ann.next().await.unwrap().num(1)];
        answered.sort_unstable();
        assert_eq!(answered, [2, 3]);
    }
    // JSON in a binary frame is JSON, and answered in a text frame.
    let mut bob = tokio_tungstenite::connect_async(&running.url).await.unwrap().0;
    bob.send(Message::binary("{\"id\":1,\"connect\":{\"token\":\"bob\"}}")).await.unwrap();
    let answer = tokio::time::timeout(SOON, bob.next()).await.unwrap().unwrap().unwrap();
    assert!(answer.is_text() && answer.to_text().unwrap().contains("\"connect\""), "{answer}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_protocol_is_closed() {
    let running = start(|_| {}).await;
    let cut = frame(&[[num(1, 1), part(4, part(1, "ann"))].concat()]);
    let early = frame(&[[num(1, 1), part(5, part(1, "general"))].concat()]);
    for bad in [vec![], vec![0x80], vec![0xff; 11], cut[..5].to_vec(), early, vec![0]] {
        let mut client = Speaker::open(&running).await;
        client.send(bad.clone()).await;
        assert_eq!(client.closed().await, 3501, "{bad:02x?}");
    }
    let (mut client, _) = Speaker::connect(&running, "ann").await;
    client.send(vec![0]).await;
    assert_eq!(client.closed().await, 3501, "a pong without a ping");
    let (mut client, _) = Speaker::connect(&running, "ann").await;
    client.send(frame(&[part(12, part(1, "1"))])).await;
    assert_eq!(client.closed().await, 3508, "send");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_an_empty_message_and_so_is_its_answer() {
    let running = start(|config| {
        config.connection.ping_ms = 1_000;
        config.limits.pong_ms = 500;
    })
    .await;
    let (mut alive, _) = Speaker::connect(&running, "ann").await;
    let (mut mute, _) = Speaker::connect(&running, "bob").await;
    for _ in 0..3 {
        assert_eq!(alive.frame().await.unwrap()[..], [0]);
        alive.send(vec![0]).await;
    }
    assert_eq!(mute.frame().await.unwrap()[..], [0]);
    assert_eq!(mute.closed().await, 3012);
    alive.subscribe("general").await;
    running.stop().await;
}

/// A publication as both formats can be compared by.
#[derive(Debug, PartialEq)]
struct Seen {
    offset: u64,
    data: Vec<u8>,
    client: String,
    tag: String,
}

fn seen_in(push: &Fields) -> Seen {
    assert_eq!(push.text(2), "general");
    let publication = push.get(4).unwrap();
    assert!(publication.num(9) > 1_700_000_000_000, "a time in milliseconds");
    let (info, tag) = (publication.get(5).unwrap(), publication.get(7).unwrap());
    assert_eq!(tag.text(1), "gateway");
    Seen {
        offset: publication.num(6),
        data: publication.bytes(4).to_vec(),
        client: info.text(2).to_owned(),
        tag: tag.text(2).to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_room_see_the_same_whatever_they_speak() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    let joined = bob.subscribe("general").await;
    assert_eq!((joined.num(3), joined.num(10)), (1, 1), "recoverable, positioned");
    let epoch = joined.text(6).to_owned();
    for n in 1..=20 {
        if n % 2 == 0 {
            let data = json!({"channel": "general", "data": {"n": n}});
            ann.client.command("publish", data).await.unwrap();
        } else {
            bob.publish("general", format!("{{\"n\":{n}}}").as_bytes()).await.unwrap();
        }
    }
    let id = ann.connected["client"].as_str().unwrap().to_owned();
    for n in 1..=20 {
        let (offset, data) = ann.publication().await;
        let seen = seen_in(&bob.push().await);
        assert_eq!((offset, data.as_bytes()), (n, &seen.data[..]));
        let client = if n % 2 == 0 { id.clone() } else { bob.id.clone() };
        let data = format!("{{\"n\":{n}}}").into_bytes();
        assert_eq!(seen, Seen { offset: n, data, client, tag: "g1".to_owned() });
    }
    // History, and a subscribe that recovers: the same items again.
    let page = bob.ask(10, 11, [part(1, "general"), num(7, 100)].concat()).await.unwrap();
    assert_eq!(
        page.all(1).map(|item| item.num(6)).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
    assert_eq!((page.text(2), page.num(3)), (&*epoch, 20));
    let (mut late, _) = Speaker::connect(&running, "cid").await;
    let since = [part(1, "general"), num(3, 1), part(6, &epoch), num(7, 15)].concat();
    let recovered = late.ask(5, 6, since).await.unwrap();
    assert_eq!((recovered.num(8), recovered.num(12), recovered.num(9)), (1, 1, 15));
    assert_eq!(recovered.all(7).map(|item| item.num(6)).collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comings_and_goings_notices_and_ends_are_told_in_both_formats() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    let wish = json!({"channel": "general", "join_leave": true});
    ann.client.command("subscribe", wish).await.unwrap();
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    bob.subscribe("general").await;
    let who = Who {
        id: id_of("cid"),
        name: "Cid".to_owned(),
        info: Bytes::new(),
        room_info: Bytes::from_static(b"[5]"),
        connection: ConnectionId::random(),
    };
    for (signal, field) in [(Signal::Join(who.clone()), 5), (Signal::Leave(who.clone()), 6)] {
        running.rooms.signal("general", signal);
        let info = bob.push().await.get(field).unwrap().get(1).unwrap();
        assert_eq!((info.text(1), info.text(2)), ("cid", &*who.connection.to_string()));
        assert_eq!(info.bytes(3), b"{\"name\":\"Cid\"}");
        assert_eq!(info.bytes(4), b"[5]");
        let push = ann.push().await;
        assert!(if field == 5 { push.join.is_some() } else { push.leave.is_some() });
    }
    let (id, text) = ("n1".to_owned(), "maintenance".to_owned());
    let notice = domain::Notice { id, text, level: domain::NoticeLevel::Info };
    let order = Order { number: 1, time_ms: now_ms(), act: OrderAct::Notice(notice) };
    running.rooms.orders.send(order).unwrap();
    let push = bob.push().await;
    assert_eq!(push.text(2), "system");
    assert_eq!(
        push.get(4).unwrap().bytes(4),
        ann.push().await.publication.unwrap().data.get().as_bytes()
    );

    running.rooms.kick("general", "bob");
    assert!(bob.push().await.get(4).unwrap().text(4).contains("\"kick\""));
    let ended = bob.push().await.get(7).unwrap();
    assert_eq!((ended.num(2), ended.text(3)), (2000, "spam"));
    assert_eq!(ann.publication().await.0, 1);

    bob.subscribe("general").await;
    running.rooms.renew("general");
    running.rooms.say("general", "2");
    let ended = bob.push().await.get(7).unwrap();
    assert_eq!((ended.num(2), ended.text(3)), (2500, "insufficient state"));
    assert_eq!(ann.unsubscribed().await, 2500);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_and_calls_are_answered() {
    let running = start(|_| {}).await;
    let (mut ann, _) = Speaker::connect(&running, "ann").await;
    ann.subscribe("general").await;
    let here = ann.ask(8, 9, part(1, "general")).await.unwrap();
    let entry = here.get(1).unwrap();
    assert_eq!((entry.text(1), entry.get(2).unwrap().text(1)), (&*ann.id, "ann"));
    let stats = ann.ask(9, 10, part(1, "general")).await.unwrap();
    assert_eq!((stats.num(1), stats.num(2)), (1, 1));
    let send = br#"{"room":"general","id":"message-0001","data":{"text":"hi"}}"#;
    let sent = ann.ask(13, 13, [part(1, send), part(2, "room.send")].concat()).await.unwrap();
    let sent: Value = serde_json::from_slice(sent.bytes(1)).unwrap();
    assert_eq!((&sent["offset"], &sent["duplicate"]), (&json!(1), &json!(false)));
    let refreshed = ann.ask(14, 14, part(1, "ann")).await.unwrap();
    assert_eq!(refreshed.text(1), ann.id);
    assert_eq!(ann.ask(13, 13, part(2, "no.such")).await, Err(104));
    assert_eq!(ann.ask(6, 7, part(1, "general")).await, Ok(Fields::default()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_takes_only_what_everybody_can_read() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    bob.subscribe("general").await;
    let deep = [vec![b'['; 101], vec![b']'; 101]].concat();
    for binary in [&[0xff, 0x00][..], b"no json", b"{", &deep] {
        assert_eq!(bob.publish("general", binary).await, Err(107), "{binary:02x?}");
    }
    // By a call it is no other.
    let call = [&b"{\"room\":\"general\",\"data\":"[..], &deep, b"}"].concat();
    assert_eq!(bob.ask(13, 13, [part(1, call), part(2, "room.send")].concat()).await, Err(107));
    // Laid out over lines it is JSON: as it came for the one, on one line for the other.
    bob.publish("general", b"{\n  \"a\": 1\n}").await.unwrap();
    assert_eq!(bob.push().await.get(4).unwrap().bytes(4), b"{\n  \"a\": 1\n}");
    assert_eq!(ann.publication().await, (1, "{  \"a\": 1}".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_told_everything_is_closed_rather_than_told_half() {
    let running = start(|_| {}).await;
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    let joined = bob.subscribe("raw-1").await;
    let mut ann = running.client("ann").await;
    ann.client.subscribe("raw-1", None).await.unwrap();
    ann.client.subscribe("general", None).await.unwrap();
    bob.publish("raw-1", b"1").await.unwrap();
    bob.publish("raw-1", &[0xff, 0x00]).await.unwrap();
    bob.publish("raw-1", b"3").await.unwrap();
    for data in [&b"1"[..], &[0xff, 0x00], b"3"] {
        assert_eq!(bob.push().await.get(4).unwrap().bytes(4), data);
    }
    assert_eq!(ann.publication().await, (1, "1".to_owned()));
    assert_eq!(ann.closed().await, 3506);
    // The same in an answer, whether it is a page or a recovery.
    let history = json!({"channel": "raw-1", "limit": 10});
    let recover =
        json!({"channel": "raw-1", "recover": true, "epoch": joined.text(6), "offset": 1});
    for (verb, arguments) in [("history", history), ("subscribe", recover)] {
        let mut late = running.client("ann").await;
        late.client.begin_in_band(verb, arguments).await.unwrap();
        assert_eq!(late.closed().await, 3506, "{verb}");
    }
    // And without a position.
    let (mut live, mut late) =
        (Speaker::connect(&running, "cid").await.0, running.client("ann").await);
    live.subscribe("live-raw").await;
    late.client.subscribe("live-raw", None).await.unwrap();
    // Bound a moment after the subscribe: what is said before that is gone.
    let deadline = tokio::time::Instant::now() + SOON;
    while late.incoming.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the close does not come");
        live.publish("live-raw", &[0xfe]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(late.closed().await, 3506);
    running.stop().await;
}
