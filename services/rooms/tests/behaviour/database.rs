//! PostgreSQL dies under load: what was acked stays, once and in order.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rpc::rooms::Rooms as _;
use testkit::parts::Postgres;
use testkit::poll;

use crate::given::*;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acked_is_lost_or_doubled_when_the_database_is_killed() {
    let postgres = Postgres::start().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    let given = Arc::new(with(config(&address), None).await);
    let (over, acks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..6)
        .map(|n| {
            let (given, over, acks) = (given.clone(), over.clone(), acks.clone());
            tokio::spawn(async move {
                let (author, place) = (format!("author-{n}"), format!("room-{}", n % 2));
                let mut acked = Vec::new();
                for step in 0_u32.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let id = format!("id-{n}-{step:06}");
                    // An outbox: the same message again until it is acked, then the next.
                    let offset = loop {
                        let within = rpc::Call::within(Duration::from_secs(3));
                        let publish = publish(&place, &principal(&author), &id);
                        match given.rooms.publish(within, publish).await {
                            Ok(published) => break published.position.offset,
                            Err(error) => assert!(error.transient(), "{error}"),
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    };
                    acks.fetch_add(1, Ordering::SeqCst);
                    acked.push((id, offset));
                }
                (place, acked)
            })
        })
        .collect();
    for round in 1..=4 {
        let goal = acks.load(Ordering::SeqCst) + 100;
        poll::until(Duration::from_secs(60), "acks go on", async || {
            acks.load(Ordering::SeqCst) >= goal
        })
        .await
        .unwrap_or_else(|error| panic!("round {round}: {error}"));
        if round < 4 {
            postgres.kill9();
            // The kernel may still be taking leave of the killed backends' shared memory.
            poll::until(Duration::from_secs(60), "it starts again", async || {
                postgres.restart().await.is_ok()
            })
            .await
            .unwrap();
        }
    }
    over.store(true, Ordering::SeqCst);
    let mut logs: HashMap<String, HashMap<u64, String>> = HashMap::new();
    for name in ["room-0", "room-1"] {
        let log = given.log(name).await;
        assert!(log.iter().map(|item| item.offset).eq(1..=log.len() as u64), "{name} has a hole");
        let by_offset = log.iter().map(|i| (i.offset, i.message_id.to_string())).collect();
        logs.insert(name.to_owned(), by_offset);
    }
    for writer in writers {
        let (place, acked) = writer.await.unwrap();
        let log = given.log(&place).await;
        let by_offset: HashMap<_, _> =
            log.iter().map(|item| (item.offset, item.message_id.to_string())).collect();
        for (id, offset) in &acked {
            assert_eq!(by_offset.get(offset), Some(id), "an acked message is not at its place");
        }
        assert!(acked.is_sorted_by_key(|(_, offset)| *offset), "the author's order was lost");
    }
    for log in logs.values() {
        let ids: std::collections::HashSet<_> = log.values().collect();
        assert_eq!(ids.len(), log.len(), "a message stands twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_costs_a_passing_error_and_no_connection_for_ever() {
    let postgres = Postgres::start().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    let mut config = config(&address);
    config.statement_ms = 500;
    config.commit_ms = 500;
    let given = with(config, None).await;
    given.fill("general", 1).await;
    postgres.freeze();
    for n in 0..20 {
        let within = rpc::Call::within(Duration::from_millis(300));
        let publish = publish("general", &principal("v"), &format!("frozen-{n:03}"));
        let error = given.rooms.publish(within, publish).await.unwrap_err();
        assert!(error.transient(), "{error}");
    }
    postgres.thaw();
    poll::until(Duration::from_secs(20), "publishes are acked again", async || {
        given.publish("general", "w", "id-after1").await.is_ok()
    })
    .await
    .unwrap();
    let log = given.log("general").await;
    assert!(log.iter().map(|item| item.offset).eq(1..=log.len() as u64), "a hole");
}
