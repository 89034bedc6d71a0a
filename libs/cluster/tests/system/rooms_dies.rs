//! kill -9 of a rooms pod at each step of a publish, with publishers that try again: one message each.
use std::time::Duration;

use cluster::load::Load;
use cluster::{Shape, binaries};
use testkit::checker::Allowed;

use crate::{s, turn};

/// Deaths at each step.
const DEATHS: usize = 10;

async fn dies_at(point: &str) {
    let _turn = turn().await;
    let mut shape = Shape::processes();
    shape.gateways = 2;
    shape.rooms_dies_at = Some(format!("{point}:10"));
    let system = shape.start().await.unwrap();
    let load = Load { members: 20, rooms: 8, rooms_each: 2, publishers: 8 };
    let crowd = load.join(&system, "dies").await.unwrap();

    let pod = &system.rooms[0];
    let deaths = async {
        for _ in 0..DEATHS {
            let ended = pod.program.exit_code(s(60)).await.unwrap();
            assert_eq!(ended, None, "it died by a signal, as a crash does");
            pod.program.restart().await.unwrap();
        }
    };
    let (tally, ()) = crowd.publish_during(Duration::from_millis(20), deaths).await;
    println!("{DEATHS} deaths at {point}, {tally:?}");
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();
    report.assert_sound();
    assert_eq!(tally.acked, tally.sent, "every publish is acked in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_before_the_commit_loses_and_doubles_nothing() {
    dies_at("before_commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_commit_and_fan_out_loses_and_doubles_nothing() {
    dies_at("after_commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_before_the_ack_loses_and_doubles_nothing() {
    dies_at("before_ack").await;
}

#[test]
fn what_ships_holds_no_failpoint() {
    let holds = |path: std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let mark = b"roomcast-failpoint";
        bytes.windows(mark.len()).any(|window| window == mark)
    };
    assert!(holds(binaries::rooms_with_failpoints().unwrap()), "the search itself works");
    for name in
        ["roomcast-rooms", "roomcast", "roomcast-gateway", "roomcast-presence", "roomcast-auth"]
    {
        assert!(!holds(binaries::find(name).unwrap()), "{name} holds failpoints");
    }
}
