//! What clients should not send: a coded answer each, memory flat, other connections unaffected.
use cluster::{Shape, System};
use serde_json::json;
use testkit::client::{Client, CommandError, Incoming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::{s, turn};

/// The close code that a connection ends with.
async fn close_of(incoming: &mut mpsc::Receiver<Incoming>) -> u16 {
    tokio::time::timeout(s(20), async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Closed(code, _)) => return code,
                Some(_) => {}
                None => panic!("no close"),
            }
        }
    })
    .await
    .expect("closed in time")
}

async fn signed_in(system: &System, name: &str) -> (Client, mpsc::Receiver<Incoming>) {
    let token = system.token(name, &[]).unwrap();
    let (client, incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
    (client, incoming)
}

/// A bystander that must not notice anything.
struct Bystander(Client, mpsc::Receiver<Incoming>, std::sync::Arc<str>);

impl Bystander {
    async fn arrive(system: &System) -> Self {
        let room = system.fresh_room("bystander");
        let (client, incoming) = signed_in(system, "bystander").await;
        client.subscribe(&room, None).await.unwrap();
        Self(client, incoming, room)
    }

    async fn is_well(&mut self) {
        let data = json!({"channel": &*self.2, "data": {"text": "well"}});
        self.0.command("publish", data).await.expect("unaffected");
        loop {
            match tokio::time::timeout(s(5), self.1.recv()).await.expect("delivered") {
                Some(Incoming::Push(push)) if push.publication.is_some() => return,
                Some(Incoming::Closed(code, _)) => panic!("the bystander was closed with {code}"),
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_and_bad_commands_get_their_code() {
    let _turn = turn().await;
    let system = Shape::all_in_one().start().await.unwrap();
    let mut bystander = Bystander::arrive(&system).await;
    let big = "x".repeat(70_000);
    let frames: Vec<(&str, Message, u16)> = vec![
        ("broken JSON", Message::text("{\"id\":1,"), 3501),
        ("no object", Message::text("7"), 3501),
        ("nothing", Message::text(""), 3501),
        ("an unknown command", Message::text(r#"{"id":9,"teleport":{}}"#), 3501),
        ("a pong nobody asked for", Message::text("{}"), 3501),
        ("a second connect", Message::text(r#"{"id":9,"connect":{"token":"x"}}"#), 3501),
        (
            "an oversized frame",
            Message::text(format!(
                "{{\"id\":9,\"publish\":{{\"channel\":\"r\",\"data\":\"{big}\"}}}}"
            )),
            1009,
        ),
        ("binary rubbish", Message::binary(vec![0xff; 64]), 3501),
        ("an empty channel", Message::text(r#"{"id":9,"publish":{"channel":"","data":{}}}"#), 3501),
        ("a ping command", Message::text(r#"{"id":9,"ping":{}}"#), 3501),
    ];
    for (what, frame, code) in frames {
        let (client, mut incoming) = signed_in(&system, "clumsy").await;
        client.raw(frame).await.unwrap();
        assert_eq!(close_of(&mut incoming).await, code, "{what}");
    }
    let (client, mut incoming) = Client::open(&system.urls()[0]).await.unwrap();
    client.raw(Message::text(r#"{"id":1,"publish":{"channel":"r","data":{}}}"#)).await.unwrap();
    assert_eq!(close_of(&mut incoming).await, 3501, "a command before connect");
    bystander.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_room_names_get_a_coded_answer_and_close_nothing() {
    let _turn = turn().await;
    let system = Shape::all_in_one().start().await.unwrap();
    let (client, mut incoming) = signed_in(&system, "namer").await;
    let long = "a".repeat(300);
    for name in
        ["*", "#", "a.b", "a.#", "room.#", "👋", "a b", "a\u{0}b", "\u{202e}abc", &long, "a:b:c:d"]
    {
        for (verb, arguments) in [
            ("subscribe", json!({"channel": name})),
            ("publish", json!({"channel": name, "data": {"text": "x"}})),
            ("history", json!({"channel": name, "limit": 1})),
            ("presence", json!({"channel": name})),
            ("presence_stats", json!({"channel": name})),
            ("rpc", json!({"method": "room.send", "data": {"room": name, "data": {}}})),
        ] {
            match client.command(verb, arguments).await {
                Err(CommandError::Refused(refusal)) => {
                    assert!([103, 107].contains(&refusal.code), "{verb} {name:?}: {refusal}");
                    assert!(!refusal.temporary, "{verb} {name:?}");
                }
                other => panic!("{verb} {name:?}: {other:?}"),
            }
        }
    }
    let room = system.fresh_room("good");
    client.subscribe(&room, None).await.expect("the connection still works");
    while let Ok(message) = incoming.try_recv() {
        assert!(!matches!(message, Incoming::Closed(..)), "closed: {message:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_are_refused_each_with_its_code() {
    let _turn = turn().await;
    let mut shape = Shape::processes();
    shape.gateways = 1;
    let system = shape.start().await.unwrap();
    let issuer = &system.outside().unwrap().issuer;
    let good = issuer.token("ann").sign();
    let parts: Vec<&str> = good.split('.').collect();
    let mut bent = parts[1].to_owned().into_bytes();
    bent[10] = if bent[10] == b'A' { b'B' } else { b'A' };
    let bent = String::from_utf8(bent).unwrap();
    let other = testkit::issuer::TestIssuer::start().await.unwrap();
    let forged: Vec<(&str, String)> = vec![
        ("rubbish", "rubbish".into()),
        ("half a token", parts[0].to_owned()),
        ("a changed payload", format!("{}.{bent}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("algorithm none", format!("eyJhbGciOiJub25lIn0.{}.", parts[1])),
        ("another issuer", other.token("ann").sign()),
        ("another audience", issuer.token("ann").claim("aud", json!("account")).sign()),
        ("an ID token", issuer.token("ann").claim("typ", json!("ID")).sign()),
        ("no subject", issuer.token("ann").claim("sub", json!("")).sign()),
        ("not yet", issuer.token("ann").claim("nbf", json!(4_102_444_800_u64)).sign()),
    ];
    assert_eq!(forged.len(), 10);
    for (what, token) in forged {
        let (client, mut incoming) = Client::open(&system.urls()[0]).await.unwrap();
        let _ = client.begin("connect", json!({"token": token})).await;
        assert_eq!(close_of(&mut incoming).await, 3500, "{what}");
    }
    // An ended token is no crime: the SDK is told to fetch another.
    let ended = issuer.token("ann").ttl_s(-120).sign();
    let (client, _incoming) = Client::open(&system.urls()[0]).await.unwrap();
    match client.command("connect", json!({"token": ended})).await {
        Err(CommandError::Refused(refusal)) => assert_eq!(refusal.code, 109),
        other => panic!("{other:?}"),
    }
    let (client, mut incoming) = Client::open(&system.urls()[0]).await.unwrap();
    let _ = client.begin("connect", json!({})).await;
    assert_eq!(close_of(&mut incoming).await, 3501, "no token at all");
}

/// The request for an upgrade, by hand.
async fn raw_socket(system: &System) -> TcpStream {
    let port = system.gateways[0].port;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 101"), "upgraded");
    stream
}

/// The code in the first close frame that comes.
async fn raw_close(stream: &mut TcpStream) -> u16 {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(s(20), stream.read_to_end(&mut bytes)).await;
    let at = bytes.iter().position(|byte| *byte == 0x88).expect("a close frame");
    u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_into_one_frame_is_cut_at_its_header_and_memory_stays_flat() {
    let _turn = turn().await;
    let shape = Shape::all_in_one().with("ROOMCAST_GATEWAY__LIMITS__FRAME_TIMEOUT_MS", 1_000);
    let system = shape.start().await.unwrap();
    let mut bystander = Bystander::arrive(&system).await;
    let before = system.gateways[0].resident_bytes().unwrap();

    // Twenty sockets each announce a gigabyte, and send what they are let.
    for _ in 0..20 {
        let mut stream = raw_socket(&system).await;
        let mut head = vec![0x81, 0xff];
        head.extend_from_slice(&(1_u64 << 30).to_be_bytes());
        head.extend_from_slice(&[1, 2, 3, 4]);
        let _ = stream.write_all(&head).await;
        let chunk = vec![0x55; 64 * 1024];
        for _ in 0..64 {
            if stream.write_all(&chunk).await.is_err() {
                break;
            }
        }
    }
    // A length that no header may have.
    let mut stream = raw_socket(&system).await;
    stream.write_all(&[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
    assert!([1002, 1009].contains(&raw_close(&mut stream).await));
    // Half a frame, then silence.
    let mut stream = raw_socket(&system).await;
    stream.write_all(&[0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, b'x']).await.unwrap();
    assert_eq!(raw_close(&mut stream).await, 4001);
    // A frame without a mask.
    let mut stream = raw_socket(&system).await;
    stream.write_all(&[0x81, 0x02, b'{', b'}']).await.unwrap();
    assert_eq!(raw_close(&mut stream).await, 1002);

    bystander.is_well().await;
    let grown = system.gateways[0].resident_bytes().unwrap().saturating_sub(before);
    println!("resident memory grew by {} KiB under 20 GiB announced", grown / 1024);
    assert!(grown < 24 * 1024 * 1024, "grew by {grown} bytes");
}
