//! Promises of the numbered orders.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::{Notice, NoticeLevel, OrderAct};
use rooms::store::{Act, Done};

use crate::given::*;

fn notice(text: &str) -> Act {
    let notice = Notice { id: "n".into(), text: text.into(), level: NoticeLevel::Warning };
    Act::Order(OrderAct::Notice(notice))
}

pub async fn numbers_rise_by_one_and_survive_trimming(store: Stored) {
    assert_eq!(store.newest_order().await.unwrap(), 0);
    for number in 1..=3 {
        let done = store.act(&notice("x"), &audit("broadcast")).await.unwrap();
        assert!(matches!(done, Done::Order(order) if order.number == number));
    }
    let numbers = |orders: Vec<domain::Order>| orders.iter().map(|o| o.number).collect::<Vec<_>>();
    assert_eq!(numbers(store.orders(1, 10).await.unwrap()), [2, 3]);
    assert_eq!(numbers(store.orders(0, 2).await.unwrap()), [1, 2]);
    assert_eq!(store.trim_orders(i64::MAX).await.unwrap(), 3);
    assert_eq!(store.newest_order().await.unwrap(), 3);
    let done = store.act(&notice("x"), &audit("broadcast")).await.unwrap();
    assert!(matches!(done, Done::Order(order) if order.number == 4), "a number was used again");
    let rows = store.audit(None, 10).await.unwrap();
    assert_eq!(rows.len(), 4, "trimming orders took audit rows: {rows:?}");
    assert_eq!(store.trim_audit(rows[0].time_ms).await.unwrap() as usize, {
        rows.iter().filter(|row| row.time_ms < rows[0].time_ms).count()
    });
    store.trim_audit(i64::MAX).await.unwrap();
    assert_eq!(store.audit(None, 10).await.unwrap(), []);
}

pub async fn whoever_sees_a_number_can_read_all_lower_ones(store: Stored) {
    const GIVERS: u64 = 4;
    const EACH: u64 = 25;
    let done = Arc::new(AtomicBool::new(false));
    let (watched, over) = (store.clone(), done.clone());
    let watcher = tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let last = over.load(Ordering::SeqCst);
            for order in watched.orders(seen, 1_000).await.unwrap() {
                assert_eq!(order.number, seen + 1, "a lower number came later");
                seen = order.number;
            }
            if last {
                return seen;
            }
        }
    });
    let givers: Vec<_> = (0..GIVERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    store.act(&notice("x"), &audit("broadcast")).await.unwrap();
                }
            })
        })
        .collect();
    for giver in givers {
        giver.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert_eq!(watcher.await.unwrap(), GIVERS * EACH);
}

pub async fn an_order_is_read_as_it_was_given(store: Stored) {
    let (target, room) = (who("u"), room("a"));
    let (reason, data) = ("x \0".to_owned(), bytes::Bytes::from_static("{\"é\":1}".as_bytes()));
    let acts = [
        OrderAct::Subscribe { target: target.clone(), room: room.clone(), data },
        OrderAct::Unsubscribe { target: target.clone(), room, reason: reason.clone() },
        OrderAct::Disconnect { target, reason, reconnect: true },
    ];
    for act in acts.clone() {
        store.act(&Act::Order(act), &audit("order")).await.unwrap();
    }
    let read = store.orders(0, 10).await.unwrap();
    assert_eq!(read.into_iter().map(|order| order.act).collect::<Vec<_>>(), acts);
}
