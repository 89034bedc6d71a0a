//! How batches are numbered.
use domain::{Departure, JoinLeave, PresenceChange, PresenceCounts};
use rpc::presence::LeaseState;

use crate::Bench;
use crate::gateway::Gateway;
use crate::people::{connected, entered, join, left, room, someone};

pub async fn a_number_is_taken_once_and_none_out_of_order(bench: Bench) {
    let own = Gateway::open(&bench.store, "gw-1").await;
    let anna = someone("anna");
    let enter = || vec![entered("r", &anna, JoinLeave::Connection)];
    let leave = || vec![left("r", &anna, Departure::Clean)];
    assert_eq!(own.send(2, true, enter()).await.state, LeaseState::Lost, "a gap at the start");
    assert_eq!(own.send(1, true, enter()).await.told, [join("r", &anna)]);
    let again = own.send(1, true, leave()).await;
    assert_eq!((again.state, again.told), (LeaseState::Held, vec![]));
    assert_eq!(own.send(3, true, leave()).await.state, LeaseState::Lost);
    assert_eq!(bench.store.room(&room("r"), 10).await.unwrap().len(), 1);
    assert_eq!(own.send(2, true, leave()).await.told.len(), 1);
    assert_eq!(own.send(1, true, enter()).await.told, []);
    assert_eq!(bench.store.room(&room("r"), 10).await, Ok(vec![]));
}

pub async fn a_late_batch_under_an_older_lease_brings_no_ghost(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, ghost) = (someone("anna"), someone("ghost"));
    own.apply(vec![entered("r", &anna, JoinLeave::Connection)]).await;
    let (store, id) = (own.store.clone(), own.id.clone());
    let old = Gateway { store, id, peer_url: None, ..own };
    own.open_again().await;
    own.register(vec![entered("r", &anna, JoinLeave::Connection)]).await;
    let late = old.send(2, true, vec![entered("r", &ghost, JoinLeave::Connection)]).await;
    assert_eq!((late.state, late.told), (LeaseState::Lost, vec![]));
    let here = bench.store.room(&room("r"), 10).await.unwrap();
    assert_eq!(here.into_iter().map(|entry| entry.who).collect::<Vec<_>>(), [anna]);
}

/// More than one script call takes: its parts must not be seen.
pub async fn a_large_batch_is_applied_whole(bench: Bench) {
    let own = Gateway::open(&bench.store, "gw-1").await;
    let people: Vec<_> = (0..1_203).map(|i| someone(&format!("p{}", i % 1_000))).collect();
    let enter = |who| entered("r", who, JoinLeave::Connection);
    let changes: Vec<PresenceChange> =
        people.iter().map(enter).chain(people.iter().map(connected)).collect();
    assert_eq!(own.send(1, true, changes.clone()).await.told.len(), 1_203);
    assert_eq!(own.send(1, true, changes).await.told, []);
    let counts = bench.store.room_counts(&room("r")).await.unwrap();
    assert_eq!(counts, PresenceCounts { connections: 1_203, principals: 1_000 });
    let out = people.iter().map(|who| left("r", who, Departure::Clean)).collect();
    assert_eq!(own.send(2, true, out).await.told.len(), 1_203);
    assert_eq!(bench.store.room_counts(&room("r")).await, Ok(PresenceCounts::default()));
}

pub async fn entering_twice_is_entering_once(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let anna = someone("anna");
    let enter = || entered("r", &anna, JoinLeave::Connection);
    let told = own.apply(vec![enter(), enter(), connected(&anna), connected(&anna)]).await;
    assert_eq!(told, [join("r", &anna)]);
    let one = PresenceCounts { connections: 1, principals: 1 };
    assert_eq!(bench.store.room_counts(&room("r")).await, Ok(one));
    assert_eq!(bench.store.totals().await.unwrap().connections, 1);
    let leave = || left("r", &anna, Departure::Clean);
    assert_eq!(own.apply(vec![leave(), leave()]).await.len(), 1);
    assert_eq!(bench.store.room_counts(&room("r")).await, Ok(PresenceCounts::default()));
    let gone = || PresenceChange::Disconnected(anna.connection);
    assert_eq!(own.apply(vec![gone(), gone()]).await, []);
    assert_eq!(bench.store.totals().await.unwrap().principals, 0);
}
