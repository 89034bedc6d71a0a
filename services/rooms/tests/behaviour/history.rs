//! History, retention and epochs.
use std::time::Duration;

use domain::{Epoch, ErrorReason, Position};
use rpc::rooms::{FetchRange, History, Rooms as _};
use testkit::poll;

use crate::given::*;

#[tokio::test]
async fn beyond_what_is_kept_a_position_is_told_to_be_lost() {
    let given = service().await;
    given.fill("short:x", 8).await;
    poll::until(Duration::from_secs(10), "the janitor trims", async || {
        given.log("short:x").await.len() == 3
    })
    .await
    .unwrap();
    let offsets: Vec<_> = given.log("short:x").await.iter().map(|item| item.offset).collect();
    assert_eq!(offsets, [6, 7, 8]);
    let lost = given.page("short:x", Some(4)).await.unwrap_err();
    assert_eq!(lost.reason, ErrorReason::PositionUnrecoverable);
    assert_eq!(given.page("short:x", Some(5)).await.unwrap().items.len(), 3);
    assert_eq!(given.page("short:x", Some(8)).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_position_of_another_epoch_is_lost() {
    let given = service().await;
    given.fill("general", 2).await;
    let since = Position { epoch: Epoch::new("other"), offset: 1 };
    let history = History {
        principal: principal("u"),
        room: room("general"),
        since: Some(since),
        limit: 10,
        reverse: false,
    };
    let error = given.rooms.history(call(), history).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::PositionUnrecoverable);
}

#[tokio::test]
async fn a_position_above_the_head_is_an_alarm_and_renews_the_epoch_once() {
    let given = service().await;
    given.fill("general", 2).await;
    let head = given.page("general", None).await.unwrap().head;
    let range =
        FetchRange { room: room("general"), epoch: head.epoch.clone(), after: 7, until: u64::MAX };
    let fetched = given.rooms.fetch(call(), vec![range]).await.unwrap();
    assert!(fetched[0].items.is_empty());
    let renewed = given.page("general", None).await.unwrap().head;
    assert_ne!(renewed.epoch, head.epoch);
    assert_eq!(renewed.offset, 2);
    // Whoever knows the new epoch and lies again does not make everybody reload at once.
    let lie = given.page("general", Some(9)).await.unwrap_err();
    assert_eq!(lie.reason, ErrorReason::PositionUnrecoverable);
    assert_eq!(given.page("general", None).await.unwrap().head.epoch, renewed.epoch);
}

#[tokio::test]
async fn a_fetch_over_many_rooms_is_answered_in_order_and_bounded() {
    let given = service().await;
    let large = "x".repeat(60_000);
    for name in ["a", "b"] {
        for n in 0..60 {
            let mut publish = publish(name, &principal("u"), &format!("id-{n:05}"));
            publish.data = large.clone().into();
            given.rooms.publish(call(), publish).await.unwrap();
        }
    }
    let range = async |name: &str| {
        let epoch = given.page(name, None).await.unwrap().head.epoch;
        FetchRange { room: room(name), epoch, after: 0, until: u64::MAX }
    };
    let ranges = vec![range("a").await, range("b").await];
    let fetched = given.rooms.fetch(call(), ranges.clone()).await.unwrap();
    for (range, fetched) in ranges.iter().zip(&fetched) {
        let offsets: Vec<_> = fetched.items.iter().map(|item| item.offset).collect();
        assert!(offsets.iter().copied().eq(1..=offsets.len() as u64), "{}", range.room);
        assert!((1..60).contains(&offsets.len()), "{} items", offsets.len());
        assert_eq!(fetched.head.offset, 60);
    }
}
