//! The suite. Each test is given a publisher and two gateways that are up.
use std::time::{Duration, Instant};

use bus::{BindingKey, BusEvent, DirectEvent, Outbound};
use bytes::Bytes;
use domain::{
    Body, ConnectionId, Epoch, Event, GatewayId, Item, MessageId, Notice, NoticeLevel, Order,
    OrderAct, PrincipalId, RoomBatch, RoomEvent, RoomTraffic, Sender, Signal, SystemEvent, Tags,
    Who,
};

use crate::world::{PATIENCE, World, message, offsets, room, room_key};

pub async fn a_bound_room_brings_its_events_and_no_other_room_does(world: World) {
    let World { publisher, mut one, mut two } = world;
    one.bind(room_key("a")).await;
    two.bind(room_key("b")).await;
    publisher.publish(Outbound::Room(message(&room("a"), 1)));
    publisher.publish(Outbound::Room(message(&room("b"), 1)));
    publisher.publish(Outbound::Room(message(&room("c"), 1)));
    publisher.publish(Outbound::Room(message(&room("a:b"), 1)));
    assert_eq!(one.rest(&publisher).await, [BusEvent::Room(message(&room("a"), 1))]);
    assert_eq!(offsets(&two.rest(&publisher).await), [1]);
}

pub async fn an_unbound_room_is_silent(world: World) {
    let World { publisher, mut one, .. } = world;
    one.bind(room_key("a")).await;
    one.bind(room_key("b")).await;
    one.unbind(room_key("a")).await;
    publisher.publish(Outbound::Room(message(&room("a"), 1)));
    publisher.publish(Outbound::Room(message(&room("b"), 2)));
    assert_eq!(one.rest(&publisher).await, [BusEvent::Room(message(&room("b"), 2))]);
    one.bind(room_key("a")).await;
    publisher.publish(Outbound::Room(message(&room("a"), 3)));
    assert_eq!(offsets(&one.rest(&publisher).await), [3]);
}

pub async fn a_bound_shard_brings_each_of_its_rooms(world: World) {
    let World { publisher, mut one, .. } = world;
    let shard = room("general").shard();
    one.bind(BindingKey::Shard(shard)).await;
    let names: Vec<_> = (0..600).map(|n| room(&format!("chat:room-{n}"))).collect();
    for (name, offset) in names.iter().zip(1..) {
        publisher.publish(Outbound::Room(message(name, offset)));
    }
    let expected: Vec<u64> =
        names.iter().zip(1..).filter(|(name, _)| name.shard() == shard).map(|(_, n)| n).collect();
    assert!(!expected.is_empty(), "the test needs rooms of the shard");
    assert_eq!(offsets(&one.rest(&publisher).await), expected);
}

pub async fn a_room_bound_by_name_and_by_shard_comes_once(world: World) {
    let World { publisher, mut one, .. } = world;
    one.bind(room_key("general")).await;
    one.bind(BindingKey::Shard(room("general").shard())).await;
    publisher.publish(Outbound::Room(message(&room("general"), 1)));
    assert_eq!(offsets(&one.rest(&publisher).await), [1]);
    one.unbind(BindingKey::Shard(room("general").shard())).await;
    publisher.publish(Outbound::Room(message(&room("general"), 2)));
    assert_eq!(offsets(&one.rest(&publisher).await), [2]);
}

pub async fn a_room_of_the_longest_name_is_bound(world: World) {
    let World { publisher, mut one, .. } = world;
    let name = format!("k:g:{}", "x".repeat(124));
    one.bind(room_key(&name)).await;
    publisher.publish(Outbound::Room(message(&room(&name), 1)));
    assert_eq!(offsets(&one.rest(&publisher).await), [1]);
}

pub async fn wanting_twice_is_wanting_once(world: World) {
    let World { publisher, mut one, .. } = world;
    one.bind(room_key("a")).await;
    one.consumer.bindings.bind(room_key("a"));
    one.bind(room_key("b")).await;
    assert_eq!(one.rest(&publisher).await, []);
    one.unbind(room_key("a")).await;
    publisher.publish(Outbound::Room(message(&room("a"), 1)));
    assert_eq!(one.rest(&publisher).await, []);
}

pub async fn a_wish_taken_back_at_once_ends_unbound(world: World) {
    let World { publisher, mut one, .. } = world;
    for _ in 0..20 {
        one.consumer.bindings.bind(room_key("a"));
        one.unbind(room_key("a")).await;
    }
    one.bind(room_key("b")).await;
    publisher.publish(Outbound::Room(message(&room("a"), 1)));
    assert_eq!(one.rest(&publisher).await, []);
}

pub async fn an_order_reaches_every_gateway_and_a_direct_event_one(world: World) {
    let World { publisher, mut one, mut two } = world;
    let act = OrderAct::Disconnect {
        target: PrincipalId::new("issuer", "subject"),
        reason: "banned".into(),
        reconnect: false,
    };
    let order = SystemEvent::Order(Order { number: 7, time_ms: 8, act });
    publisher.publish(Outbound::System(order.clone()));
    publisher.publish(Outbound::Direct(two.id.clone(), DirectEvent::Drain));
    let nobody = GatewayId::parse("gw-3").unwrap();
    publisher.publish(Outbound::Direct(nobody, DirectEvent::Drain));
    assert_eq!(one.rest(&publisher).await, [BusEvent::System(order.clone())]);
    let (order, drain) = (BusEvent::System(order), BusEvent::Direct(DirectEvent::Drain));
    let mut got = two.rest(&publisher).await;
    got.retain(
        |event| !matches!(event, BusEvent::System(SystemEvent::Order(order)) if order.number == 1),
    );
    assert_eq!(got, [order, drain]);
}

pub async fn every_kind_of_event_arrives_as_it_was_sent(world: World) {
    let World { publisher, mut one, .. } = world;
    one.bind(room_key("a")).await;
    for traffic in traffic() {
        let event = RoomEvent { room: room("a"), traffic };
        publisher.publish(Outbound::Room(event.clone()));
        one.expect(BusEvent::Room(event)).await;
    }
    for act in acts() {
        let event = SystemEvent::Order(Order { number: u64::MAX, time_ms: -1, act });
        publisher.publish(Outbound::System(event.clone()));
        one.expect(BusEvent::System(event)).await;
    }
    let disconnect =
        DirectEvent::Disconnect { connection: ConnectionId::random(), reason: "why".into() };
    for event in [disconnect, DirectEvent::Drain] {
        publisher.publish(Outbound::Direct(one.id.clone(), event.clone()));
        one.expect(BusEvent::Direct(event)).await;
    }
}

pub async fn publishing_never_waits_for_a_gateway_that_does_not_read(world: World) {
    let World { publisher, mut one, .. } = world;
    one.bind(room_key("a")).await;
    let (mut longest, count) = (Duration::ZERO, 30_000);
    for offset in 1..=count {
        let begun = Instant::now();
        publisher.publish(Outbound::Room(message(&room("a"), offset)));
        longest = longest.max(begun.elapsed());
    }
    // A thread may be scheduled away, but it never waits for the one that reads.
    assert!(longest < Duration::from_secs(2), "a publish took {longest:?}");
    let mut last = 0;
    while last < count {
        let event = one.next().await;
        for offset in offsets(&[event]) {
            assert!(offset > last, "{offset} came after {last}");
            last = offset;
        }
    }
}

pub async fn a_closed_bus_flushes_and_ends_its_events(world: World) {
    let World { publisher, mut one, two } = world;
    one.bind(room_key("a")).await;
    for offset in 1..=50 {
        publisher.publish(Outbound::Room(message(&room("a"), offset)));
    }
    let begun = Instant::now();
    let publishing = tokio::spawn(async move { publisher.close().await });
    let mut got = Vec::new();
    while got.len() < 50 {
        got.extend(offsets(&[one.next().await]));
    }
    assert_eq!(got, (1..=50).collect::<Vec<_>>());
    publishing.await.unwrap();
    one.bus.close().await;
    two.bus.close().await;
    let ended = tokio::time::timeout(PATIENCE, async {
        while one.consumer.events.recv().await.is_some() {}
    });
    ended.await.expect("the end of the events");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

fn traffic() -> Vec<RoomTraffic> {
    let who = Who {
        id: PrincipalId::new("https://issuer", "subject"),
        name: "Zoë 👋".into(),
        info: Bytes::from_static(b"{\"age\":7}"),
        room_info: Bytes::from_static(b"[1]"),
        connection: ConnectionId::random(),
    };
    let items: Vec<Item> = bodies()
        .into_iter()
        .zip(41..)
        .map(|(body, offset)| Item {
            offset,
            message_id: MessageId::random(),
            time_ms: 1_700_000_000_000,
            body,
            trace: (offset == 41)
                .then(|| "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        })
        .collect();
    let ephemeral = items.iter().cloned().map(|item| Item { offset: 0, ..item }).collect();
    vec![
        RoomTraffic::Items(RoomBatch { epoch: Epoch::random(), items }),
        RoomTraffic::Ephemeral(ephemeral),
        RoomTraffic::Signals(vec![Signal::Join(who.clone()), Signal::Leave(who)]),
    ]
}

fn tags(count: usize) -> Tags {
    let value = "v".repeat(domain::TAG_VALUE_BYTES_MAX);
    Tags::new((0..count).map(|n| (format!("k{n}"), value.clone())).collect()).unwrap()
}

fn bodies() -> Vec<Body> {
    let id = PrincipalId::new("issuer", "subject");
    let sender = |connection| Sender {
        id: id.clone(),
        name: "name".into(),
        info: Bytes::from(vec![b'1'; domain::INFO_BYTES_MAX]),
        room_info: Bytes::from_static(b"{\"seat\":5}"),
        connection,
    };
    let message = |sender, gateway: Option<&str>, data: Vec<u8>| Body::Message {
        sender,
        gateway: gateway.map(|text| GatewayId::parse(text).unwrap()),
        tags: tags(gateway.map_or(0, |_| domain::TAGS_MAX)),
        data: Bytes::from(data),
    };
    vec![
        message(Some(sender(Some(ConnectionId::random()))), Some("gw-9"), b"{\"a\":1}".to_vec()),
        message(Some(sender(None)), None, vec![0, 255, 1]),
        message(None, None, Vec::new()),
        message(None, None, vec![7; domain::MESSAGE_BYTES_MAX]),
        Body::Event(Event::Kick {
            target: id.clone(),
            by: PrincipalId::new("api-key", "k"),
            reason: String::new(),
        }),
    ]
}

fn acts() -> Vec<OrderAct> {
    let target = PrincipalId::new("issuer", "subject");
    let notice = |level| OrderAct::Notice(Notice { id: "n1".into(), text: "hear".into(), level });
    vec![
        OrderAct::Disconnect { target: target.clone(), reason: String::new(), reconnect: true },
        OrderAct::Unsubscribe {
            target: target.clone(),
            room: room("a:b:c"),
            reason: "kicked".into(),
        },
        OrderAct::Subscribe { target, room: room("a"), data: Bytes::from_static(b"{}") },
        notice(NoticeLevel::Info),
        notice(NoticeLevel::Warning),
    ]
}
