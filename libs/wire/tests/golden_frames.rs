//! Every file in `golden/` is one frame as it must stand on the wire, byte for byte.
//!
//! Each is written and read again: a change of the format shows as a changed file.
#![expect(clippy::panic, reason = "what this file shares between its tests may fail them")]

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use wire::client::{ServerMessage, decode_server_frame, encode_command};
use wire::{
    ClientInfo, Command, ConnectRequest, ConnectResult, ErrorCode, Format, HistoryRequest,
    HistoryResult, PresenceResult, PresenceStatsResult, Publication, PublishRequest, Push,
    PushBody, RefreshRequest, RefreshResult, Reply, ReplyBody, Request, RpcRequest, RpcResult,
    SendRequest, StreamPosition, SubRefreshRequest, SubRefreshResult, SubscribeRequest,
    SubscribeResult,
};

fn json(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn ada(client: &str) -> ClientInfo {
    ClientInfo {
        user: "u".into(),
        client: client.into(),
        conn_info: json(r#"{"name":"Ada"}"#),
        ..ClientInfo::default()
    }
}

fn gateway() -> BTreeMap<String, String> {
    BTreeMap::from([("gateway".into(), "g1".into())])
}

fn commands() -> Vec<(&'static str, u32, Option<Request>)> {
    let general = || String::from("general");
    let recovering = SubscribeRequest {
        recover: true,
        epoch: "e".into(),
        offset: 7,
        ..SubscribeRequest::default()
    };
    vec![
        (
            "command_connect",
            1,
            Some(Request::Connect(ConnectRequest {
                token: "t".into(),
                data: json(r#"{"a": 1}"#),
                subs: BTreeMap::from([(general(), recovering)]),
                name: "js".into(),
                version: "5.8.0".into(),
            })),
        ),
        (
            "command_subscribe",
            2,
            Some(Request::Subscribe(SubscribeRequest {
                channel: "chat:x".into(),
                token: "s".into(),
                recover: true,
                epoch: "e".into(),
                offset: u64::MAX,
                data: json("[1]"),
                positioned: true,
                recoverable: true,
                join_leave: true,
                delta: "fossil".into(),
                flag: 3,
                kind: 1,
            })),
        ),
        (
            "command_subscribe_plain",
            2,
            Some(Request::Subscribe(SubscribeRequest {
                channel: general(),
                ..SubscribeRequest::default()
            })),
        ),
        ("command_unsubscribe", 3, Some(Request::Unsubscribe(general()))),
        (
            "command_publish",
            4,
            Some(Request::Publish(PublishRequest {
                channel: general(),
                data: json(r#"{"id":"m-1234567","text":"a \"b\" \u2028 👋\n"}"#),
            })),
        ),
        ("command_presence", 5, Some(Request::Presence(general()))),
        ("command_presence_stats", 6, Some(Request::PresenceStats(general()))),
    ]
}

fn more_commands() -> Vec<(&'static str, u32, Option<Request>)> {
    let general = || String::from("general");
    vec![
        (
            "command_history",
            7,
            Some(Request::History(HistoryRequest {
                channel: general(),
                limit: -1,
                since: Some(StreamPosition { offset: 3, epoch: "e".into() }),
                reverse: true,
            })),
        ),
        (
            "command_history_since_the_beginning",
            7,
            Some(Request::History(HistoryRequest {
                channel: general(),
                limit: 10,
                since: Some(StreamPosition::default()),
                reverse: false,
            })),
        ),
        ("command_ping", 8, Some(Request::Ping)),
        ("command_send", 0, Some(Request::Send(SendRequest { data: json("\"typing\"") }))),
        (
            "command_rpc",
            9,
            Some(Request::Rpc(RpcRequest {
                method: "room.send".into(),
                data: json(r#"{"room":"general"}"#),
            })),
        ),
        ("command_refresh", 10, Some(Request::Refresh(RefreshRequest { token: "t2".into() }))),
        (
            "command_sub_refresh",
            u32::MAX,
            Some(Request::SubRefresh(SubRefreshRequest {
                channel: general(),
                token: "s2".into(),
                kind: 1,
            })),
        ),
        ("command_pong", 0, None),
    ]
}

fn subscribe_replies() -> Vec<(&'static str, u32, ReplyBody)> {
    let missed = vec![
        Publication { data: json(r#"{"text":"1"}"#), offset: 8, ..Publication::default() },
        Publication { data: json("2"), info: Some(ada("")), offset: 9, tags: gateway(), time: 1 },
    ];
    vec![
        (
            "reply_subscribe",
            2,
            ReplyBody::Subscribe(SubscribeResult {
                expires: true,
                ttl: 60,
                recoverable: true,
                epoch: "e".into(),
                offset: 41,
                positioned: true,
                data: json(r#"{"title":"Ü"}"#),
                ..SubscribeResult::default()
            }),
        ),
        (
            "reply_subscribe_recovered",
            2,
            ReplyBody::Subscribe(SubscribeResult {
                recoverable: true,
                epoch: "e".into(),
                publications: missed,
                recovered: true,
                offset: 7,
                positioned: true,
                was_recovering: true,
                ..SubscribeResult::default()
            }),
        ),
        ("reply_subscribe_empty", 2, ReplyBody::Subscribe(SubscribeResult::default())),
    ]
}

fn replies() -> Vec<(&'static str, u32, ReplyBody)> {
    let unnamed =
        ClientInfo { client: "c2".into(), chan_info: json("[]"), ..ClientInfo::default() };
    let one = Publication { data: json("\"x\""), offset: 1, ..Publication::default() };
    let mut all = subscribe_replies();
    all.extend([
        ("reply_error", 1, ReplyBody::Error(ErrorCode::Internal.body())),
        ("reply_error_for_good", 1, ReplyBody::Error(ErrorCode::PermissionDenied.body())),
        (
            "reply_connect",
            1,
            ReplyBody::Connect(Box::new(ConnectResult {
                client: "c".into(),
                version: "0.1.0".into(),
                expires: true,
                ttl: 300,
                data: json(r#"{"personal":"user:1"}"#),
                subs: BTreeMap::from([("system".into(), SubscribeResult::default())]),
                ping: 25,
                pong: true,
                time: 1_763_820_000_000,
            })),
        ),
        ("reply_connect_empty", 1, ReplyBody::Connect(Box::default())),
        ("reply_unsubscribe", 3, ReplyBody::Unsubscribe),
        ("reply_publish", 4, ReplyBody::Publish),
        (
            "reply_presence",
            5,
            ReplyBody::Presence(PresenceResult {
                presence: BTreeMap::from([("c1".into(), ada("c1")), ("c2".into(), unnamed)]),
            }),
        ),
        ("reply_presence_empty", 5, ReplyBody::Presence(PresenceResult::default())),
        (
            "reply_presence_stats",
            6,
            ReplyBody::PresenceStats(PresenceStatsResult { num_clients: 3, num_users: 2 }),
        ),
        ("reply_presence_stats_empty", 6, ReplyBody::PresenceStats(PresenceStatsResult::default())),
        (
            "reply_history",
            7,
            ReplyBody::History(HistoryResult {
                publications: vec![one],
                epoch: "e".into(),
                offset: 1,
            }),
        ),
        ("reply_history_empty", 7, ReplyBody::History(HistoryResult::default())),
        ("reply_rpc", 9, ReplyBody::Rpc(RpcResult { data: json(r#"{"offset":5}"#) })),
        ("reply_rpc_empty", 9, ReplyBody::Rpc(RpcResult::default())),
        (
            "reply_refresh",
            10,
            ReplyBody::Refresh(RefreshResult {
                client: "c".into(),
                version: "0.1.0".into(),
                expires: true,
                ttl: 300,
            }),
        ),
        (
            "reply_sub_refresh",
            11,
            ReplyBody::SubRefresh(SubRefreshResult { expires: true, ttl: 60 }),
        ),
    ]);
    all
}

fn pushes() -> Vec<(&'static str, &'static str, PushBody)> {
    vec![
        (
            "push_pub",
            "general",
            PushBody::Pub(Publication {
                data: json(r#"{"id":"m-1234567","text":"hi"}"#),
                info: Some(ada("c")),
                offset: 42,
                tags: gateway(),
                time: 1_763_820_000_000,
            }),
        ),
        (
            "push_pub_without_a_position",
            "cursor:x",
            PushBody::Pub(Publication { data: json("[0.50,1e3]"), ..Publication::default() }),
        ),
        ("push_join", "general", PushBody::Join(ada("c"))),
        (
            "push_leave",
            "general",
            PushBody::Leave(ClientInfo {
                user: "u".into(),
                client: "c".into(),
                ..ClientInfo::default()
            }),
        ),
        (
            "push_unsubscribe",
            "general",
            PushBody::Unsubscribe { code: 2000, reason: "server unsubscribe".into() },
        ),
        ("push_message", "", PushBody::Message(json(r#"{"kind":"notice"}"#))),
    ]
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str) -> Bytes {
    let text = std::fs::read_to_string(folder().join(name).with_extension("json"));
    let text = text.unwrap_or_else(|error| panic!("golden/{name}.json: {error}"));
    Bytes::from(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

#[test]
fn commands_stand_on_the_wire_as_in_their_files() {
    for (name, id, request) in commands().into_iter().chain(more_commands()) {
        let (frame, command) = (golden(name), Command { id, request });
        assert_eq!(encode_command(Format::Json, &command), frame, "{name} written");
        assert_eq!(Format::Json.decode(&frame, 1), Ok(vec![command]), "{name} read");
    }
}

#[test]
fn replies_and_pushes_stand_on_the_wire_as_in_their_files() {
    let read = |frame: &Bytes| decode_server_frame(Format::Json, frame);
    for (name, id, body) in replies() {
        let (frame, reply) = (golden(name), Reply { id, body });
        assert_eq!(Format::Json.encode_reply(&reply), frame, "{name} written");
        assert_eq!(read(&frame), Ok(vec![ServerMessage::Reply(reply)]), "{name} read");
    }
    for (name, channel, body) in pushes() {
        let (frame, push) = (golden(name), Push { channel: channel.into(), body });
        assert_eq!(Format::Json.encode_push(&push), frame, "{name} written");
        assert_eq!(read(&frame), Ok(vec![ServerMessage::Push(push)]), "{name} read");
    }
    assert_eq!(Format::Json.ping(), golden("ping"));
    assert_eq!(read(&golden("ping")), Ok(vec![ServerMessage::Ping]));
}

#[test]
fn no_file_is_left_unread() {
    let mut known: Vec<_> = commands().into_iter().map(|(name, ..)| name).collect();
    known.extend(more_commands().into_iter().map(|(name, ..)| name));
    known.extend(replies().into_iter().map(|(name, ..)| name));
    known.extend(pushes().into_iter().map(|(name, ..)| name));
    known.push("ping");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "golden/{name}.json is in no test");
    }
}
