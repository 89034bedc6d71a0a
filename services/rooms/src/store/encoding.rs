//! How items and orders stand in columns, the same in both stores.
//!
//! A message keeps its payload as it came; an event and an order are JSON with a version of their
//! own words, so that an older pod can read what a newer one wrote as long as no word is taken
//! away. A statement that both stores ask in the same words stands beside the columns it reads.
use bytes::Bytes;
use domain::{
    Body, ConnectionId, Error, ErrorReason, Event, GatewayId, Item, MessageId, Notice, NoticeLevel,
    Order, OrderAct, PrincipalId, Result, RoomName, Sender, Tags,
};
use rpc::admin::AuditRow;
use serde::{Deserialize, Serialize};

use super::records::{RoomFile, RoomRow, oldest, position};

const MESSAGE: i16 = 1;
const KICK: i16 = 2;

/// The columns of table `item` that a body fills.
#[derive(Debug, Clone)]
pub(crate) struct BodyColumns {
    pub kind: i16,
    pub sender_issuer: Option<String>,
    pub sender_subject: Option<String>,
    pub sender_name: Option<String>,
    pub sender_connection: Option<String>,
    pub sender_info: Option<Vec<u8>>,
    pub sender_room_info: Option<Vec<u8>>,
    pub gateway: Option<String>,
    pub tags: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

/// A row of table `item`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct ItemRow {
    pub item_offset: i64,
    pub message_id: String,
    pub time_ms: i64,
    pub kind: i16,
    pub sender_issuer: Option<String>,
    pub sender_subject: Option<String>,
    pub sender_name: Option<String>,
    pub sender_connection: Option<String>,
    pub sender_info: Option<Vec<u8>>,
    pub sender_room_info: Option<Vec<u8>>,
    pub gateway: Option<String>,
    pub tags: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct StoredKick {
    target: PrincipalId,
    by: PrincipalId,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum StoredOrder {
    Disconnect {
        target: PrincipalId,
        reason: String,
        reconnect: bool,
    },
    Unsubscribe {
        target: PrincipalId,
        room: RoomName,
        reason: String,
    },
    Subscribe {
        target: PrincipalId,
        room: RoomName,
        data: String,
    },
    Notice {
        id: String,
        text: String,
        warning: bool,
    },
    /// Given by a newer version: its own gateways know what to do.
    #[serde(other)]
    Newer,
}

impl BodyColumns {
    /// The columns of a body.
    pub(crate) fn of(body: &Body) -> Self {
        match body {
            Body::Message { sender, gateway, tags, data } => {
                let id = sender.as_ref().map(|s| &s.id);
                Self {
                    kind: MESSAGE,
                    sender_issuer: id.map(|id| id.issuer.to_string()),
                    sender_subject: id.map(|id| id.subject.to_string()),
                    sender_name: sender.as_ref().map(|s| s.name.clone()),
                    sender_connection: sender
                        .as_ref()
                        .and_then(|s| s.connection)
                        .map(|connection| connection.to_string()),
                    sender_info: sender.as_ref().and_then(|s| column(&s.info)),
                    sender_room_info: sender.as_ref().and_then(|s| column(&s.room_info)),
                    gateway: gateway.as_ref().map(ToString::to_string),
                    tags: (!tags.is_empty()).then(|| tags_bytes(tags)),
                    data: data.to_vec(),
                }
            }
            Body::Event(event) => Self {
                kind: KICK,
                sender_issuer: None,
                sender_subject: None,
                sender_name: None,
                sender_connection: None,
                sender_info: None,
                sender_room_info: None,
                gateway: None,
                tags: None,
                data: event_bytes(event),
            },
        }
    }

    /// Whether no text holds U+0000, which PostgreSQL refuses and SQLite must refuse likewise.
    pub(crate) fn storable(body: &Body) -> bool {
        let Body::Message { sender: Some(sender), .. } = body else { return true };
        [&*sender.id.issuer, &*sender.id.subject, &sender.name].iter().all(|t| !t.contains('\0'))
    }
}

/// JSON that may be absent: then it takes no room in the row.
fn column(json: &Bytes) -> Option<Vec<u8>> {
    (!json.is_empty()).then(|| json.to_vec())
}

/// Tags as they are stored, and as their digest is taken.
pub(crate) fn tags_bytes(tags: &Tags) -> Vec<u8> {
    // Strings alone, in one order: this cannot fail.
    serde_json::to_vec(tags.as_map()).unwrap_or_default()
}

/// An event as it is stored, and as its digest is taken.
pub(crate) fn event_bytes(event: &Event) -> Vec<u8> {
    let Event::Kick { target, by, reason } = event;
    let stored = StoredKick { target: target.clone(), by: by.clone(), reason: reason.clone() };
    // Strings alone: this cannot fail, and an empty event would be refused on reading.
    serde_json::to_vec(&stored).unwrap_or_default()
}

impl ItemRow {
    /// How many bytes count against the limit of a page: the payload, its tags, and what is shown of
    /// the author. PostgreSQL counts the same in its statement.
    pub(crate) fn bytes(&self) -> u64 {
        let beside = [&self.sender_info, &self.sender_room_info, &self.tags];
        let beside: usize = beside.into_iter().flatten().map(Vec::len).sum();
        (self.data.len() + beside) as u64
    }

    /// The item of a row.
    pub(crate) fn into_item(self) -> Result<Item> {
        let offset = self.item_offset.unsigned_abs();
        let message_id =
            MessageId::parse(&self.message_id).map_err(|_| unreadable("a message id", offset))?;
        let time_ms = self.time_ms;
        let body = self.into_body(offset)?;
        Ok(Item { offset, message_id, time_ms, body, trace: None })
    }

    fn into_body(self, offset: u64) -> Result<Body> {
        if self.kind == KICK {
            let kick: StoredKick =
                serde_json::from_slice(&self.data).map_err(|_| unreadable("an event", offset))?;
            let StoredKick { target, by, reason } = kick;
            return Ok(Body::Event(Event::Kick { target, by, reason }));
        }
        if self.kind != MESSAGE {
            return Err(unreadable("a kind", offset));
        }
        let connection = match self.sender_connection.as_deref() {
            Some(text) => {
                let id: ConnectionId =
                    text.parse().map_err(|_| unreadable("a connection", offset))?;
                Some(id)
            }
            None => None,
        };
        let sender = match (self.sender_issuer, self.sender_subject) {
            (Some(issuer), Some(subject)) => Some(Sender {
                id: PrincipalId::new(issuer, subject),
                name: self.sender_name.unwrap_or_default(),
                info: self.sender_info.map(Bytes::from).unwrap_or_default(),
                room_info: self.sender_room_info.map(Bytes::from).unwrap_or_default(),
                connection,
            }),
            _ => None,
        };
        let gateway = match self.gateway.as_deref() {
            Some(text) => {
                Some(GatewayId::parse(text).map_err(|_| unreadable("a gateway", offset))?)
            }
            None => None,
        };
        let tags = match self.tags.as_deref() {
            Some(json) => serde_json::from_slice(json).map_err(|_| unreadable("tags", offset))?,
            None => Tags::default(),
        };
        Ok(Body::Message { sender, gateway, tags, data: Bytes::from(self.data) })
    }
}

/// An order as it is stored.
pub(crate) fn order_bytes(act: &OrderAct) -> Vec<u8> {
    let stored = match act.clone() {
        OrderAct::Disconnect { target, reason, reconnect } => {
            StoredOrder::Disconnect { target, reason, reconnect }
        }
        OrderAct::Unsubscribe { target, room, reason } => {
            StoredOrder::Unsubscribe { target, room, reason }
        }
        OrderAct::Subscribe { target, room, data } => {
            let data = String::from_utf8_lossy(&data).into_owned();
            StoredOrder::Subscribe { target, room, data }
        }
        OrderAct::Notice(Notice { id, text, level }) => {
            StoredOrder::Notice { id, text, warning: level == NoticeLevel::Warning }
        }
    };
    // Strings and flags alone: this cannot fail.
    serde_json::to_vec(&stored).unwrap_or_default()
}

/// Orders after `$1`, at most `$2`.
pub(crate) const ORDERS: &str =
    "SELECT number, time_ms, act FROM gateway_order WHERE number > $1 ORDER BY number LIMIT $2";

/// The columns of an order: number, time, act.
pub(crate) type OrderColumns = (i64, i64, Vec<u8>);

/// The order of a row; `None` for an act that only a newer version knows.
pub(crate) fn order_of((number, time_ms, act): OrderColumns) -> Result<Option<Order>> {
    let number = number.unsigned_abs();
    let stored: StoredOrder =
        serde_json::from_slice(&act).map_err(|_| unreadable("an order", number))?;
    let act = match stored {
        StoredOrder::Disconnect { target, reason, reconnect } => {
            OrderAct::Disconnect { target, reason, reconnect }
        }
        StoredOrder::Unsubscribe { target, room, reason } => {
            OrderAct::Unsubscribe { target, room, reason }
        }
        StoredOrder::Subscribe { target, room, data } => {
            OrderAct::Subscribe { target, room, data: data.into() }
        }
        StoredOrder::Newer => {
            tracing::warn!(number, "an order of a newer version is passed over");
            return Ok(None);
        }
        StoredOrder::Notice { id, text, warning } => {
            let level = if warning { NoticeLevel::Warning } else { NoticeLevel::Info };
            OrderAct::Notice(Notice { id, text, level })
        }
    };
    Ok(Some(Order { number, time_ms, act }))
}

/// A row that this version cannot read: a newer one wrote it, or the file is damaged.
fn unreadable(what: &str, number: u64) -> Error {
    tracing::error!(what, number, "a stored row cannot be read");
    Error::new(ErrorReason::Internal, "a stored row cannot be read")
}

/// The room of a name, its number of members, and whom it bans.
pub(crate) const ROOM: &str =
    "SELECT name, title, epoch, head, trimmed, created_at_ms FROM room WHERE name = $1";
pub(crate) const ROOM_MEMBERS: &str =
    "SELECT count(*) FROM member JOIN room ON room.id = member.room WHERE room.name = $1";
pub(crate) const ROOM_BANS: &str = "SELECT issuer, subject FROM ban \
    JOIN room ON room.id = ban.room WHERE room.name = $1 ORDER BY issuer, subject LIMIT 1000";

/// The columns of a room that admins see: name, title, epoch, head, trimmed, created_at_ms.
pub(crate) type RoomColumns = (String, String, String, i64, i64, i64);

/// A room's row. The names in the table were checked before they came in; one that is none is left
/// out.
pub(crate) fn room_row(
    (name, title, epoch, head, trimmed, created_at_ms): RoomColumns,
) -> Option<RoomRow> {
    Some(RoomRow {
        room: RoomName::parse(&name).ok()?,
        title,
        head: position(epoch, head),
        created_at_ms,
        oldest: oldest(trimmed, head),
        items: (head - trimmed).unsigned_abs(),
    })
}

/// All about a room: its row, its number of members, and (issuer, subject) of its bans.
pub(crate) fn room_file(row: RoomRow, members: i64, bans: Vec<(String, String)>) -> RoomFile {
    let banned = bans.into_iter().map(|(i, s)| PrincipalId::new(i, s)).collect();
    RoomFile { row, members: members.unsigned_abs(), banned }
}

/// Audit rows below `$1`, at most `$2`.
pub(crate) const AUDIT: &str = "SELECT number, time_ms, by_issuer, by_subject, act, target, \
    outcome FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2";

/// The columns of an audit row: number, time, issuer, subject, act, target, outcome.
pub(crate) type AuditColumns = (i64, i64, String, String, String, String, String);

/// An audit row of its columns.
pub(crate) fn audit_row(
    (number, time_ms, issuer, subject, act, target, outcome): AuditColumns,
) -> AuditRow {
    AuditRow {
        number: number.unsigned_abs(),
        time_ms,
        by: PrincipalId::new(issuer, subject),
        act,
        target,
        outcome,
    }
}
