//! What the server sends unasked.
use super::*;

pub fn pushes() -> Vec<(&'static str, Push)> {
    let message = Publication {
        data: json(r#"{"id":"m-1234567","text":"hi"}"#),
        info: Some(ada("c")),
        offset: 42,
        tags: gateway(),
        time: 1_763_820_000_000,
        delta: false,
    };
    let cursor = Publication { data: json("[0.50,1e3]"), ..Publication::default() };
    let gone = ClientInfo { user: "u".into(), client: "c".into(), ..ClientInfo::default() };
    let ended = PushBody::Unsubscribe { code: 2000, reason: "server unsubscribe".into() };
    vec![
        ("push_pub", Push::new("general", PushBody::Pub(message))),
        ("push_pub_without_a_position", Push::new("cursor:x", PushBody::Pub(cursor))),
        ("push_pub_numbered", numbered()),
        ("push_join", Push::new("general", PushBody::Join(ada("c")))),
        ("push_join_numbered", Push { id: 7, ..Push::new("", PushBody::Join(ada("c"))) }),
        ("push_leave", Push::new("general", PushBody::Leave(gone))),
        ("push_unsubscribe", Push::new("general", ended)),
        ("push_message", Push::new("", PushBody::Message(json(r#"{"kind":"notice"}"#)))),
        (
            "push_subscribe",
            Push::new(
                "user:1",
                PushBody::Subscribe(SubscribePush {
                    recoverable: true,
                    epoch: "e".into(),
                    offset: 5,
                    positioned: true,
                    data: json(r#"{"a":1}"#),
                }),
            ),
        ),
        (
            "push_disconnect",
            Push::new(
                "",
                PushBody::Disconnect(DisconnectPush {
                    code: 3001,
                    reason: "shutdown".into(),
                    reconnect: true,
                }),
            ),
        ),
        ("push_refresh", Push::new("", PushBody::Refresh(RefreshPush { expires: true, ttl: 300 }))),
    ]
}

/// A patch on a channel that its number names.
fn numbered() -> Push {
    let patch =
        Publication { data: json("\"patch\""), offset: 43, delta: true, ..Publication::default() };
    Push { id: 7, channel: String::new(), body: PushBody::Pub(patch) }
}
