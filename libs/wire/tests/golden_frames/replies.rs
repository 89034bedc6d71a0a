//! What the server answers.
use super::*;

fn subscribe_replies() -> Vec<(&'static str, u32, ReplyBody)> {
    let missed = vec![
        Publication { data: json(r#"{"text":"1"}"#), offset: 8, ..Publication::default() },
        Publication {
            data: json("2"),
            info: Some(ada("")),
            offset: 9,
            tags: gateway(),
            time: 1,
            delta: false,
        },
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
        (
            "reply_subscribe_numbered",
            2,
            ReplyBody::Subscribe(SubscribeResult {
                recoverable: true,
                delta: true,
                id: 7,
                ..SubscribeResult::default()
            }),
        ),
        (
            "reply_subscribe_with_patches",
            2,
            ReplyBody::Subscribe(SubscribeResult {
                recoverable: true,
                publications: patches(),
                recovered: true,
                offset: 7,
                was_recovering: true,
                delta: true,
                ..SubscribeResult::default()
            }),
        ),
        ("reply_subscribe_empty", 2, ReplyBody::Subscribe(SubscribeResult::default())),
    ]
}

/// A whole payload as text, and a patch on it.
fn patches() -> Vec<Publication> {
    let whole =
        Publication { data: json(r#""{\"text\":\"1\"}""#), offset: 8, ..Publication::default() };
    let patch = Publication {
        data: json(r#""C\n2@0,""#),
        offset: 9,
        delta: true,
        ..Publication::default()
    };
    vec![whole, patch]
}

fn connect_replies() -> Vec<(&'static str, u32, ReplyBody)> {
    vec![
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
                ..ConnectResult::default()
            })),
        ),
        (
            "reply_connect_of_a_session",
            1,
            ReplyBody::Connect(Box::new(ConnectResult {
                client: "c".into(),
                session: "0123456789abcdef".into(),
                node: "g1".into(),
                ..ConnectResult::default()
            })),
        ),
        ("reply_connect_empty", 1, ReplyBody::Connect(Box::default())),
    ]
}

pub fn replies() -> Vec<(&'static str, u32, ReplyBody)> {
    let unnamed =
        ClientInfo { client: "c2".into(), chan_info: json("[]"), ..ClientInfo::default() };
    let one = Publication { data: json("\"x\""), offset: 1, ..Publication::default() };
    let mut all = subscribe_replies();
    all.extend(connect_replies());
    all.extend([
        ("reply_error", 1, ReplyBody::Error(ErrorCode::Internal.body())),
        ("reply_error_for_good", 1, ReplyBody::Error(ErrorCode::PermissionDenied.body())),
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
