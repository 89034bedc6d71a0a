//! Promises of the acts: each one transaction with its audit row.
use domain::{ErrorReason, OrderAct, Position};
use rooms::store::{Act, Done, Expel};

use crate::given::*;

pub async fn a_room_is_made_once(store: Stored) {
    let make = Act::CreateRoom { room: room("a"), title: "Fußball ⚽".into() };
    let Done::Room(row) = store.act(&make, &audit("create_room")).await.unwrap() else {
        panic!("no room");
    };
    assert_eq!((row.title.as_str(), row.head.offset), ("Fußball ⚽", 0));
    let again = store.act(&make, &audit("create_room")).await.unwrap_err();
    assert_eq!(again.reason, ErrorReason::AlreadyExists);
    store.ensure_room(&room("a")).await.unwrap();
    let file = store.describe(&room("a")).await.unwrap().unwrap();
    assert_eq!(file.row.head.epoch, row.head.epoch, "the epoch did not stay");
    let others: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.ensure_room(&room("together")).await })
        })
        .collect();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(store.totals().await.unwrap().0, 2);
}

pub async fn members_come_and_go_with_an_order(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let add = Act::AddMember { room: room("a"), member: who("m") };
    for _ in 0..2 {
        assert_eq!(store.act(&add, &audit("add_member")).await.unwrap(), Done::Nothing);
    }
    let members = store.members(&room("a")).await.unwrap().unwrap();
    assert_eq!(members.iter().map(|m| &m.id).collect::<Vec<_>>(), [&who("m")]);
    let remove = Act::RemoveMember { room: room("a"), member: who("m") };
    let Done::Order(order) = store.act(&remove, &audit("remove_member")).await.unwrap() else {
        panic!("no order");
    };
    assert!(matches!(&order.act, OrderAct::Unsubscribe { target, .. } if *target == who("m")));
    assert_eq!(store.orders(0, 10).await.unwrap(), [order]);
    assert_eq!(store.members(&room("a")).await.unwrap(), Some(vec![]));
    let expel = Expel { target: who("b"), reason: "r".into(), ban: true };
    store.act(&Act::Expel { room: room("a"), expel }, &audit("kick")).await.unwrap();
    let file = store.describe(&room("a")).await.unwrap().unwrap();
    assert_eq!(file.banned, [who("b")]);
    let unban = Act::Unban { room: room("a"), target: who("b") };
    for _ in 0..2 {
        store.act(&unban, &audit("unban")).await.unwrap();
    }
    assert_eq!(store.describe(&room("a")).await.unwrap().unwrap().banned, []);
}

pub async fn every_act_leaves_an_audit_row_refused_ones_too(store: Stored) {
    let nowhere = Act::AddMember { room: room("nowhere"), member: who("m") };
    let refused = store.act(&nowhere, &audit("add_member")).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::NotFound);
    with_rooms(&store, &["a"]).await;
    let renew = Act::RenewEpochs { room: None };
    store.act(&renew, &audit("renew_epochs")).await.unwrap();
    let note = Act::Note { outcome: "PERMISSION_DENIED" };
    store.act(&note, &audit("kick")).await.unwrap();
    let rows = store.audit(None, 10).await.unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r.act.as_str(), r.outcome.as_str())).collect();
    let expected =
        [("kick", "PERMISSION_DENIED"), ("renew_epochs", "ok"), ("add_member", "NOT_FOUND")];
    assert_eq!(told, expected);
    assert!(rows.iter().all(|row| row.by == who("admin") && row.target == "room=a"));
    let older = store.audit(Some(rows[0].number), 1).await.unwrap();
    assert_eq!(older, rows[1..2]);
}

pub async fn epochs_are_renewed_for_one_or_all(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    fill(&store, "a", 2).await;
    let heads = async || {
        let mut heads = store.heads_by_name(&[room("a"), room("b")]).await.unwrap();
        heads.sort_by(|a, b| a.room.cmp(&b.room));
        heads.into_iter().map(|head| head.position).collect::<Vec<Position>>()
    };
    let before = heads().await;
    let one = Act::RenewEpochs { room: Some(room("a")) };
    assert_eq!(store.act(&one, &audit("renew_epochs")).await.unwrap(), Done::Renewed(1));
    let after = heads().await;
    assert_ne!(after[0].epoch, before[0].epoch);
    assert_eq!((after[0].offset, &after[1]), (2, &before[1]));
    let all = Act::RenewEpochs { room: None };
    assert_eq!(store.act(&all, &audit("renew_epochs")).await.unwrap(), Done::Renewed(2));
    let last = heads().await;
    assert!(last[0].epoch != after[0].epoch && last[1].epoch != after[1].epoch);
    assert_ne!(last[0].epoch, last[1].epoch);
    assert_eq!(last[0].epoch.as_str().len(), 12);
}

pub async fn an_epoch_is_renewed_only_if_the_claim_lies_above_the_head(store: Stored) {
    with_rooms(&store, &["a"]).await;
    fill(&store, "a", 2).await;
    let head = async || store.heads_by_name(&[room("a")]).await.unwrap().remove(0).position;
    let before = head().await;
    let claim = |offset| Position { epoch: before.epoch.clone(), offset };
    assert!(!store.renew_if_behind(&room("a"), &claim(2)).await.unwrap());
    assert_eq!(head().await, before);
    assert!(store.renew_if_behind(&room("a"), &claim(3)).await.unwrap());
    assert_ne!(head().await.epoch, before.epoch);
    assert!(!store.renew_if_behind(&room("a"), &claim(9)).await.unwrap(), "an old epoch's claim");
}
