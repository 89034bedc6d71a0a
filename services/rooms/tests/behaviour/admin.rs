//! The admin service: admins alone, and a row for every act.
use bus::{Bus as _, BusEvent};
use domain::{
    Body, ErrorReason, Event, GatewayId, Incarnation, Notice, NoticeLevel, OrderAct, Position,
    Principal, RoomTraffic, SystemEvent, Tags,
};
use rpc::admin::{Admin, ConnectionsOf, Kick};
use rpc::auth::NewKey;
use rpc::rooms::{Disconnect, History, Subscribe};

use crate::given::*;

async fn audited(given: &Given) -> Vec<(String, String)> {
    let rows = given.rooms.list_audit(call(), admin(), None, 100).await.unwrap();
    rows.into_iter().map(|row| (row.act, row.outcome)).collect()
}

fn rows(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(act, outcome)| ((*act).into(), (*outcome).into())).collect()
}

fn kick(name: &str) -> Kick {
    Kick { room: room(name), target: who("u"), reason: "spam".into(), ban: false }
}

fn bring(by: Principal, name: &str, data: &'static str) -> Subscribe {
    Subscribe { by, target: who("u"), room: room(name), data: data.into() }
}

#[tokio::test]
async fn nobody_but_admins_and_every_refusal_is_noted() {
    let given = service().await;
    given.fill("general", 1).await;
    let (rooms, by, general) = (&given.rooms, principal("u"), room("general"));
    let notice = Notice { id: "n".into(), text: "t".into(), level: NoticeLevel::Info };
    let key = NewKey { name: "k".into(), roles: vec!["admin".into()], ttl_ms: None };
    let (history, disconnect) = (
        History {
            principal: by.clone(),
            room: general.clone(),
            since: None,
            limit: 1,
            reverse: false,
        },
        Disconnect { by: by.clone(), target: who("v"), reason: String::new(), reconnect: true },
    );
    let id = domain::MessageId::random();
    let refusals = [
        Admin::stats(&**rooms, call(), by.clone()).await.map(drop),
        rooms.list_rooms(call(), by.clone(), String::new(), None, 9).await.map(drop),
        rooms.describe_room(call(), by.clone(), general.clone()).await.map(drop),
        rooms.create_room(call(), by.clone(), room("x"), String::new()).await.map(drop),
        rooms.list_members(call(), by.clone(), general.clone()).await.map(drop),
        rooms.add_member(call(), by.clone(), general.clone(), who("u")).await,
        rooms.remove_member(call(), by.clone(), general.clone(), who("v")).await,
        rooms.list_connections(call(), by.clone(), ConnectionsOf::default()).await.map(drop),
        Admin::history(&**rooms, call(), history).await.map(drop),
        Admin::publish(
            &**rooms,
            call(),
            by.clone(),
            general.clone(),
            id,
            Tags::default(),
            "x".into(),
        )
        .await
        .map(drop),
        rooms.broadcast(call(), by.clone(), notice).await,
        rooms.kick(call(), by.clone(), kick("general")).await.map(drop),
        rooms.unban(call(), by.clone(), general, who("u")).await,
        Admin::disconnect(&**rooms, call(), disconnect).await,
        Admin::subscribe(&**rooms, call(), bring(by.clone(), "general", "")).await,
        rooms.renew_epochs(call(), by.clone(), None).await.map(drop),
        rooms.list_audit(call(), by.clone(), None, 9).await.map(drop),
        rooms.create_key(call(), by.clone(), key).await.map(drop),
        rooms.list_keys(call(), by.clone()).await.map(drop),
        rooms.revoke_key(call(), by, "key".into()).await,
    ];
    for refusal in &refusals {
        assert_eq!(refusal.as_ref().unwrap_err().reason, ErrorReason::PermissionDenied);
    }
    let audited = audited(&given).await;
    assert_eq!(audited.len(), refusals.len());
    assert!(audited.iter().all(|(_, outcome)| outcome == "PERMISSION_DENIED"), "{audited:?}");
    assert_eq!(given.log("general").await.len(), 1);
}

#[tokio::test]
async fn a_kick_is_an_item_of_the_log_and_ends_the_membership() {
    let given = service().await;
    given.fill("general", 2).await;
    given.rooms.add_member(call(), admin(), room("general"), who("u")).await.unwrap();
    let mut events = given.bound("general").await;
    let place = given.rooms.kick(call(), admin(), kick("general")).await.unwrap();
    assert_eq!(place.offset, 3);
    let log = given.log("general").await;
    let Body::Event(Event::Kick { target, by, reason }) = &log[2].body else { panic!("{log:?}") };
    assert_eq!((target, by, reason.as_str()), (&who("u"), &who("root"), "spam"));
    assert_eq!(given.rooms.list_members(call(), admin(), room("general")).await.unwrap(), []);
    loop {
        if let BusEvent::Room(event) = events.recv().await.unwrap() {
            assert!(matches!(event.traffic, RoomTraffic::Items(batch) if batch.items == log[2..]));
            break;
        }
    }
    let unknown = given.rooms.kick(call(), admin(), kick("nowhere")).await.unwrap_err();
    assert_eq!(unknown.reason, ErrorReason::NotFound);
    let long = Kick { reason: "x".repeat(121), ..kick("general") };
    let long = given.rooms.kick(call(), admin(), long).await.unwrap_err();
    assert_eq!(long.reason, ErrorReason::LimitExceeded);
    let expected =
        [("kick", "LIMIT_EXCEEDED"), ("kick", "NOT_FOUND"), ("kick", "ok"), ("add_member", "ok")];
    assert_eq!(audited(&given).await, rows(&expected));
}

#[tokio::test]
async fn a_kick_from_a_room_without_a_log_is_an_order() {
    let given = service().await;
    given.publish("live:x", "u", "id-00001").await.unwrap();
    let gateway = GatewayId::parse("gateway-1").unwrap();
    let mut consumer = given.bus.consume(gateway, Incarnation::random()).await;
    let place = given.rooms.kick(call(), admin(), kick("live:x")).await.unwrap();
    assert_eq!(place, Position::default());
    loop {
        if let BusEvent::System(SystemEvent::Order(order)) = consumer.events.recv().await.unwrap() {
            let OrderAct::Unsubscribe { target, room: from, .. } = order.act else { panic!() };
            assert_eq!((order.number, target, from), (1, who("u"), room("live:x")));
            break;
        }
    }
    assert_eq!(audited(&given).await, rows(&[("kick", "ok")]));
}

#[tokio::test]
async fn what_presence_and_auth_cannot_tell_is_unknown_and_noted() {
    let given = service().await;
    given.fill("general", 2).await;
    let stats = given.rooms.stats(call(), admin()).await.unwrap();
    assert_eq!((stats.rooms, stats.items, stats.presence), (1, 2, None));
    assert!(stats.gateways.is_none());
    let detail = given.rooms.describe_room(call(), admin(), room("general")).await.unwrap();
    assert_eq!((detail.counts, detail.items, detail.oldest), (None, 2, 1));
    assert_eq!(detail.kind, "default");
    let key = NewKey { name: "k".into(), roles: vec![], ttl_ms: None };
    assert!(given.rooms.create_key(call(), admin(), key).await.is_err());
    assert_eq!(audited(&given).await, rows(&[("create_key", "UNAVAILABLE")]));
}

#[tokio::test]
async fn whoever_reads_messages_as_an_admin_leaves_a_row() {
    let given = service().await;
    given.fill("general", 2).await;
    let history = History {
        principal: admin(),
        room: room("general"),
        since: None,
        limit: 10,
        reverse: true,
    };
    let page = Admin::history(&*given.rooms, call(), history).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.offset).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(audited(&given).await, rows(&[("history", "ok")]));
}

#[tokio::test]
async fn an_admin_orders_a_subscription_where_the_target_could_come_in() {
    let given = service().await;
    given.fill("general", 1).await;
    let gateway = GatewayId::parse("gateway-1").unwrap();
    let mut consumer = given.bus.consume(gateway, Incarnation::random()).await;
    let order = async |name, data| {
        Admin::subscribe(&*given.rooms, call(), bring(admin(), name, data)).await
    };
    order("general", "{\"why\":1}").await.unwrap();
    loop {
        if let BusEvent::System(SystemEvent::Order(order)) = consumer.events.recv().await.unwrap() {
            let OrderAct::Subscribe { target, room: to, data } = order.act else { panic!() };
            let told = (order.number, target, to, &*data);
            assert_eq!(told, (1, who("u"), room("general"), &b"{\"why\":1}"[..]));
            break;
        }
    }
    order("not-made-yet", "").await.unwrap();
    let reason = async |name, data| order(name, data).await.unwrap_err().reason;
    for unknown in ["closed:x", "no-such-kind:x", "system"] {
        assert_eq!(reason(unknown, "").await, ErrorReason::NotFound, "{unknown}");
    }
    for bad in ["{", "1 2", "[1,\n2]"] {
        assert_eq!(reason("general", bad).await, ErrorReason::InvalidArgument, "{bad}");
    }
    let (club, root) = (room("club:a"), admin());
    given.rooms.create_room(call(), root.clone(), club.clone(), String::new()).await.unwrap();
    assert_eq!(reason("club:a", "").await, ErrorReason::PermissionDenied);
    given.rooms.add_member(call(), root, club, who("u")).await.unwrap();
    order("club:a", "").await.unwrap();
    given.rooms.kick(call(), admin(), Kick { ban: true, ..kick("general") }).await.unwrap();
    assert_eq!(reason("general", "").await, ErrorReason::PermissionDenied);
    let subscribes: Vec<_> = audited(&given).await;
    let of = |wanted: &str| {
        subscribes.iter().filter(|(act, told)| act == "subscribe" && told == wanted).count()
    };
    assert_eq!(
        (of("ok"), of("NOT_FOUND"), of("INVALID_ARGUMENT"), of("PERMISSION_DENIED")),
        (3, 3, 3, 2)
    );
}
