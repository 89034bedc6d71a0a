//! Selective fan-out, as the broker itself tells it.
use std::collections::BTreeSet;

use cluster::{Shape, System};
use serde_json::json;
use testkit::client::Client;
use testkit::parts::Binding;
use testkit::poll;

use crate::{s, turn};

/// Queues that a routing key is bound to, by the gateway's name within the queue's.
async fn bound(system: &System, key: &str) -> BTreeSet<String> {
    let outside = system.outside().unwrap();
    let bindings = outside.rabbit.bindings(&outside.vhost.name).await.unwrap();
    let of_key = bindings.into_iter().filter(|binding| binding.key == key);
    of_key.map(|Binding { queue, .. }| gateway_of(&queue)).collect()
}

/// `gateway.<id>.<incarnation>.<attempt>` holds the gateway's id.
fn gateway_of(queue: &str) -> String {
    queue.split('.').find(|word| word.starts_with("gateway-")).unwrap_or(queue).to_owned()
}

async fn keys(system: &System) -> BTreeSet<String> {
    let outside = system.outside().unwrap();
    let bindings = outside.rabbit.bindings(&outside.vhost.name).await.unwrap();
    bindings.into_iter().map(|b| b.key).filter(|key| key.starts_with("room.")).collect()
}

fn key_of(room: &str) -> String {
    let name: domain::RoomName = room.parse().unwrap();
    format!("room.{room}.{}", name.shard().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_members_gets_none_of_a_rooms_traffic() {
    let _turn = turn().await;
    let shape = Shape::processes().with("ROOMCAST_GATEWAY__ROOM__LINGER_MS", 1_500);
    let system = shape.start().await.unwrap();
    let room = system.fresh_room("bound");
    let mut clients = Vec::new();
    for gateway in [0, 1] {
        let token = system.token(&format!("p{gateway}"), &[]).unwrap();
        let (client, incoming, _) = Client::connect(&system.urls()[gateway], &token).await.unwrap();
        client.subscribe(&room, None).await.unwrap();
        clients.push((client, incoming));
    }
    let members: BTreeSet<String> = ["gateway-0", "gateway-1"].map(str::to_owned).into();
    poll::until(s(10), "exactly the two bindings", || async {
        bound(&system, &key_of(&room)).await == members
    })
    .await
    .unwrap();

    let deaf = &system.gateways[2];
    let before = deaf.metric("roomcast_gateway_room_events_total").await.unwrap();
    for number in 0..200 {
        let data = json!({"channel": &*room, "data": {"text": number.to_string()}});
        clients[0].0.command("publish", data).await.unwrap();
    }
    poll::until(s(10), "the members' gateways got the traffic", || async {
        system.gateways[1].metric("roomcast_gateway_room_events_total").await.unwrap() > 0.0
    })
    .await
    .unwrap();
    let after = deaf.metric("roomcast_gateway_room_events_total").await.unwrap();
    assert_eq!(before, after, "gateway-2 has no member and was told nothing");
    let outside = system.outside().unwrap();
    let queues = outside.rabbit.queues(&outside.vhost.name).await.unwrap();
    let own = queues.iter().find(|queue| gateway_of(&queue.name) == "gateway-2").unwrap();
    assert_eq!(own.messages, 0, "nor does the broker keep anything for it");

    drop(clients);
    poll::until(s(15), "the bindings go after the linger", || async {
        bound(&system, &key_of(&room)).await.is_empty()
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_cap_shards_are_bound_and_below_it_rooms_again() {
    let _turn = turn().await;
    let mut shape = Shape::processes()
        .with("ROOMCAST_GATEWAY__ROOM__LINGER_MS", 300)
        .with("ROOMCAST_GATEWAY__ROOM__BINDING_CAP", 10);
    shape.gateways = 1;
    let system = shape.start().await.unwrap();
    let token = system.token("collector", &[]).unwrap();
    let (client, mut incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
    let rooms: Vec<_> = (0..30).map(|_| system.fresh_room("cap")).collect();
    for room in &rooms {
        client.subscribe(room, None).await.unwrap();
    }
    let sharded = |keys: &BTreeSet<String>| {
        !keys.is_empty() && keys.iter().all(|key| key.starts_with("room.*."))
    };
    poll::until(s(20), "shard bindings alone", || async { sharded(&keys(&system).await) })
        .await
        .unwrap();

    // Every room is heard through its shard.
    for room in &rooms {
        client
            .command("publish", json!({"channel": &**room, "data": {"text": "x"}}))
            .await
            .unwrap();
    }
    let mut heard = BTreeSet::new();
    while heard.len() < rooms.len() {
        let message =
            tokio::time::timeout(s(10), incoming.recv()).await.expect("a push for each room");
        if let Some(testkit::client::Incoming::Push(push)) = message
            && push.publication.is_some()
        {
            heard.insert(push.channel);
        }
    }

    for room in &rooms[2..] {
        client.command("unsubscribe", json!({"channel": &**room})).await.unwrap();
    }
    let expected: BTreeSet<String> = rooms[..2].iter().map(|room| key_of(room)).collect();
    poll::until(s(20), "room bindings again", || async { keys(&system).await == expected })
        .await
        .unwrap();
}
