//! One value of each type, with every field set to something that is not its default.
use bytes::Bytes;
use domain::{Admission, Admitted, Refusal};
use domain::{
    Body, ConnectionId, Envelope, Epoch, Event, GatewayId, GatewayInfo, Grant, Incarnation, Item,
    JoinLeave, LeaseId, MessageId, Notice, NoticeLevel, Order, OrderAct, Overrides, Position,
    PresenceCounts, PresenceEntry, PresenceTotals, Principal, PrincipalId, Recovery, Rights,
    RoomName, RoomSettings, Sender, Tags, Verified, Who,
};
use rpc::admin::{AuditRow, Member, RoomDetail, RoomInfo, Stats};
use rpc::auth::{CreatedKey, KeyInfo};
use rpc::presence::Lease;
use rpc::rooms::{Fetched, HistoryPage, Joined, Published};
use uuid::Uuid;

pub fn room() -> RoomName {
    RoomName::parse("chat:general").unwrap()
}

pub fn id(subject: &str) -> PrincipalId {
    PrincipalId::new("https://issuer/realms/chat", subject)
}

pub fn principal(role: &str) -> Principal {
    let roles = vec!["user".into(), role.into()];
    let (name, info) = ("Älice".into(), Bytes::from_static(b"{\"seat\":5}"));
    Principal { id: id("alice"), name, info, roles, grants: vec![room()] }
}

pub fn connection() -> ConnectionId {
    ConnectionId(Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0))
}

pub fn lease_id() -> LeaseId {
    LeaseId(Uuid::from_u128(7))
}

pub fn incarnation() -> Incarnation {
    Incarnation(Uuid::from_u128(8))
}

pub fn gateway() -> GatewayId {
    GatewayId::parse("gateway-1").unwrap()
}

pub fn message_id() -> MessageId {
    MessageId::parse("message-0001").unwrap()
}

pub fn position() -> Position {
    Position { epoch: Epoch::new("epoch"), offset: 42 }
}

pub fn sender() -> Sender {
    Sender {
        id: id("alice"),
        name: "Älice".into(),
        info: Bytes::from_static(b"{\"age\":7}"),
        room_info: Bytes::from_static(b"[1]"),
        connection: Some(connection()),
    }
}

pub fn who() -> Who {
    Who {
        id: id("alice"),
        name: "Älice".into(),
        info: Bytes::from_static(b"{\"age\":7}"),
        room_info: Bytes::from_static(b"[1]"),
        connection: connection(),
    }
}

pub fn entry() -> PresenceEntry {
    PresenceEntry { who: who(), gateway: gateway() }
}

/// An entry as the admin service tells it: of what is shown the name alone.
pub fn plain_entry() -> PresenceEntry {
    let who = Who { info: Bytes::new(), room_info: Bytes::new(), ..who() };
    PresenceEntry { who, ..entry() }
}

pub fn tags() -> Tags {
    Tags::new([("lang".to_owned(), "de".to_owned()), ("é".to_owned(), String::new())].into())
        .unwrap()
}

/// Every kind of item, with and without what may be absent.
pub fn items() -> Vec<Item> {
    let message = |sender, gateway: Option<_>, data: &'static [u8]| Body::Message {
        sender,
        tags: if gateway.is_some() { tags() } else { Tags::default() },
        gateway,
        data: Bytes::from_static(data),
    };
    let kick =
        Body::Event(Event::Kick { target: id("bob"), by: id("alice"), reason: "spam".into() });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let item = |offset, body, trace: Option<&str>| Item {
        offset,
        message_id: message_id(),
        time_ms: 1_700_000_000_000,
        body,
        trace: trace.map(Into::into),
    };
    let over_http = Sender { connection: None, ..sender() };
    vec![
        item(1, message(Some(sender()), Some(gateway()), b"{\"text\":\"\0\xff\"}"), Some(trace)),
        item(2, message(Some(over_http), None, b"1"), None),
        item(3, message(None, None, b""), None),
        item(4, kick, None),
    ]
}

pub fn joined() -> Joined {
    let settings = RoomSettings {
        stored: true,
        presence: true,
        join_leave: JoinLeave::User,
        envelope: Envelope::None,
        recovery: Recovery::Cache,
        delta: true,
        filters: true,
    };
    Joined { settings, rights: Rights { publish: true, moderate: true }, head: position() }
}

pub fn published() -> Published {
    Published { position: position(), duplicate: true }
}

pub fn page() -> HistoryPage {
    HistoryPage { items: items(), head: position() }
}

pub fn fetched() -> Fetched {
    Fetched { head: position(), oldest: 3, items: items() }
}

pub fn orders() -> Vec<Order> {
    let order = |number, act| Order { number, time_ms: 5, act };
    vec![
        order(1, OrderAct::Disconnect { target: id("bob"), reason: "x".into(), reconnect: true }),
        order(2, OrderAct::Unsubscribe { target: id("bob"), room: room(), reason: "y".into() }),
        order(3, OrderAct::Notice(notice())),
        order(4, OrderAct::Subscribe { target: id("bob"), room: room(), data: told() }),
    ]
}

/// What is told with a subscription by the server.
pub fn told() -> Bytes {
    Bytes::from_static(b"{\"why\":\"invited\"}")
}

pub fn notice() -> Notice {
    Notice { id: "n1".into(), text: "Redundancy".into(), level: NoticeLevel::Warning }
}

pub fn lease() -> Lease {
    Lease { id: lease_id(), ttl_ms: 10_000, renew_ms: 3_000 }
}

pub fn counts() -> PresenceCounts {
    PresenceCounts { connections: 5, principals: 4 }
}

pub fn totals() -> PresenceTotals {
    PresenceTotals { connections: 5, principals: 4, gateways: 3 }
}

pub fn gateway_info() -> GatewayInfo {
    let peer_url = Some("http://10.0.0.7:50053".into());
    GatewayInfo { gateway: gateway(), incarnation: incarnation(), connections: 9, peer_url }
}

pub fn verified(role: &str) -> Verified {
    let rooms = vec![grant(), Grant::new(RoomName::parse("other").unwrap())];
    Verified { principal: principal(role), expires_at_ms: Some(1_700_000_000_000), rooms }
}

pub fn admission() -> Admission {
    Admission {
        token: "t".into(),
        data: Bytes::from_static(b"\0\xff{}"),
        name: "js".into(),
        version: "5.4".into(),
        headers: [("a".to_owned(), "b".to_owned())].into(),
        address: Some("2001:db8::7".parse().unwrap()),
        refresh: Some(id("alice")),
    }
}

pub fn admitted() -> Admitted {
    let guarded_kinds = vec!["private".to_owned(), "default".to_owned()];
    Admitted { verified: verified("user"), guarded_kinds }
}

pub fn refusals() -> [Refusal; 2] {
    let (message, reason) = ("pay first".to_owned(), "banned".to_owned());
    [
        Refusal::Error { code: 1_402, message, temporary: true },
        Refusal::Disconnect { reason, reconnect: true },
    ]
}

pub fn grant() -> Grant {
    let overrides =
        Overrides { presence: Some(false), join_leave: None, push_join_leave: Some(true) };
    Grant {
        room: room(),
        until_ms: Some(1_700_000_000_001),
        info: Bytes::from_static(b"{\"a\":1}"),
        data: Bytes::from_static(b"[]"),
        overrides,
    }
}

pub fn key() -> KeyInfo {
    KeyInfo {
        key_id: "k1".into(),
        name: "script".into(),
        roles: vec!["admin".into()],
        created_at_ms: 1,
        expires_at_ms: Some(2),
        revoked_at_ms: Some(3),
    }
}

pub fn created_key() -> CreatedKey {
    CreatedKey { info: key(), secret: "rck_k1_secret".into() }
}

pub fn room_info() -> RoomInfo {
    RoomInfo { room: room(), title: "Allgemein".into(), head: position(), created_at_ms: 11 }
}

pub fn stats() -> Stats {
    Stats {
        version: "1.2.3".into(),
        rooms: 1,
        items: 2,
        presence: Some(totals()),
        gateways: Some(vec![gateway_info()]),
    }
}

pub fn detail() -> RoomDetail {
    RoomDetail {
        info: room_info(),
        kind: "chat".into(),
        oldest: 2,
        items: 3,
        members: 4,
        counts: Some(counts()),
        banned: vec![id("bob")],
    }
}

pub fn member() -> Member {
    Member { id: id("bob"), since_ms: 12 }
}

pub fn audit_row() -> AuditRow {
    AuditRow {
        number: 1,
        time_ms: 2,
        by: id("alice"),
        act: "kick".into(),
        target: "room=general".into(),
        outcome: "ok".into(),
    }
}
