//! The bus over a RabbitMQ that is killed, frozen, starved and tampered with.
#[path = "support/world.rs"]
#[expect(dead_code, reason = "the other suite uses the rest")]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by it")]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{BindingKey, Bus, BusConfig, BusEvent, BusHealth, Outbound};
use domain::{Incarnation, Shard};
use testkit::parts::{Binding, Rabbit, Vhost, free_port, shared_rabbit};

use world::{
    Gateway, PATIENCE, World, config, eventually, health, message, offsets, room, room_key,
};

/// The keys of the topic exchange, as the broker has them.
#[expect(clippy::unwrap_used, reason = "a test may fail by it")]
async fn room_keys(rabbit: &Rabbit, vhost: &Vhost) -> Vec<String> {
    let bindings = rabbit.bindings(&vhost.name).await.unwrap();
    let events = |binding: &Binding| binding.exchange == "chat_events";
    bindings.into_iter().filter(events).map(|binding| binding.key).collect()
}

/// A gateway with two rooms and a shard bound, and a publisher.
async fn bound(url: &str) -> (Arc<dyn Bus>, Gateway) {
    let World { publisher, mut one, two } = World::broker(url).await;
    two.bus.close().await;
    one.bind(room_key("a")).await;
    one.bind(room_key("b:c")).await;
    one.bind(BindingKey::Shard(Shard(9))).await;
    (publisher, one)
}

fn expected() -> Vec<String> {
    let mut keys: Vec<_> = [room_key("a"), room_key("b:c"), BindingKey::Shard(Shard(9))]
        .map(|key| key.routing_key())
        .into();
    keys.sort();
    keys
}

/// Waits until a message goes all the way again.
async fn flows(publisher: &Arc<dyn Bus>, one: &mut Gateway, offset: u64) {
    health(publisher, BusHealth::Up).await;
    publisher.publish(Outbound::Room(message(&room("a"), offset)));
    while !offsets(&[one.next().await]).contains(&offset) {}
}

#[tokio::test]
async fn a_killed_broker_is_told_and_all_bindings_are_rebuilt_on_its_return() {
    let rabbit = Rabbit::start().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (publisher, mut one) = bound(&vhost.url).await;
    let before = rabbit.queues(&vhost.name).await.unwrap();
    rabbit.kill9();
    let killed = Instant::now();
    one.until(BusEvent::Down).await;
    health(&publisher, BusHealth::Down).await;
    assert!(killed.elapsed() < Duration::from_secs(5), "told after {:?}", killed.elapsed());
    // Wishes of the dark time count, too.
    one.consumer.bindings.unbind(room_key("b:c"));
    one.expect(BusEvent::Unbound(room_key("b:c"))).await;
    one.consumer.bindings.bind(room_key("b:c"));
    rabbit.restart().await.unwrap();
    one.expect(BusEvent::Up).await;
    one.expect(BusEvent::Bound(room_key("b:c"))).await;
    assert_eq!(room_keys(&rabbit, &vhost).await, expected());
    let listed = rabbit.ctl(&["list_bindings", "-p", &vhost.name, "routing_key"]).await.unwrap();
    assert!(expected().iter().all(|key| listed.contains(key.as_str())), "{listed}");
    let after = rabbit.queues(&vhost.name).await.unwrap();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before[0].name, after[0].name, "the queue's name must be new");
    flows(&publisher, &mut one, 1).await;
}

#[tokio::test]
async fn a_frozen_broker_is_known_by_its_silence() {
    let rabbit = Rabbit::start().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (publisher, mut one) = bound(&vhost.url).await;
    rabbit.freeze();
    let frozen = Instant::now();
    health(&publisher, BusHealth::Down).await;
    let seen = frozen.elapsed();
    one.until(BusEvent::Down).await;
    let told = frozen.elapsed();
    assert!(seen < Duration::from_secs(13), "health was down after {seen:?}");
    assert!(told < Duration::from_secs(15), "the gateway was told after {told:?}");
    let begun = Instant::now();
    for offset in 1..=20_000 {
        publisher.publish(Outbound::Room(message(&room("a"), offset)));
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "publishing took {:?}", begun.elapsed());
    rabbit.thaw();
    one.until(BusEvent::Up).await;
    flows(&publisher, &mut one, 30_000).await;
    eventually("the new queue alone", async || room_keys(&rabbit, &vhost).await == expected())
        .await;
}

#[tokio::test]
async fn a_memory_alarm_blocks_nobody_and_the_newest_messages_survive_it() {
    let rabbit = Rabbit::start().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (_, mut one) = bound(&vhost.url).await;
    let small = BusConfig {
        buffer_messages_max: 10,
        unconfirmed_max: 8,
        stall_ms: 1_000,
        probe_ms: 500,
        ..config(&[&vhost.url])
    };
    let publisher = bus::open(&small).unwrap();
    health(&publisher, BusHealth::Up).await;
    rabbit.memory_alarm(true).await.unwrap();
    health(&publisher, BusHealth::Down).await;
    let begun = Instant::now();
    for offset in 1..=5_000 {
        publisher.publish(Outbound::Room(message(&room("a"), offset * 2)));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "publishing took {:?}", begun.elapsed());
    let alarmed = publisher.health();
    assert_eq!(*alarmed.borrow(), BusHealth::Down);
    rabbit.memory_alarm(false).await.unwrap();
    health(&publisher, BusHealth::Up).await;
    let mut got = Vec::new();
    while got.last() != Some(&10_000) {
        got.extend(offsets(&[one.next().await]));
    }
    // What was on its way, and the ten newest: the rest was pushed out.
    assert!(got.len() <= 8 + 10, "{} messages came", got.len());
    assert!(got.ends_with(&[9_996, 9_998, 10_000]), "{got:?}");
}

#[tokio::test]
async fn a_deleted_queue_is_made_again_with_its_bindings() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (publisher, mut one) = bound(&vhost.url).await;
    let queue = rabbit.queues(&vhost.name).await.unwrap().remove(0).name;
    rabbit.delete_queue(&vhost.name, &queue).await.unwrap();
    one.until(BusEvent::Down).await;
    one.until(BusEvent::Up).await;
    assert_eq!(room_keys(rabbit, &vhost).await, expected());
    flows(&publisher, &mut one, 1).await;
}

#[tokio::test]
async fn connections_closed_by_an_operator_come_back() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (publisher, mut one) = bound(&vhost.url).await;
    for round in 1..=3 {
        rabbit.close_connections(&vhost.name, "maintenance").await.unwrap();
        one.until(BusEvent::Down).await;
        one.until(BusEvent::Up).await;
        assert_eq!(room_keys(rabbit, &vhost).await, expected());
        // The publisher's loss shows a moment later than the gateway's, or not at all if it was quick.
        eventually("a message that arrives", async || {
            publisher.publish(Outbound::Room(message(&room("a"), round)));
            let next = tokio::time::timeout(Duration::from_secs(1), one.next()).await;
            next.is_ok_and(|event| offsets(&[event]) == [round])
        })
        .await;
    }
}

#[tokio::test]
async fn a_closed_publishing_channel_is_opened_again_and_its_exchange_declared() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let publisher = bus::open(&config(&[&vhost.url])).unwrap();
    health(&publisher, BusHealth::Up).await;
    // Without the exchange, the next publish makes the broker close the channel with 404.
    rabbit.delete_exchange(&vhost.name, "chat_events").await.unwrap();
    publisher.publish(Outbound::Room(message(&room("a"), 1)));
    health(&publisher, BusHealth::Down).await;
    health(&publisher, BusHealth::Up).await;
    let mut one = Gateway::join(bus::open(&config(&[&vhost.url])).unwrap(), "gw-1").await;
    one.expect(BusEvent::Up).await;
    one.bind(room_key("a")).await;
    flows(&publisher, &mut one, 2).await;
}

#[tokio::test]
async fn a_dead_first_address_is_passed_over() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let dead = format!("amqp://guest:guest@127.0.0.1:{}/x", free_port().unwrap());
    let bus = bus::open(&config(&[&dead, &vhost.url])).unwrap();
    let begun = Instant::now();
    let mut one = Gateway::join(bus.clone(), "gw-1").await;
    one.expect(BusEvent::Up).await;
    health(&bus, BusHealth::Up).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "up after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_refused_login_and_a_dead_broker_are_no_panic_and_no_up() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let wrong = vhost.url.replace("guest:guest", "guest:wrong");
    let dead = format!("amqp://127.0.0.1:{}", free_port().unwrap());
    let bus = bus::open(&config(&[&wrong, &dead])).unwrap();
    let mut one = Gateway::join(bus.clone(), "gw-1").await;
    one.consumer.bindings.bind(room_key("a"));
    let nothing = tokio::time::timeout(Duration::from_secs(2), one.consumer.events.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert_eq!(*bus.health().borrow(), BusHealth::Down);
    let begun = Instant::now();
    bus.close().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "closing took {:?}", begun.elapsed());
}

#[tokio::test]
async fn five_thousand_binds_and_unbinds_are_paced_and_the_channel_lives() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let paced = BusConfig { binds_per_second: 2_500, ..config(&[&vhost.url]) };
    let mut one = Gateway::join(bus::open(&paced).unwrap(), "gw-1").await;
    one.expect(BusEvent::Up).await;
    let keys: Vec<_> = (0..5_000).map(|n| room_key(&format!("chat:{n}"))).collect();
    let begun = Instant::now();
    for key in &keys {
        one.consumer.bindings.bind(key.clone());
    }
    for key in &keys {
        one.expect(BusEvent::Bound(key.clone())).await;
    }
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1_600), "{took:?} is faster than the pace");
    assert_eq!(room_keys(rabbit, &vhost).await.len(), keys.len());
    for key in &keys {
        one.consumer.bindings.unbind(key.clone());
    }
    for key in &keys {
        one.expect(BusEvent::Unbound(key.clone())).await;
    }
    println!("5,000 binds took {took:?}, with as many unbinds {:?}", begun.elapsed());
    assert_eq!(room_keys(rabbit, &vhost).await, Vec::<String>::new());
    // No Down and no Up came between: it is the first queue still.
    let queue = rabbit.queues(&vhost.name).await.unwrap().remove(0);
    assert!(queue.name.ends_with(".1"), "{}", queue.name);
}

#[tokio::test]
async fn a_close_takes_bindings_and_queue_away() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (publisher, one) = bound(&vhost.url).await;
    one.bus.close().await;
    publisher.close().await;
    eventually("no queue", async || rabbit.queues(&vhost.name).await.unwrap().is_empty()).await;
    assert_eq!(room_keys(rabbit, &vhost).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_gateway_that_drops_its_end_takes_its_queue_along() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let (_publisher, one) = bound(&vhost.url).await;
    let Gateway { bus, consumer, .. } = one;
    drop(consumer);
    eventually("no queue", async || rabbit.queues(&vhost.name).await.unwrap().is_empty()).await;
    drop(bus);
}

#[tokio::test]
async fn a_gateway_that_does_not_read_holds_few_deliveries_and_then_gets_the_rest() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let small = BusConfig { prefetch: 20, events_max: 5, ..config(&[&vhost.url]) };
    let mut one = Gateway::join(bus::open(&small).unwrap(), "gw-1").await;
    one.expect(BusEvent::Up).await;
    one.bind(room_key("a")).await;
    let publisher = bus::open(&config(&[&vhost.url])).unwrap();
    health(&publisher, BusHealth::Up).await;
    for offset in 1..=500 {
        // Gaps, so that nothing is joined.
        publisher.publish(Outbound::Room(message(&room("a"), offset * 2)));
    }
    eventually("a full queue", async || {
        let queue = rabbit.queues(&vhost.name).await.unwrap().remove(0);
        queue.messages > 400 && queue.unacknowledged <= 20
    })
    .await;
    for offset in 1..=500 {
        assert_eq!(offsets(&[one.next().await]), [offset * 2]);
    }
    eventually("an empty queue", async || {
        rabbit.queues(&vhost.name).await.unwrap().remove(0).messages == 0
    })
    .await;
}

#[tokio::test]
async fn two_lives_of_one_gateway_do_not_collide() {
    let rabbit = shared_rabbit().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    let bus = || bus::open(&config(&[&vhost.url])).unwrap();
    let (old, new) = (bus(), bus());
    let mut first = Gateway::join(old, "gw-1").await;
    first.expect(BusEvent::Up).await;
    let id = first.id.clone();
    let mut second = new.consume(id, Incarnation::random()).await;
    let up = tokio::time::timeout(PATIENCE, second.events.recv()).await.unwrap();
    assert_eq!(up, Some(BusEvent::Up));
    assert_eq!(rabbit.queues(&vhost.name).await.unwrap().len(), 2);
}
