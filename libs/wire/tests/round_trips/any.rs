//! Anything that may be said: commands, replies and pushes, their payloads as a client may send them.
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use wire::client::ServerMessage;
use wire::{
    ClientInfo, Command, ConnectRequest, ConnectResult, DisconnectPush, ErrorBody, FilterNode,
    HistoryRequest, HistoryResult, PresenceResult, PresenceStatsResult, Publication,
    PublishRequest, Push, PushBody, RefreshPush, RefreshRequest, RefreshResult, Reply, ReplyBody,
    Request, RpcRequest, RpcResult, SendRequest, StreamPosition, SubRefreshRequest,
    SubRefreshResult, SubscribePush, SubscribeRequest, SubscribeResult,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:]{0,8}", any::<String>()]
}

/// A payload as a client may send it, or none at all.
pub fn payload() -> impl Strategy<Value = Bytes> {
    let leaf = prop_oneof![
        any::<String>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            btree_map(any::<String>(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    });
    // A bare null reads as no payload.
    prop_oneof![
        1 => Just(Bytes::new()),
        4 => value.prop_filter("null", |value| !value.is_null()).prop_map(|value| Bytes::from(value.to_string())),
    ]
}

fn info() -> impl Strategy<Value = ClientInfo> {
    (text(), text(), payload(), payload()).prop_map(|(user, client, conn_info, chan_info)| {
        ClientInfo { user, client, conn_info, chan_info }
    })
}

fn publication() -> impl Strategy<Value = Publication> {
    let tags = btree_map(text(), text(), 0..3);
    (payload(), proptest::option::of(info()), any::<(u64, i64, bool)>(), tags).prop_map(
        |(data, info, (offset, time, delta), tags)| Publication {
            data,
            info,
            offset,
            tags,
            time,
            delta,
        },
    )
}

fn filter() -> impl Strategy<Value = FilterNode> {
    let leaf = (text(), text(), text(), vec(text(), 0..3)).prop_map(|(key, cmp, val, vals)| {
        FilterNode { key, cmp, val, vals, ..FilterNode::default() }
    });
    leaf.prop_recursive(4, 16, 3, |inner| {
        (text(), vec(inner, 0..4)).prop_map(|(op, nodes)| FilterNode {
            op,
            nodes,
            ..FilterNode::default()
        })
    })
}

fn subscribe() -> impl Strategy<Value = SubscribeRequest> {
    let filter = proptest::option::weighted(0.2, filter().prop_map(Box::new));
    let texts = (text(), text(), text(), text());
    (texts, payload(), filter, any::<(u64, i64, i32)>(), any::<[bool; 4]>()).prop_map(
        |(
            (channel, token, epoch, delta),
            data,
            tf,
            (offset, flag, kind),
            [recover, positioned, recoverable, join_leave],
        )| {
            SubscribeRequest {
                channel,
                token,
                recover,
                epoch,
                offset,
                data,
                positioned,
                recoverable,
                join_leave,
                delta,
                tf,
                flag,
                kind,
            }
        },
    )
}

fn connect() -> impl Strategy<Value = ConnectRequest> {
    let (subs, headers) = (btree_map(text(), subscribe(), 0..3), btree_map(text(), text(), 0..3));
    (text(), payload(), subs, text(), text(), headers).prop_map(
        |(token, data, subs, name, version, headers)| ConnectRequest {
            token,
            data,
            subs,
            name,
            version,
            headers,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let since = proptest::option::of((any::<u64>(), text()));
    prop_oneof![
        connect().prop_map(Request::Connect),
        subscribe().prop_map(Request::Subscribe),
        text().prop_map(Request::Unsubscribe),
        (text(), payload())
            .prop_map(|(channel, data)| Request::Publish(PublishRequest { channel, data })),
        text().prop_map(Request::Presence),
        text().prop_map(Request::PresenceStats),
        (text(), any::<i32>(), since, any::<bool>()).prop_map(
            |(channel, limit, since, reverse)| {
                let since = since.map(|(offset, epoch)| StreamPosition { offset, epoch });
                Request::History(HistoryRequest { channel, limit, since, reverse })
            }
        ),
        Just(Request::Ping),
        payload().prop_map(|data| Request::Send(SendRequest { data })),
        (text(), payload()).prop_map(|(method, data)| Request::Rpc(RpcRequest { method, data })),
        text().prop_map(|token| Request::Refresh(RefreshRequest { token })),
        (text(), text(), any::<i32>()).prop_map(|(channel, token, kind)| {
            Request::SubRefresh(SubRefreshRequest { channel, token, kind })
        }),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (1..=u32::MAX, request()).prop_map(|(id, request)| Command { id, request: Some(request) }),
        Just(Command { id: 0, request: None }),
        payload()
            .prop_map(|data| Command { id: 0, request: Some(Request::Send(SendRequest { data })) }),
    ]
}

fn subscribed() -> impl Strategy<Value = SubscribeResult> {
    (any::<(u32, u64, i64)>(), text(), vec(publication(), 0..3), payload(), any::<[bool; 6]>())
        .prop_map(
            |(
                (ttl, offset, id),
                epoch,
                publications,
                data,
                [expires, recoverable, recovered, positioned, was_recovering, delta],
            )| {
                SubscribeResult {
                    expires,
                    ttl,
                    recoverable,
                    epoch,
                    publications,
                    recovered,
                    offset,
                    positioned,
                    data,
                    was_recovering,
                    delta,
                    id,
                }
            },
        )
}

fn connected() -> impl Strategy<Value = ConnectResult> {
    let texts = (text(), text(), text(), text());
    let subs = btree_map(text(), subscribed(), 0..3);
    (texts, payload(), subs, any::<(bool, u32, u32, bool, i64)>()).prop_map(
        |((client, version, session, node), data, subs, (expires, ttl, ping, pong, time))| {
            ConnectResult {
                client,
                version,
                expires,
                ttl,
                data,
                subs,
                ping,
                pong,
                session,
                node,
                time,
            }
        },
    )
}

pub fn body() -> impl Strategy<Value = ReplyBody> {
    let presence = btree_map(text(), info(), 0..3);
    let history = (vec(publication(), 0..3), text(), any::<u64>());
    prop_oneof![
        (any::<u32>(), text(), any::<bool>()).prop_map(|(code, message, temporary)| {
            ReplyBody::Error(ErrorBody { code, message, temporary })
        }),
        connected().prop_map(|result| ReplyBody::Connect(Box::new(result))),
        subscribed().prop_map(ReplyBody::Subscribe),
        Just(ReplyBody::Unsubscribe),
        Just(ReplyBody::Publish),
        presence.prop_map(|presence| ReplyBody::Presence(PresenceResult { presence })),
        any::<(u32, u32)>().prop_map(|(num_clients, num_users)| {
            ReplyBody::PresenceStats(PresenceStatsResult { num_clients, num_users })
        }),
        history.prop_map(|(publications, epoch, offset)| {
            ReplyBody::History(HistoryResult { publications, epoch, offset })
        }),
        payload().prop_map(|data| ReplyBody::Rpc(RpcResult { data })),
        (text(), text(), any::<(bool, u32)>()).prop_map(|(client, version, (expires, ttl))| {
            ReplyBody::Refresh(RefreshResult { client, version, expires, ttl })
        }),
        any::<(bool, u32)>()
            .prop_map(|(expires, ttl)| ReplyBody::SubRefresh(SubRefreshResult { expires, ttl })),
    ]
}

fn push() -> impl Strategy<Value = Push> {
    let subscribed = (any::<(bool, u64, bool)>(), text(), payload()).prop_map(
        |((recoverable, offset, positioned), epoch, data)| SubscribePush {
            recoverable,
            epoch,
            offset,
            positioned,
            data,
        },
    );
    let body = prop_oneof![
        publication().prop_map(PushBody::Pub),
        info().prop_map(PushBody::Join),
        info().prop_map(PushBody::Leave),
        (any::<u32>(), text()).prop_map(|(code, reason)| PushBody::Unsubscribe { code, reason }),
        payload().prop_map(PushBody::Message),
        subscribed.prop_map(PushBody::Subscribe),
        (any::<(u32, bool)>(), text()).prop_map(|((code, reconnect), reason)| {
            PushBody::Disconnect(DisconnectPush { code, reason, reconnect })
        }),
        any::<(bool, u32)>()
            .prop_map(|(expires, ttl)| PushBody::Refresh(RefreshPush { expires, ttl })),
    ];
    let id = prop_oneof![3 => Just(0), 1 => any::<i64>()];
    (id, text(), body).prop_map(|(id, channel, body)| Push { id, channel, body })
}

pub fn server_message() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        1 => Just(ServerMessage::Ping),
        4 => (1..=u32::MAX, body()).prop_map(|(id, body)| ServerMessage::Reply(Reply { id, body })),
        4 => push().prop_map(ServerMessage::Push),
    ]
}
