//! What each answer shows, column by column.
//!
//! Times are RFC 3339 in UTC. Bodies of messages are shown in a page of history only, because
//! that is what was asked for.
use domain::{Body, Event, Item, MessageId, Position, PresenceEntry, PrincipalId};
use rpc::admin::{AuditRow, Member, RoomDetail, RoomInfo, Stats};
use rpc::auth::{CreatedKey, KeyInfo};
use rpc::rooms::{HistoryPage, Published};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Answer;

pub fn stats(stats: Stats) -> Answer {
    let presence = stats.presence;
    let gateways = stats.gateways.map(|gateways| {
        let line = |it: &domain::GatewayInfo| json!(format!("{} ({})", it.gateway, it.connections));
        gateways.iter().map(line).collect::<Vec<_>>()
    });
    Answer::Facts(vec![
        ("version", json!(stats.version)),
        ("rooms", json!(stats.rooms)),
        ("items", json!(stats.items)),
        ("connections", json!(presence.map(|it| it.connections))),
        ("principals", json!(presence.map(|it| it.principals))),
        ("gateways", json!(gateways)),
    ])
}

pub fn rooms(rooms: Vec<RoomInfo>) -> Answer {
    let row = |it: &RoomInfo| {
        let offset = it.head.offset;
        vec![
            json!(it.room),
            json!(offset),
            epoch(&it.head),
            moment(it.created_at_ms),
            json!(it.title),
        ]
    };
    Answer::Rows {
        columns: &["room", "offset", "epoch", "created", "title"],
        rows: rooms.iter().map(row).collect(),
    }
}

pub fn room(detail: RoomDetail) -> Answer {
    let info = detail.info;
    let banned: Vec<Value> = detail.banned.iter().map(principal).collect();
    Answer::Facts(vec![
        ("room", json!(info.room)),
        ("title", json!(info.title)),
        ("kind", json!(detail.kind)),
        ("created", moment(info.created_at_ms)),
        ("epoch", epoch(&info.head)),
        ("head", json!(info.head.offset)),
        ("oldest", json!(detail.oldest)),
        ("items", json!(detail.items)),
        ("members", json!(detail.members)),
        ("connections", json!(detail.counts.map(|it| it.connections))),
        ("principals", json!(detail.counts.map(|it| it.principals))),
        ("banned", Value::Array(banned)),
    ])
}

pub fn members(members: Vec<Member>) -> Answer {
    let row = |it: &Member| vec![json!(it.id.subject), json!(it.id.issuer), moment(it.since_ms)];
    Answer::Rows {
        columns: &["subject", "issuer", "since"],
        rows: members.iter().map(row).collect(),
    }
}

pub fn connections(entries: Vec<PresenceEntry>) -> Answer {
    let row = |it: &PresenceEntry| {
        let who = &it.who;
        vec![
            json!(who.id.subject),
            json!(who.name),
            json!(who.connection.to_string()),
            json!(it.gateway),
            json!(who.id.issuer),
        ]
    };
    Answer::Rows {
        columns: &["subject", "name", "connection", "gateway", "issuer"],
        rows: entries.iter().map(row).collect(),
    }
}

pub fn history(page: HistoryPage) -> Answer {
    let row = |it: &Item| {
        let (what, who, data) = body(&it.body);
        vec![
            json!(it.offset),
            epoch(&page.head),
            moment(it.time_ms),
            what,
            who,
            json!(it.message_id),
            data,
        ]
    };
    Answer::Rows {
        columns: &["offset", "epoch", "time", "what", "who", "message_id", "data"],
        rows: page.items.iter().map(row).collect(),
    }
}

pub fn published(published: Published, id: &MessageId) -> Answer {
    Answer::Facts(vec![
        ("offset", json!(published.position.offset)),
        ("epoch", epoch(&published.position)),
        ("message_id", json!(id)),
        ("duplicate", json!(published.duplicate)),
    ])
}

pub fn position(position: Position) -> Answer {
    Answer::Facts(vec![("offset", json!(position.offset)), ("epoch", epoch(&position))])
}

pub fn audit(rows: Vec<AuditRow>) -> Answer {
    let row = |it: &AuditRow| {
        let by = principal(&it.by);
        vec![
            json!(it.number),
            moment(it.time_ms),
            json!(it.act),
            json!(it.target),
            json!(it.outcome),
            by,
        ]
    };
    Answer::Rows {
        columns: &["number", "time", "act", "target", "outcome", "by"],
        rows: rows.iter().map(row).collect(),
    }
}

pub fn keys(keys: Vec<KeyInfo>) -> Answer {
    Answer::Rows {
        columns: &["key_id", "name", "roles", "created", "expires", "revoked"],
        rows: keys.iter().map(key).collect(),
    }
}

pub fn created_key(created: CreatedKey) -> Answer {
    Answer::Facts(vec![
        ("key", json!(created.secret)),
        ("key_id", json!(created.info.key_id)),
        ("roles", json!(created.info.roles)),
        ("expires", expiry(created.info.expires_at_ms)),
    ])
}

fn key(it: &KeyInfo) -> Vec<Value> {
    let revoked = it.revoked_at_ms.map_or_else(|| json!("no"), moment);
    let (created, expires) = (moment(it.created_at_ms), expiry(it.expires_at_ms));
    vec![json!(it.key_id), json!(it.name), json!(it.roles), created, expires, revoked]
}

fn body(body: &Body) -> (Value, Value, Value) {
    match body {
        Body::Message { sender, data, gateway: _, tags: _ } => {
            let who = sender.as_ref().map_or_else(|| json!("-"), |it| json!(it.id.subject));
            let data = serde_json::from_slice(data)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(data)));
            (json!("message"), who, data)
        }
        Body::Event(Event::Kick { target, by, reason }) => {
            let what = json!({ "target": target.subject, "reason": reason });
            (json!("kick"), json!(by.subject), what)
        }
    }
}

fn principal(id: &PrincipalId) -> Value {
    json!(format!("{} @ {}", id.subject, id.issuer))
}

fn epoch(position: &Position) -> Value {
    json!(position.epoch.as_str())
}

fn expiry(at_ms: Option<i64>) -> Value {
    at_ms.map_or_else(|| json!("never"), moment)
}

/// Unix milliseconds as RFC 3339; a moment that no calendar has stays a number.
fn moment(at_ms: i64) -> Value {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    match at.ok().and_then(|at| at.format(&Rfc3339).ok()) {
        Some(text) => json!(text),
        None => json!(at_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_readable_and_an_impossible_one_is_no_crash() {
        assert_eq!(moment(1_500), json!("1970-01-01T00:00:01.5Z"));
        assert_eq!(moment(i64::MAX), json!(i64::MAX));
    }

    #[test]
    fn what_presence_does_not_know_is_null_and_not_zero() {
        let stats =
            Stats { version: "1".to_owned(), rooms: 1, items: 2, presence: None, gateways: None };
        let Answer::Facts(facts) = super::stats(stats) else { panic!("no facts") };
        assert!(facts.contains(&("connections", Value::Null)), "{facts:?}");
    }
}
