//! The heads watch: what gateways hear whatever the broker does.
use std::time::Duration;

use domain::{GatewayId, Order, RoomName};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use rpc::admin::Admin as _;
use rpc::rooms::{Disconnect, HeldRooms, Rooms, WatchEvent, WatchStart};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::given::*;

struct Watching {
    held: mpsc::Sender<HeldRooms>,
    events: BoxStream<'static, domain::Result<WatchEvent>>,
}

async fn watch(given: &Given, orders_after: Option<u64>) -> Watching {
    let (held, rooms) = mpsc::channel(16);
    let gateway = GatewayId::parse("gateway-1").unwrap();
    let start = WatchStart { gateway, orders_after };
    let events = Rooms::watch(&*given.rooms, start, rooms).await.unwrap();
    Watching { held, events }
}

impl Watching {
    async fn add(&self, names: &[&str]) {
        let add = names.iter().map(|name| room(name)).collect();
        self.held.send(HeldRooms { add, remove: Vec::new() }).await.unwrap();
    }

    async fn event(&mut self) -> WatchEvent {
        let next = timeout(Duration::from_secs(10), self.events.next());
        next.await.expect("no event").expect("the stream ended").unwrap()
    }

    async fn heads(&mut self) -> Vec<(RoomName, u64)> {
        loop {
            if let WatchEvent::Heads(heads) = self.event().await {
                return heads.into_iter().map(|(room, at)| (room, at.offset)).collect();
            }
        }
    }

    async fn order(&mut self) -> Order {
        loop {
            if let WatchEvent::Order(order) = self.event().await {
                return order;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pod_tells_what_the_other_committed() {
    let (one, two) = two_on_postgres().await;
    one.fill("general", 2).await;
    let mut watching = watch(&two, None).await;
    assert_eq!(watching.event().await, WatchEvent::Opened { orders_after: 0 });
    watching.add(&["general"]).await;
    assert_eq!(watching.heads().await, [(room("general"), 2)]);
    one.publish("general", "u", "id-after1").await.unwrap();
    assert_eq!(watching.heads().await, [(room("general"), 3)]);
    // A re-check brings the head though it did not move.
    watching.add(&["general"]).await;
    assert_eq!(watching.heads().await, [(room("general"), 3)]);
    one.publish("other", "u", "id-00001").await.unwrap();
    let held = HeldRooms { add: vec![room("other")], remove: vec![room("general")] };
    watching.held.send(held).await.unwrap();
    assert_eq!(watching.heads().await, [(room("other"), 1)]);
    one.publish("general", "u", "id-after2").await.unwrap();
    one.publish("other", "u", "id-00002").await.unwrap();
    assert_eq!(watching.heads().await, [(room("other"), 2)], "a room that is held no longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_made_after_it_was_held_is_told_when_it_is_there() {
    let given = service().await;
    let mut watching = watch(&given, None).await;
    watching.add(&["later", "live:x"]).await;
    assert_eq!(watching.heads().await, [(room("live:x"), 0)]);
    given.fill("later", 1).await;
    while watching.heads().await != [(room("later"), 1)] {}
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_while_nothing_else_does() {
    let given = service().await;
    let mut watching = watch(&given, None).await;
    for _ in 0..2 {
        while watching.event().await != WatchEvent::Heartbeat {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_both_pods_reach_both_once_and_in_order() {
    let (one, two) = two_on_postgres().await;
    let mut watchers = [watch(&one, None).await, watch(&two, None).await];
    let give = async |pod: &Given, n: u32| {
        let disconnect =
            Disconnect { by: admin(), target: who("u"), reason: n.to_string(), reconnect: false };
        Rooms::disconnect(&*pod.rooms, call(), disconnect).await.unwrap();
    };
    tokio::join!(
        async {
            for n in 0..15 {
                give(&one, n).await;
            }
        },
        async {
            for n in 0..15 {
                give(&two, n).await;
            }
        }
    );
    for watching in &mut watchers {
        for number in 1..=30 {
            assert_eq!(watching.order().await.number, number);
        }
    }
    // Who comes back is told what it missed, and a number from another database counts for nothing.
    let mut back = watch(&two, Some(28)).await;
    assert_eq!(back.event().await, WatchEvent::Opened { orders_after: 28 });
    assert_eq!((back.order().await.number, back.order().await.number), (29, 30));
    let mut lost = watch(&one, Some(1_000)).await;
    assert_eq!(lost.event().await, WatchEvent::Opened { orders_after: 30 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_epoch_is_told() {
    let given = service().await;
    given.fill("general", 1).await;
    let mut watching = watch(&given, None).await;
    watching.add(&["general"]).await;
    watching.heads().await;
    assert_eq!(given.rooms.renew_epochs(call(), admin(), None).await, Ok(1));
    let epoch = given.page("general", None).await.unwrap().head.epoch;
    loop {
        if let WatchEvent::Heads(heads) = watching.event().await
            && heads[0].1.epoch == epoch
        {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_is_ended() {
    let given = service().await;
    given.fill("general", 1).await;
    let mut watching = watch(&given, None).await;
    // Each re-check brings an event that nobody takes out.
    let ended = async {
        let add = || HeldRooms { add: vec![room("general")], remove: Vec::new() };
        while watching.held.send(add()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), ended).await.expect("it was never ended");
    let mut last = None;
    while let Some(event) = watching.events.next().await {
        last = Some(event);
    }
    assert!(last.unwrap().is_err_and(|error| error.transient()));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_a_passing_error_when_the_pod_goes() {
    let given = service().await;
    let mut watching = watch(&given, None).await;
    watching.event().await;
    given.stop.cancel();
    let error = loop {
        match timeout(Duration::from_secs(10), watching.events.next()).await.unwrap() {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the stream ended without a word"),
        }
    };
    assert!(error.transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_that_only_a_newer_version_knows_holds_up_no_other_order() {
    let postgres = testkit::parts::shared_postgres().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    let given = with(config(&address), None).await;
    let newer = "INSERT INTO rooms.gateway_order (number, time_ms, act) VALUES (1, 1, \
        convert_to('{\"act\":\"unheard_of\",\"x\":[1]}', 'UTF8')); \
        UPDATE rooms.order_counter SET last = 1";
    postgres.sql_in(&address, newer).await.unwrap();
    let mut watching = watch(&given, Some(0)).await;
    let disconnect =
        Disconnect { by: admin(), target: who("u"), reason: String::new(), reconnect: true };
    Rooms::disconnect(&*given.rooms, call(), disconnect).await.unwrap();
    assert_eq!(watching.order().await.number, 2);
}
