//! From the domain's words to the wire's: items to publications, who to client info.
//!
//! Pure. The wire crate knows no items and the domain knows no publications; they meet here.
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{Body, Event, GATEWAY_TAG, Item, Notice, NoticeLevel, PrincipalId, Sender, Who};
use serde_json::json;
use wire::{ClientInfo, Publication};

/// A log's item, or an ephemeral one, as a publication.
pub fn publication(item: &Item) -> Publication {
    let (data, info, tags) = match &item.body {
        Body::Message { sender, gateway, tags, data } => {
            let mut tags = tags.as_map().clone();
            if let Some(id) = gateway {
                tags.insert(GATEWAY_TAG.to_owned(), id.as_str().to_owned());
            }
            (data.clone(), sender.as_ref().map(sender_info), tags)
        }
        Body::Event(event) => (event_data(event), None, BTreeMap::new()),
    };
    Publication { data, info, offset: item.offset, tags, time: item.time_ms, delta: false }
}

/// An item's payload.
pub fn payload(item: &Item) -> Bytes {
    match &item.body {
        Body::Message { data, .. } => data.clone(),
        Body::Event(event) => event_data(event),
    }
}

/// A presence entry's or a signal's connection as others see it.
pub fn who_info(who: &Who) -> ClientInfo {
    let Who { id, name, info, room_info, connection } = who;
    client_info(id, name, (info, room_info), connection.to_string())
}

/// How many bytes of JSON somebody shows.
pub fn shown_bytes(info: &ClientInfo) -> usize {
    info.conn_info.len() + info.chan_info.len()
}

/// How many bytes a publication holds beside its payload, roughly: its tags and who wrote it.
pub fn beside_bytes(publication: &Publication) -> usize {
    let tags = publication.tags.iter().map(|(key, value)| key.len() + value.len());
    tags.sum::<usize>() + publication.info.as_ref().map_or(0, shown_bytes)
}

/// The data of a notice on the `system` channel.
///
/// `degraded` says whether the gateway's own notice begins or ends an impairment; clients show it
/// until its end.
pub fn notice_data(notice: &Notice, degraded: Option<bool>) -> Bytes {
    let level = match notice.level {
        NoticeLevel::Info => "info",
        NoticeLevel::Warning => "warning",
    };
    let mut data = json!({
        "kind": "notice", "id": notice.id, "level": level, "text": notice.text,
    });
    if let Some(degraded) = degraded {
        data["degraded"] = json!(degraded);
    }
    json_bytes(&data)
}

/// A JSON value as the bytes of a payload.
pub fn json_bytes(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn sender_info(sender: &Sender) -> ClientInfo {
    let client = sender.connection.map(|id| id.to_string()).unwrap_or_default();
    client_info(&sender.id, &sender.name, (&sender.info, &sender.room_info), client)
}

/// A name is shown as JSON unless other JSON goes before it; who has neither shows nothing.
fn client_info(
    id: &PrincipalId,
    name: &str,
    (info, room_info): (&Bytes, &Bytes),
    client: String,
) -> ClientInfo {
    let conn_info = if !info.is_empty() {
        info.clone()
    } else if name.is_empty() && id.is_anonymous() {
        Bytes::new()
    } else {
        json_bytes(&json!({ "name": name }))
    };
    ClientInfo { user: id.user().to_owned(), client, conn_info, chan_info: room_info.clone() }
}

fn event_data(event: &Event) -> Bytes {
    match event {
        // Who did it stays in the audit; the members see whom and why.
        Event::Kick { target, by: _, reason } => json_bytes(&json!({
            "kind": "kick", "user": target.user(), "reason": reason,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{GatewayId, MessageId, Tags};

    #[test]
    fn a_kick_is_a_publication_that_does_not_tell_who_kicked() {
        let item = Item {
            offset: 7,
            message_id: MessageId::parse("kick-00001").unwrap(),
            time_ms: 5,
            body: Body::Event(Event::Kick {
                target: PrincipalId::new("i", "bob"),
                by: PrincipalId::new("i", "secret-admin"),
                reason: "spam".to_owned(),
            }),
            trace: None,
        };
        let publication = publication(&item);
        let text = String::from_utf8(publication.data.to_vec()).unwrap();
        assert_eq!(publication.offset, 7);
        assert!(text.contains("\"kind\":\"kick\"") && text.contains("bob"), "{text}");
        assert!(!text.contains("secret-admin"), "{text}");
    }

    #[test]
    fn a_message_tells_its_gateway_its_tags_and_its_author() {
        let item = Item {
            offset: 1,
            message_id: MessageId::parse("message-1").unwrap(),
            time_ms: 5,
            body: Body::Message {
                sender: Some(Sender {
                    id: PrincipalId::new("i", "ann"),
                    name: "Ann \"A\"".to_owned(),
                    info: Bytes::new(),
                    room_info: Bytes::new(),
                    connection: None,
                }),
                gateway: Some(GatewayId::parse("g1").unwrap()),
                tags: Tags::new([("lang".to_owned(), "de".to_owned())].into()).unwrap(),
                data: Bytes::from_static(b"{}"),
            },
            trace: None,
        };
        let publication = publication(&item);
        let tags: Vec<_> = publication.tags.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(tags, [("gateway", "g1"), ("lang", "de")]);
        let info = publication.info.unwrap();
        assert_eq!(info.user, "ann");
        let name: serde_json::Value = serde_json::from_slice(&info.conn_info).unwrap();
        assert_eq!(name["name"], "Ann \"A\"");
    }

    #[test]
    fn what_a_token_shows_goes_before_the_name() {
        let (info, room_info) = (Bytes::from_static(b"{\"age\":7}"), Bytes::from_static(b"[1]"));
        let connection = domain::ConnectionId::random();
        let (id, name) = (PrincipalId::new("i", "ann"), "Ann".to_owned());
        let ann = Who { id, name, info: info.clone(), room_info: room_info.clone(), connection };
        let shown = who_info(&ann);
        assert_eq!((&shown.conn_info, &shown.chan_info), (&info, &room_info));
        assert_eq!(shown.conn_info.as_ptr(), info.as_ptr(), "shared, not copied");
        let shown = who_info(&Who { info: Bytes::new(), ..ann.clone() });
        assert_eq!(
            (&shown.conn_info[..], &shown.chan_info),
            (&b"{\"name\":\"Ann\"}"[..], &room_info)
        );
        let (id, name) = (PrincipalId::anonymous("c1"), String::new());
        let (none, nobody) = (Bytes::new(), Who { id, name, ..ann });
        assert_eq!(who_info(&nobody).conn_info, info);
        let shown = who_info(&Who { info: none.clone(), room_info: none.clone(), ..nobody });
        assert_eq!(
            (shown.user.as_str(), shown.conn_info, shown.chan_info),
            ("", none.clone(), none)
        );
    }

    #[test]
    fn an_author_is_shown_as_one_who_is_present_is() {
        let (info, room_info) = (Bytes::from_static(b"[\"A\"]"), Bytes::from_static(b"{}"));
        let connection = domain::ConnectionId::random();
        let (id, name) = (PrincipalId::new("i", "ann"), "Ann".to_owned());
        let sender = Sender {
            id: id.clone(),
            name: name.clone(),
            info: info.clone(),
            room_info: room_info.clone(),
            connection: Some(connection),
        };
        let present = Who { id, name, info, room_info, connection };
        assert_eq!(sender_info(&sender), who_info(&present));
    }
}
