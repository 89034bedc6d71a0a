//! How a lease begins and ends.
use domain::{Departure, JoinLeave, LeaseId};
use rpc::presence::LeaseState;
use testkit::poll::until;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::people::{connected, entered, leave, left, room, someone};
use crate::{Bench, PATIENCE};

pub async fn a_lease_lapses_unless_it_is_renewed(bench: Bench) {
    let own = Gateway::open(&bench.store, "gw-1").await;
    let (began, terms) = (Instant::now(), Bench::config().terms());
    while began.elapsed() < terms.ttl * 2 {
        assert_eq!(own.renew().await, LeaseState::Held);
        tokio::time::sleep(terms.ttl / 16).await;
    }
    let lapsed = || async { bench.store.gateways().await.unwrap().is_empty() };
    until(PATIENCE, "the lease lapses", lapsed).await.unwrap();
    assert_eq!(own.renew().await, LeaseState::Lost);
    assert!(bench.store.gateways().await.unwrap().is_empty(), "a lapsed lease was revived");
}

pub async fn a_younger_lease_ends_the_older_one(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let anna = someone("anna");
    own.apply(vec![connected(&anna), entered("r", &anna, JoinLeave::Connection)]).await;
    let old = own.lease;
    own.open_again().await;
    assert_eq!(bench.store.renew(old).await, Ok(LeaseState::Lost));
    assert_eq!(bench.store.room(&room("r"), 10).await, Ok(vec![]));
    assert_eq!(bench.store.gateways().await.unwrap().len(), 1);
    assert_eq!(own.renew().await, LeaseState::Held);
}

pub async fn an_unknown_lease_is_lost(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    own.lease = LeaseId::random();
    assert_eq!(own.renew().await, LeaseState::Lost);
    assert_eq!(own.send(1, true, vec![]).await.state, LeaseState::Lost);
    assert_eq!(bench.store.close(own.lease).await, Ok(()));
}

pub async fn a_closed_lease_leaves_at_once(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    own.apply(vec![
        connected(&anna),
        entered("c", &anna, JoinLeave::Connection),
        entered("u", &bert, JoinLeave::User),
    ])
    .await;
    bench.store.close(own.lease).await.unwrap();
    bench.store.close(own.lease).await.unwrap();
    assert_eq!(own.renew().await, LeaseState::Lost);
    let late = own.send(2, true, vec![left("c", &anna, Departure::Clean)]).await;
    assert_eq!((late.state, late.told), (LeaseState::Lost, vec![]));
    assert_eq!(bench.store.room(&room("c"), 10).await, Ok(vec![]));
    let mut told = bench.store.sweep(Some(own.lease), 500).await.unwrap().told;
    told.sort_by_key(|told| told.room.clone());
    assert_eq!(told, [leave("c", &anna), leave("u", &bert)]);
    assert_eq!(bench.sweep_to_the_end().await, []);
}

pub async fn a_lease_tells_what_its_gateway_is_reached_by(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let told = || async {
        let mut all = bench.store.gateways().await.unwrap();
        all.sort_by_key(|info| info.gateway.clone());
        all.into_iter().map(|info| info.peer_url).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [None, None]);
    one.peer_url = Some("http://10.0.0.1:50053".to_owned());
    one.open_again().await;
    assert_eq!(told().await, [one.peer_url.clone(), None]);
    // The address is the lease's, not the gateway's: a later one may have another, or none.
    one.peer_url = Some("http://[fd00::1]:50053".to_owned());
    one.open_again().await;
    two.peer_url = Some("http://10.0.0.2:50053".to_owned());
    two.open_again().await;
    assert_eq!(told().await, [one.peer_url.clone(), two.peer_url.clone()]);
    two.peer_url = None;
    two.open_again().await;
    assert_eq!(told().await, [one.peer_url.clone(), None]);
    bench.store.close(one.lease).await.unwrap();
    bench.store.sweep(Some(one.lease), 500).await.unwrap();
    assert_eq!(two.renew().await, LeaseState::Held);
    assert_eq!(told().await, [None]);
}
