//! Whatever is written is read again as the same, in any number in a frame; and nothing at all
//! makes the decoders panic.
use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use wire::client::{ServerMessage, decode_server_frame, encode_command};
use wire::{
    ClientInfo, Command, ConnectRequest, ConnectResult, ErrorBody, Format, HistoryRequest,
    HistoryResult, PresenceResult, PresenceStatsResult, Publication, PublishRequest, Push,
    PushBody, RefreshRequest, RefreshResult, Reply, ReplyBody, Request, RpcRequest, RpcResult,
    SendRequest, StreamPosition, SubRefreshRequest, SubRefreshResult, SubscribeRequest,
    SubscribeResult,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z:]{0,8}", any::<String>()]
}

/// A payload as a client may send it, or none at all.
fn payload() -> impl Strategy<Value = Bytes> {
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
    (payload(), proptest::option::of(info()), any::<u64>(), tags, any::<i64>())
        .prop_map(|(data, info, offset, tags, time)| Publication { data, info, offset, tags, time })
}

fn subscribe() -> impl Strategy<Value = SubscribeRequest> {
    (text(), text(), text(), text(), payload(), any::<(u64, i64, i32)>(), any::<[bool; 4]>())
        .prop_map(
            |(
                channel,
                token,
                epoch,
                delta,
                data,
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
                    flag,
                    kind,
                }
            },
        )
}

fn request() -> impl Strategy<Value = Request> {
    let since = proptest::option::of((any::<u64>(), text()));
    prop_oneof![
        (text(), payload(), btree_map(text(), subscribe(), 0..3), text(), text()).prop_map(
            |(token, data, subs, name, version)| Request::Connect(ConnectRequest {
                token,
                data,
                subs,
                name,
                version
            })
        ),
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

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (1..=u32::MAX, request()).prop_map(|(id, request)| Command { id, request: Some(request) }),
        Just(Command { id: 0, request: None }),
        payload()
            .prop_map(|data| Command { id: 0, request: Some(Request::Send(SendRequest { data })) }),
    ]
}

fn subscribed() -> impl Strategy<Value = SubscribeResult> {
    (any::<(u32, u64)>(), text(), vec(publication(), 0..3), payload(), any::<[bool; 5]>()).prop_map(
        |(
            (ttl, offset),
            epoch,
            publications,
            data,
            [expires, recoverable, recovered, positioned, was_recovering],
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
            }
        },
    )
}

fn connected() -> impl Strategy<Value = ConnectResult> {
    (
        text(),
        text(),
        payload(),
        btree_map(text(), subscribed(), 0..3),
        any::<(bool, u32, u32, bool, i64)>(),
    )
        .prop_map(|(client, version, data, subs, (expires, ttl, ping, pong, time))| {
            ConnectResult { client, version, expires, ttl, data, subs, ping, pong, time }
        })
}

fn body() -> impl Strategy<Value = ReplyBody> {
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
    let body = prop_oneof![
        publication().prop_map(PushBody::Pub),
        info().prop_map(PushBody::Join),
        info().prop_map(PushBody::Leave),
        (any::<u32>(), text()).prop_map(|(code, reason)| PushBody::Unsubscribe { code, reason }),
        payload().prop_map(PushBody::Message),
    ];
    (text(), body).prop_map(|(channel, body)| Push { channel, body })
}

fn server_message() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        1 => Just(ServerMessage::Ping),
        4 => (1..=u32::MAX, body()).prop_map(|(id, body)| ServerMessage::Reply(Reply { id, body })),
        4 => push().prop_map(ServerMessage::Push),
    ]
}

/// Turns a valid frame into one that is nearly valid.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (command(), any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(command, at, byte, cut)| {
            let mut frame = encode_command(Format::Json, &command).to_vec();
            let at = at.index(frame.len());
            if cut {
                frame.truncate(at);
            } else {
                frame[at] = byte;
            }
            frame
        },
    )
}

proptest! {
    #[test]
    fn commands_come_back_as_they_were(commands in vec(command(), 1..5)) {
        let messages: Vec<_> = commands.iter().map(|command| encode_command(Format::Json, command)).collect();
        let frame = Format::Json.join(&messages);
        prop_assert_eq!(Format::Json.decode(&frame, 4), Ok(commands));
    }

    #[test]
    fn what_the_server_says_comes_back_as_it_was(messages in vec(server_message(), 1..5)) {
        let parts: Vec<_> = messages.iter().map(|message| match message {
            ServerMessage::Ping => Format::Json.ping(),
            ServerMessage::Reply(reply) => Format::Json.encode_reply(reply),
            ServerMessage::Push(push) => Format::Json.encode_push(push),
        }).collect();
        for part in &parts {
            prop_assert!(!part.contains(&b'\n'));
            prop_assert!(serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(part).is_ok());
        }
        let frame = Format::Json.join(&parts);
        prop_assert_eq!(decode_server_frame(Format::Json, &frame), Ok(messages));
    }

    #[test]
    fn a_success_has_its_result_and_no_error(id in 1..=u32::MAX, body in body()) {
        let failed = matches!(body, ReplyBody::Error(_));
        let frame = Format::Json.encode_reply(&Reply { id, body });
        let keys: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&frame).unwrap();
        prop_assert_eq!(keys.len(), 2);
        prop_assert_eq!(keys.contains_key("error"), failed);
        prop_assert!(keys.values().all(|value| value.is_number() || value.is_object()));
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(frame in prop_oneof![vec(any::<u8>(), 0..200), damaged()]) {
        let _ = Format::Json.decode(&frame, 4);
        let _ = decode_server_frame(Format::Json, &frame);
        let _ = Format::Json.payload(&frame);
    }

    #[test]
    fn any_bytes_as_a_payload_leave_the_frame_whole(data in vec(any::<u8>(), 1..60)) {
        let push = Push { channel: "a".into(), body: PushBody::Message(Bytes::from(data.clone())) };
        let frame = Format::Json.encode_push(&push);
        prop_assert!(!frame.contains(&b'\n'));
        let carried = match decode_server_frame(Format::Json, &frame).unwrap().pop() {
            Some(ServerMessage::Push(Push { body: PushBody::Message(carried), .. })) => carried,
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let expected = Format::Json.payload(&data).filter(|data| data != "null");
        prop_assert_eq!(carried, expected.unwrap_or_default());
    }
}
