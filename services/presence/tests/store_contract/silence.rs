//! A store that nobody could ask for a while: gateways that are about to register again must not
//! look as if they had gone. Redis alone: memory is as silent as its process.
use domain::{ErrorReason, JoinLeave, PresenceCounts};
use testkit::poll::until;

use crate::gateway::Gateway;
use crate::people::{connected, entered, room, someone};
use crate::{Bench, PATIENCE};

/// Two gateways with somebody in room `r` each, after a silence in which both leases lapsed.
async fn two_after_a_silence(bench: &Bench) -> (Gateway, Gateway) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    for gateway in [&mut one, &mut two] {
        let who = someone("anna");
        let here = vec![connected(&who), entered("r", &who, JoinLeave::Connection)];
        gateway.apply(here).await;
    }
    bench.store.sweep(None, 500).await.unwrap();
    let lapsed = || async { bench.store.gateways().await.unwrap().is_empty() };
    until(PATIENCE, "both leases lapse", lapsed).await.unwrap();
    (one, two)
}

async fn refused(bench: &Bench) -> bool {
    let unavailable = |reason| reason == ErrorReason::Unavailable;
    let counts = bench.store.room_counts(&room("r")).await.map_err(|error| error.reason);
    let totals = bench.store.totals().await.map_err(|error| error.reason);
    let entries = bench.store.room(&room("r"), 9).await.map_err(|error| error.reason);
    assert_eq!(counts.is_err(), totals.is_err());
    assert_eq!(counts.is_err(), entries.is_err());
    counts.is_err_and(unavailable)
}

async fn back(gateway: &mut Gateway) {
    gateway.open_again().await;
    let who = someone("anna");
    let here = vec![connected(&who), entered("r", &who, JoinLeave::Connection)];
    gateway.register(here).await;
}

#[tokio::test]
async fn counts_are_refused_until_every_gateway_is_back() {
    let bench = Bench::redis().await;
    let (mut one, mut two) = two_after_a_silence(&bench).await;
    assert!(refused(&bench).await, "a count of nobody, while both are alive");
    assert_eq!(bench.store.sweep(None, 500).await.unwrap().told, []);
    back(&mut one).await;
    assert!(refused(&bench).await, "a count without the second gateway");
    back(&mut two).await;
    let counts = bench.store.room_counts(&room("r")).await.unwrap();
    assert_eq!(counts.connections, 2);
}

#[tokio::test]
async fn counts_are_right_again_once_who_did_not_come_back_is_swept() {
    let bench = Bench::redis().await;
    let (mut one, _dead) = two_after_a_silence(&bench).await;
    back(&mut one).await;
    let right = || async {
        one.renew().await;
        bench.store.sweep(None, 500).await.unwrap();
        match bench.store.room_counts(&room("r")).await {
            Ok(counts) => {
                assert_eq!(counts, PresenceCounts { connections: 1, principals: 1 });
                true
            }
            Err(error) => {
                assert_eq!(error.reason, ErrorReason::Unavailable);
                false
            }
        }
    };
    until(PATIENCE, "a count of those who came back", right).await.unwrap();
}
