//! SIGTERM of a gateway under load: its sockets are closed with 3001, no publish fails in the end.
use std::time::Duration;

use cluster::Shape;
use cluster::load::Load;
use serde_json::json;
use testkit::checker::Allowed;
use testkit::client::{Client, Incoming};

use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_sends_its_members_away_and_exits() {
    let _turn = turn().await;
    let shape = Shape::processes()
        .with("ROOMCAST_GATEWAY__DRAIN__ACCEPT_MS", 500)
        .with("ROOMCAST_GATEWAY__DRAIN__WINDOW_MS", 3_000);
    let system = shape.start().await.unwrap();
    let load = Load { members: 60, rooms: 6, rooms_each: 2, publishers: 6 };
    let crowd = load.join(&system, "drain").await.unwrap();
    let token = system.token("watcher", &[]).unwrap();
    let (watcher, mut incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
    watcher.command("subscribe", json!({"channel": &*crowd.rooms[0]})).await.unwrap();

    let gateway = &system.gateways[0];
    let (acked, code) = tokio::join!(crowd.publish(250, Duration::from_millis(20)), async {
        tokio::time::sleep(s(1)).await;
        gateway.program.terminate();
        gateway.program.exit_code(s(40)).await.unwrap()
    });
    assert_eq!(code, Some(0), "it drained and ended by itself");
    let close = loop {
        match incoming.recv().await {
            Some(Incoming::Closed(code, _)) => break code,
            Some(_) => {}
            None => panic!("no close"),
        }
    };
    assert_eq!(close, 3001);
    let report = crowd.settle(&system, s(30), Allowed::default()).await.unwrap();
    report.assert_sound();
    assert_eq!(acked, 6 * 250, "no publish failed after the client's retry");
}
