//! RabbitMQ killed for 20 s under load: every publish is acked, deliveries are at most 2 s late,
//! clients are told and told again when it is back, bindings stand again.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cluster::Shape;
use cluster::load::Load;
use cluster::system::Outside;
use testkit::checker::Allowed;
use testkit::history::Outcome;
use testkit::poll;

use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_may_be_gone_for_20_s() {
    let _turn = turn().await;
    let system = Shape::processes().breaking_parts().start().await.unwrap();
    let outside = system.outside().unwrap();
    let load = Load { members: 30, rooms: 6, rooms_each: 2, publishers: 5 };
    let crowd = load.join(&system, "broker").await.unwrap();
    // Members of a room sit on two of the three gateways: see who joins what in `Load::join`.
    poll::until(s(10), "two gateways bound for each room", || async {
        bound(outside).await.len() == 2 * 6
    })
    .await
    .unwrap();
    let before = bound(outside).await;

    let (acked, slowest) = tokio::join!(crowd.publish(450, Duration::from_millis(50)), async {
        tokio::time::sleep(s(2)).await;
        outside.rabbit.kill9();
        let down = Instant::now();
        let slowest = slowest_delivery(&crowd, down + s(20)).await;
        outside.rabbit.restart().await.unwrap();
        slowest
    });
    println!("slowest delivery while the broker was dead: {slowest:?}");
    assert_eq!(acked, 5 * 450, "every publish is acked");
    assert!(slowest <= s(2), "deliveries are at most 2 s late, not {slowest:?}");

    let told = |degraded: bool| {
        let crowd = &crowd;
        move || async move {
            crowd
                .members
                .iter()
                .all(|member| member.notices().iter().any(|notice| notice["degraded"] == degraded))
        }
    };
    poll::until(s(5), "everybody was told", told(true)).await.unwrap();
    poll::until(s(40), "everybody was told that it is back", told(false)).await.unwrap();
    poll::until(s(40), "the same bindings stand again", || async {
        bound(outside).await == before
    })
    .await
    .unwrap();
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();
    report.assert_sound();
}

/// Which gateway's queue has which room bound.
async fn bound(outside: &Outside) -> BTreeSet<(String, String)> {
    let bindings = outside.rabbit.bindings(&outside.vhost.name).await.unwrap_or_default();
    let of_rooms = bindings.into_iter().filter(|binding| binding.key.starts_with("room."));
    let gateway = |queue: &str| queue.split('.').nth(1).unwrap_or(queue).to_owned();
    of_rooms.map(|binding| (binding.key, gateway(&binding.queue))).collect()
}

/// Publishes again and again until `end`, and measures how long a message takes from its ack to the
/// last member of its room.
async fn slowest_delivery(crowd: &cluster::load::Crowd, end: Instant) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    while Instant::now() < end {
        let room = &crowd.rooms[number % crowd.rooms.len()];
        number += 1;
        let outcome = crowd.members[10].publish(room, "late?", s(10)).await;
        let Outcome::Ok { offset, .. } = outcome else { panic!("not acked: {outcome:?}") };
        let acked = Instant::now();
        for member in crowd.members.iter().filter(|member| member.position(room).is_some()) {
            member.reaches(room, offset, s(5)).await.unwrap();
        }
        slowest = slowest.max(acked.elapsed());
    }
    slowest
}
