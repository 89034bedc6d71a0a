//! What clients send.
use super::*;

pub fn all() -> Vec<(&'static str, u32, Option<Request>)> {
    [commands(), subscribes(), more_commands()].concat()
}

/// Text or image, and not larger than 3.
fn filter() -> FilterNode {
    let kind = FilterNode {
        key: "kind".into(),
        cmp: "in".into(),
        vals: vec!["text".into(), "image".into()],
        ..FilterNode::default()
    };
    let large = FilterNode {
        key: "size".into(),
        cmp: "gt".into(),
        val: "3".into(),
        ..FilterNode::default()
    };
    let small = FilterNode { op: "not".into(), nodes: vec![large], ..FilterNode::default() };
    FilterNode { op: "and".into(), nodes: vec![kind, small], ..FilterNode::default() }
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
                ..ConnectRequest::default()
            })),
        ),
        (
            "command_connect_with_headers",
            1,
            Some(Request::Connect(ConnectRequest {
                token: "t".into(),
                headers: BTreeMap::from([
                    ("x-trace".into(), "1".into()),
                    ("x-tenant".into(), "blue".into()),
                ]),
                ..ConnectRequest::default()
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

fn subscribes() -> Vec<(&'static str, u32, Option<Request>)> {
    let general = || String::from("general");
    vec![
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
                tf: None,
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
        (
            "command_subscribe_filtered",
            2,
            Some(Request::Subscribe(SubscribeRequest {
                channel: general(),
                tf: Some(Box::new(filter())),
                ..SubscribeRequest::default()
            })),
        ),
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
