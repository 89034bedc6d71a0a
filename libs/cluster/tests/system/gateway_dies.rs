//! kill -9 of a gateway under load: its members come back elsewhere, nothing is lost or doubled,
//! presence is right within 12 s, and each user is said to have left once.
use std::collections::HashMap;
use std::time::{Duration, Instant};

use cluster::Shape;
use cluster::load::Load;
use testkit::checker::Allowed;
use testkit::client::Client;
use testkit::history::Recorder;
use testkit::member::{Member, MemberOptions};
use testkit::poll;

use crate::{head_count, s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_killed_gateway_recover_on_others_without_loss_or_repeat() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let load = Load { members: 90, rooms: 6, rooms_each: 2, publishers: 6 };
    let crowd = load.join(&system, "kill").await.unwrap();

    let (acked, ()) = tokio::join!(crowd.publish(400, Duration::from_millis(10)), async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        system.gateways[0].kill9();
    });
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();

    report.assert_sound();
    assert_eq!(acked, 6 * 400, "every publish is acked in the end");
    assert!(report.recoveries >= 2 * 30, "a third of the members recovered both rooms");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_right_within_12_s_of_a_crash_and_each_user_left_once() {
    let _turn = turn().await;
    let shape = Shape::processes()
        .with("ROOMCAST_ROOMS__KINDS__TEAM__JOIN_LEAVE", "user")
        // Who is here is asked again and again, until it is right.
        .with("ROOMCAST_GATEWAY__LIMITS__COMMANDS_PER_SECOND", 10_000);
    let system = shape.start().await.unwrap();
    let room: std::sync::Arc<str> = format!("team:{}", system.fresh_room("crash")).into();
    let recorder = Recorder::default();
    let watcher = Member::start(
        MemberOptions {
            name: "watcher".into(),
            token: system.token("watcher", &[]).unwrap(),
            urls: vec![system.urls()[1].clone()],
            first: 0,
            rooms: vec![room.clone()],
        },
        &recorder,
    );
    watcher.ready(s(10)).await.unwrap();
    // These stay away: nobody comes back for them.
    let mut gone = Vec::new();
    for index in 0..20 {
        let token = system.token(&format!("gone-{index}"), &[]).unwrap();
        let (client, incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
        client.subscribe(&room, None).await.unwrap();
        gone.push((client, incoming));
    }
    let token = system.token("asker", &[]).unwrap();
    let (asker, _incoming, _) = Client::connect(&system.urls()[2], &token).await.unwrap();
    asker.subscribe(&room, None).await.unwrap();
    head_count::settles(&asker, &room, 22, s(10)).await;

    let killed = Instant::now();
    system.gateways[0].kill9();
    poll::until(s(12), "two people here", || async {
        head_count::ask(&asker, &room).await.ok() == Some(2)
    })
    .await
    .unwrap();
    println!("presence was right {:?} after the kill", killed.elapsed());
    let leaves = || {
        let mut leaves: HashMap<String, usize> = HashMap::new();
        for (_, what, info) in watcher.signals() {
            if what == "leave" {
                *leaves.entry(info["conn_info"]["name"].to_string()).or_default() += 1;
            }
        }
        leaves
    };
    poll::until(s(12).saturating_sub(killed.elapsed()), "a leave for each", || async {
        leaves().len() == 20
    })
    .await
    .unwrap();
    assert!(leaves().values().all(|count| *count == 1), "one leave a user: {:?}", leaves());
    drop(gone);
    watcher.finish().await;
}
