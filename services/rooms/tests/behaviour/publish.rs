//! Publishing: one order, safe retries, fan-out after the commit.
use std::collections::{HashMap, HashSet};

use bus::BusEvent;
use bytes::Bytes;
use domain::{ErrorReason, RoomEvent, RoomTraffic, Tags};
use rpc::rooms::{Publish, Rooms as _};

use crate::given::*;

#[tokio::test]
async fn a_retry_gives_the_same_place_and_another_payload_is_a_conflict() {
    let given = service().await;
    let first = given.publish("general", "u", "id-00001").await.unwrap();
    given.publish("general", "u", "id-00002").await.unwrap();
    let again = given.publish("general", "u", "id-00001").await.unwrap();
    assert_eq!((&again.position, again.duplicate), (&first.position, true));
    // What is shown of the author may have changed meanwhile: it is the same message all the same.
    let mut shown = publish("general", &principal("u"), "id-00001");
    if let Some(sender) = &mut shown.sender {
        (sender.info, sender.room_info) = (Bytes::from_static(b"{}"), Bytes::from_static(b"1"));
    }
    assert_eq!(given.rooms.publish(call(), shown).await.unwrap(), again);
    let mut other = publish("general", &principal("u"), "id-00001");
    other.data = Bytes::from_static(b"something else");
    let error = given.rooms.publish(call(), other).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::MessageIdConflict);
    assert_eq!(given.publish("general", "v", "id-00001").await.unwrap().position.offset, 3);
}

#[tokio::test]
async fn tags_are_part_of_what_a_message_says() {
    let given = service().await;
    let mut tagged = publish("general", &principal("u"), "id-00001");
    tagged.tags = tags(&[("lang", "de"), ("urgent", "")]);
    let first = given.rooms.publish(call(), tagged.clone()).await.unwrap();
    let again = given.rooms.publish(call(), tagged.clone()).await.unwrap();
    assert_eq!((&again.position, again.duplicate), (&first.position, true));
    let log = given.log("general").await;
    assert_eq!(log.iter().map(tags_of).collect::<Vec<_>>(), std::slice::from_ref(&tagged.tags));
    for other in [Tags::default(), tags(&[("lang", "en"), ("urgent", "")])] {
        let other = Publish { tags: other, ..tagged.clone() };
        let error = given.rooms.publish(call(), other).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::MessageIdConflict);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_go_with_a_message_to_the_bus_with_a_log_and_without() {
    let given = service().await;
    for name in ["general", "live:x"] {
        let mut events = given.bound(name).await;
        let mut tagged = publish(name, &principal("u"), "id-00001");
        tagged.tags = tags(&[("lang", "de")]);
        given.rooms.publish(call(), tagged.clone()).await.unwrap();
        let items = loop {
            match events.recv().await.unwrap() {
                BusEvent::Room(RoomEvent { traffic: RoomTraffic::Items(batch), .. }) => {
                    break batch.items;
                }
                BusEvent::Room(RoomEvent { traffic: RoomTraffic::Ephemeral(items), .. }) => {
                    break items;
                }
                _ => {}
            }
        };
        assert_eq!(items.iter().map(tags_of).collect::<Vec<_>>(), [tagged.tags], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_publishes_at_once_are_one_message() {
    let given = std::sync::Arc::new(service().await);
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let given = given.clone();
            tokio::spawn(async move { given.publish("general", "u", "id-00001").await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for one in tries {
        let published = one.await.unwrap();
        assert_eq!(published.position.offset, 1);
        first += u32::from(!published.duplicate);
    }
    assert_eq!((first, given.log("general").await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pods_make_one_dense_log_in_which_each_id_stands_once() {
    let (one, two) = two_on_postgres().await;
    let pods = [std::sync::Arc::new(one), std::sync::Arc::new(two)];
    // Every message goes through both pods at the same time.
    let writers: Vec<_> = (0..12)
        .map(|n| {
            let pod = pods[n % 2].clone();
            tokio::spawn(async move {
                let author = format!("author-{}", n / 2 % 3);
                let mut places = Vec::new();
                for step in 0..40 {
                    let id = format!("id-{}-{step:03}", n / 6);
                    let published = pod.publish("general", &author, &id).await.unwrap();
                    places.push(((author.clone(), id), published.position.offset));
                }
                places
            })
        })
        .collect();
    let mut acked = HashMap::new();
    for writer in writers {
        for (key, offset) in writer.await.unwrap() {
            assert_eq!(*acked.entry(key).or_insert(offset), offset, "two places for one message");
        }
    }
    let log = pods[0].log("general").await;
    assert!(log.iter().map(|item| item.offset).eq(1..=acked.len() as u64), "a hole");
    assert_eq!(acked.values().collect::<HashSet<_>>().len(), log.len());
    assert_eq!(acked.len(), 3 * 2 * 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_publishes_of_one_author_keep_their_order() {
    let given = service().await;
    let author = principal("u");
    let one_after_the_other =
        futures_util::future::join_all((0..200).map(|n| {
            given.rooms.publish(call(), publish("general", &author, &format!("id-{n:05}")))
        }));
    let places: Vec<_> =
        one_after_the_other.await.into_iter().map(|p| p.unwrap().position.offset).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_handed_to_the_bus_in_order() {
    let given = service().await;
    let mut events = given.bound("general").await;
    given.fill("general", 5).await;
    let mut offsets = Vec::new();
    while offsets.len() < 5 {
        if let Some(BusEvent::Room(event)) = events.recv().await
            && let RoomTraffic::Items(batch) = event.traffic
        {
            assert!(!batch.epoch.is_empty());
            offsets.extend(batch.items.into_iter().map(|item| item.offset));
        }
    }
    assert_eq!(offsets, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_a_log_gives_no_offsets_and_reaches_the_bus() {
    let given = service().await;
    let mut events = given.bound("live:x").await;
    let published = given.publish("live:x", "u", "id-00001").await.unwrap();
    assert_eq!(published.position, domain::Position::default());
    loop {
        if let BusEvent::Room(event) = events.recv().await.unwrap() {
            assert!(matches!(event.traffic, RoomTraffic::Ephemeral(items) if items[0].offset == 0));
            break;
        }
    }
    let error = given.page("live:x", None).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::NotOffered);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused() {
    let given = service().await;
    let mut large = publish("general", &principal("u"), "id-00001");
    large.data = Bytes::from(vec![b'x'; domain::MESSAGE_BYTES_MAX + 1]);
    let error = given.rooms.publish(call(), large).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::LimitExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_message_hurts_its_sender_alone() {
    let (given, _other) = two_on_postgres().await;
    given.fill("general", 1).await;
    let mut poison = publish("general", &principal("evil"), "id-00001");
    poison.sender.as_mut().unwrap().name = "E\0vil".into();
    let good = (0..20).map(|n| {
        given.rooms.publish(call(), publish("general", &principal("v"), &format!("good-{n:04}")))
    });
    let (refused, good) =
        tokio::join!(given.rooms.publish(call(), poison), futures_util::future::join_all(good));
    assert_eq!(refused.unwrap_err().reason, ErrorReason::InvalidArgument);
    assert!(good.iter().all(Result::is_ok), "{good:?}");
    assert_eq!(given.log("general").await.len(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_the_pod_is_told_to_go_is_still_committed() {
    let given = service().await;
    given.fill("general", 1).await;
    let author = principal("v");
    let publishes =
        futures_util::future::join_all((0..50).map(|n| {
            given.rooms.publish(call(), publish("general", &author, &format!("go-{n:05}")))
        }));
    let (results, ()) = tokio::join!(publishes, async { given.stop.cancel() });
    given.rooms.closed().await;
    assert!(results.iter().all(|r| r.as_ref().is_ok_and(|p| p.position.offset > 1)), "{results:?}");
    assert!(given.publish("general", "v", "too-late1").await.unwrap_err().transient());
}
