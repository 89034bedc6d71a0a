//! SIGSTOP of a gateway, a rooms pod and a presence pod for 15 s: others take over, and what wakes up
//! loses, doubles and reorders nothing.
use std::time::Duration;

use cluster::load::Load;
use cluster::{Service, Shape, System};
use testkit::checker::Allowed;
use testkit::client::Client;
use testkit::history::Outcome;

use crate::{head_count, s, turn};

const PAUSE: Duration = s(15);

async fn pause(choose: impl Fn(&System) -> &Service) {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let load = Load { members: 60, rooms: 6, rooms_each: 2, publishers: 6 };
    let crowd = load.join(&system, "pause").await.unwrap();

    let (acked, ()) = tokio::join!(crowd.publish(250, Duration::from_millis(60)), async {
        tokio::time::sleep(s(2)).await;
        let paused = choose(&system);
        paused.freeze();
        tokio::time::sleep(PAUSE).await;
        paused.thaw();
    });
    let report = crowd.settle(&system, s(60), Allowed::default()).await.unwrap();
    report.assert_sound();
    assert_eq!(acked, 6 * 250, "every publish is acked in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_gateway_goes_on_where_it_stopped() {
    pause(|system| &system.gateways[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_rooms_pod_is_replaced_within_an_attempt() {
    pause(|system| &system.rooms[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_goes_on_while_a_rooms_pod_is_paused() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let load = Load { members: 12, rooms: 6, rooms_each: 1, publishers: 6 };
    let crowd = load.join(&system, "stopped").await.unwrap();
    system.rooms[0].freeze();
    // Each room is asked of the pod that its name picks: some of six pick the stopped one.
    for room in &crowd.rooms {
        let outcome = crowd.members[0].publish(room, "on we go", s(10)).await;
        assert!(matches!(outcome, Outcome::Ok { .. }), "{room}: {outcome:?}");
    }
    system.rooms[0].thaw();
    crowd.settle(&system, s(30), Allowed::default()).await.unwrap().assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_stays_right_while_one_of_its_pods_is_paused() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let room = system.fresh_room("asleep");
    let mut people = Vec::new();
    for index in 0..6 {
        let token = system.token(&format!("p{index}"), &[]).unwrap();
        let url = &system.urls()[index % 3];
        let (client, incoming, _) = Client::connect(url, &token).await.unwrap();
        client.subscribe(&room, None).await.unwrap();
        people.push((client, incoming));
    }
    head_count::settles(&people[0].0, &room, 6, s(10)).await;

    system.presence[0].freeze();
    let frozen = tokio::time::Instant::now();
    // Leases must be kept through the other pod: nobody may vanish.
    let mut answers = 0;
    while frozen.elapsed() < PAUSE {
        for (client, _) in &people[..3] {
            if let Ok(count) = head_count::ask(client, &room).await {
                assert_eq!(count, 6, "nobody went");
                answers += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(answers >= 15, "presence could be asked: {answers} times");
    system.presence[0].thaw();
    head_count::settles(&people[1].0, &room, 6, s(5)).await;
}
