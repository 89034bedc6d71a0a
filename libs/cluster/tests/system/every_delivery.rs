//! The main promise, counted: every member gets every message of its rooms, once, in one order.
use std::time::{Duration, Instant};

use cluster::Shape;
use cluster::load::Load;
use testkit::checker::Allowed;

use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_members_of_twenty_rooms_see_twenty_thousand_messages_once_and_in_order() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let load = Load { members: 300, rooms: 20, rooms_each: 2, publishers: 20 };
    let crowd = load.join(&system, "every").await.unwrap();

    let begun = Instant::now();
    let acked = crowd.publish(1_000, Duration::ZERO).await;
    println!("20,000 publishes in {:?}", begun.elapsed());
    let report = crowd.settle(&system, s(60), Allowed::default()).await.unwrap();

    report.assert_sound();
    assert_eq!(acked, 20_000, "every publish is acked");
    assert_eq!(report.deliveries, 600_000, "300 members x 2 of 20 rooms x 1,000 messages a room");
}
