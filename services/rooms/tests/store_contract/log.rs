//! Promises of `append`.
use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use domain::{Body, ConnectionId, ErrorReason, Event, GatewayId, MessageId, Sender, Tags};
use rooms::store::{Act, Along, AppendError, Expel, Needs};
use rpc::Deadline;

use crate::given::*;

pub async fn offsets_follow_the_batch_without_a_hole(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    let batch = [
        item("b", "u", "id-00001"),
        item("a", "u", "id-00002"),
        item("b", "v", "id-00003"),
        item("a", "u", "id-00004"),
    ];
    assert_eq!(offsets(&store, &batch).await, [Ok(1), Ok(1), Ok(2), Ok(2)]);
    assert_eq!(offsets(&store, &[item("a", "u", "id-00005")]).await, [Ok(3)]);
    let ids = ["id-00002", "id-00004", "id-00005"];
    let expected: Vec<_> = (1..).zip(ids.map(str::to_owned)).collect();
    assert_eq!(log(&store, "a").await, expected);
}

pub async fn what_is_read_is_what_was_appended(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let mut all = item("a", "u", "id-00001");
    all.body = Body::Message {
        sender: Some(Sender {
            id: who("u"),
            name: "Ünïcode 👋".into(),
            info: Bytes::from_static("{\"é\":7}".as_bytes()),
            room_info: Bytes::from_static(b"[1]"),
            connection: Some(ConnectionId::random()),
        }),
        gateway: Some(GatewayId::parse("gateway-1").unwrap()),
        tags: Tags::new([("lang".into(), "dé \0".into()), ("empty".into(), String::new())].into())
            .unwrap(),
        data: Bytes::from_static(b"\0\xff not json"),
    };
    let mut bare = item("a", "u", "id-00002");
    bare.body =
        Body::Message { sender: None, gateway: None, tags: Tags::default(), data: Bytes::new() };
    let mut kick = item("a", "u", "id-00003");
    kick.body =
        Body::Event(Event::Kick { target: who("v"), by: who("u"), reason: "spam \0".into() });
    let batch = [all, bare, kick];
    let results = append(&store, &batch).await;
    let page = store.page(&forward("a", None, 10)).await.unwrap().unwrap();
    assert_eq!(page.items.len(), 3);
    for ((read, written), result) in page.items.iter().zip(&batch).zip(results) {
        let appended = result.unwrap();
        assert_eq!(read.body, written.body);
        assert_eq!(read.message_id, written.message_id);
        assert_eq!((read.offset, read.time_ms), (appended.position.offset, appended.time_ms));
        assert_eq!(page.head.epoch, appended.position.epoch);
    }
}

pub async fn a_known_message_id_gives_the_first_place(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let first = append(&store, &[item("a", "u", "id-00001")]).await.remove(0).unwrap();
    fill(&store, "a", 3).await;
    let again = append(&store, &[item("a", "u", "id-00001")]).await.remove(0).unwrap();
    assert!(again.duplicate && !first.duplicate);
    assert_eq!((again.position, again.time_ms), (first.position, first.time_ms));
    let mut other = item("a", "u", "id-00001");
    other.digest = [9; 32];
    assert_eq!(offsets(&store, &[other]).await, [Err(ErrorReason::MessageIdConflict)]);
    assert_eq!(log(&store, "a").await.len(), 3);
}

pub async fn message_ids_are_scoped_to_owner_and_room(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    let batch =
        [item("a", "u", "id-00001"), item("a", "v", "id-00001"), item("b", "u", "id-00001")];
    assert_eq!(offsets(&store, &batch).await, [Ok(1), Ok(2), Ok(1)]);
}

pub async fn a_room_that_does_not_exist_takes_nothing(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let batch = [item("nowhere", "u", "id-00001"), item("a", "u", "id-00002")];
    assert_eq!(offsets(&store, &batch).await, [Err(ErrorReason::NotFound), Ok(1)]);
    assert!(store.page(&forward("nowhere", None, 1)).await.unwrap().is_none());
}

pub async fn bans_and_membership_are_looked_at_in_the_transaction(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let expel = Expel { target: who("banned"), reason: String::new(), ban: true };
    store.act(&Act::Expel { room: room("a"), expel }, &audit("kick")).await.unwrap();
    let member = who("member");
    store.act(&Act::AddMember { room: room("a"), member }, &audit("add_member")).await.unwrap();
    let needing = |owner, id, needs| {
        let mut needing = item("a", owner, id);
        needing.needs = needs;
        needing
    };
    let batch = [
        needing("banned", "id-00001", Needs::NoBan),
        needing("banned", "id-00002", Needs::Nothing),
        needing("stranger", "id-00003", Needs::Membership),
        needing("stranger", "id-00004", Needs::NoBan),
        needing("member", "id-00005", Needs::Membership),
    ];
    let denied = Err(ErrorReason::PermissionDenied);
    assert_eq!(offsets(&store, &batch).await, [denied, Ok(1), denied, Ok(2), Ok(3)]);
}

pub async fn a_late_item_is_not_committed_nor_what_stands_behind_it(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let mut late = item("a", "u", "id-00001");
    late.deadline = Deadline::after(Duration::ZERO);
    let batch = [late, item("a", "u", "id-00002"), item("a", "v", "id-00003")];
    let results = offsets(&store, &batch).await;
    assert_eq!(results, [Err(ErrorReason::DeadlineExceeded), Err(ErrorReason::Unavailable), Ok(1)]);
    assert_eq!(log(&store, "a").await, [(1, "id-00003".to_owned())]);
}

pub async fn a_poisonous_text_refuses_the_batch_and_commits_nothing(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let mut poison = item("a", "u", "id-00002");
    poison.body = Body::Message {
        sender: Some(Sender {
            id: who("u"),
            name: "U\0".into(),
            info: Bytes::new(),
            room_info: Bytes::new(),
            connection: None,
        }),
        gateway: None,
        tags: Tags::default(),
        data: Bytes::new(),
    };
    let refused = store.append(&[item("a", "u", "id-00001"), poison]).await;
    assert!(matches!(refused, Err(AppendError::Data(_))), "{refused:?}");
    assert_eq!(log(&store, "a").await, []);
    assert_eq!(offsets(&store, &[item("a", "u", "id-00001")]).await, [Ok(1)], "no offset was lost");
}

pub async fn many_writers_make_a_dense_log_with_each_id_once(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    let writer = |n: usize| {
        let store = store.clone();
        async move {
            // Two writers of the same ids at a time, each batch over both rooms.
            for step in 0..20 {
                let id = |k| format!("id-{:02}-{step:02}-{k}", n / 2);
                let batch: Vec<_> =
                    (0..6).map(|k| item(if k % 2 == 0 { "a" } else { "b" }, "u", &id(k))).collect();
                let results = loop {
                    match store.append(&batch).await {
                        Ok(results) => break results,
                        Err(AppendError::Again(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                };
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            }
        }
    };
    let writers: Vec<_> = (0..8).map(|n| tokio::spawn(writer(n))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for name in ["a", "b"] {
        let log = log(&store, name).await;
        assert_eq!(log.len(), 4 * 20 * 3);
        assert!(log.iter().map(|(offset, _)| *offset).eq(1..=240), "{name} has a hole");
        assert_eq!(log.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), 240);
    }
}

pub async fn batches_over_the_same_rooms_in_any_order_all_commit(store: Stored) {
    let names = ["a", "b", "c", "d"];
    with_rooms(&store, &names).await;
    let writer = |n: usize| {
        let store = store.clone();
        async move {
            for step in 0..25 {
                let mut batch: Vec<_> = (0..4)
                    .map(|k| item(names[(k + n) % 4], "u", &format!("id-{n}-{step:02}-{k}")))
                    .collect();
                if n.is_multiple_of(2) {
                    batch.reverse();
                }
                // No `Again`: rooms are locked in one order, so there is no deadlock.
                assert!(store.append(&batch).await.unwrap().iter().all(Result::is_ok));
            }
        }
    };
    let writers: Vec<_> = (0..4).map(|n| tokio::spawn(writer(n))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for name in names {
        assert_eq!(log(&store, name).await.len(), 100);
    }
}

pub async fn a_kick_expels_bans_and_audits_in_its_transaction(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let member = who("v");
    store.act(&Act::AddMember { room: room("a"), member }, &audit("add_member")).await.unwrap();
    let mut kick = item("a", "admin", "id-00001");
    kick.needs = Needs::Nothing;
    kick.message_id = MessageId::parse("kick-0001").unwrap();
    kick.body = Body::Event(Event::Kick { target: who("v"), by: who("admin"), reason: "x".into() });
    let expel = Expel { target: who("v"), reason: "x".into(), ban: true };
    kick.along = vec![Along::Expel(expel), Along::Audit(audit("kick"))];
    assert_eq!(offsets(&store, &[kick.clone()]).await, [Ok(1)]);
    let view = store.views(&[(room("a"), who("v"))]).await.unwrap().remove(0).unwrap();
    assert!(view.banned && !view.member);
    let rows =
        |rows: Vec<rpc::admin::AuditRow>| rows.into_iter().map(|r| r.act).collect::<Vec<_>>();
    assert_eq!(rows(store.audit(None, 10).await.unwrap()), ["kick", "add_member"]);
    // A repeated batch finds its message id and must not act twice.
    assert_eq!(offsets(&store, &[kick]).await, [Ok(1)]);
    assert_eq!(store.audit(None, 10).await.unwrap().len(), 2);
}
