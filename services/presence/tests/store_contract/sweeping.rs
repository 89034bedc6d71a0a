//! What is left of gateways that are gone, and of those that only seemed to be.
use domain::{Departure, Incarnation, JoinLeave, PresenceCounts};
use rpc::presence::LeaseState;
use testkit::poll::{found, until};

use crate::gateway::Gateway;
use crate::people::{connected, entered, join, leave, left, room, someone};
use crate::{Bench, PATIENCE};

pub async fn a_dead_gateway_is_ignored_at_once_and_its_leaves_are_told_once(bench: Bench) {
    let mut dead = Gateway::open(&bench.store, "gw-1").await;
    let mut alive = Gateway::open(&bench.store, "gw-2").await;
    let (phone, laptop, bert) = (someone("anna"), someone("anna"), someone("bert"));
    for who in [&phone, &bert] {
        let both =
            vec![entered("u", who, JoinLeave::User), entered("c", who, JoinLeave::Connection)];
        dead.apply(both).await;
        dead.apply(vec![connected(who)]).await;
    }
    alive.apply(vec![entered("u", &laptop, JoinLeave::User), connected(&laptop)]).await;
    let one_less = || async {
        assert_eq!(alive.renew().await, LeaseState::Held);
        // The sweeper is awake, and has no time for anybody yet.
        bench.store.sweep(None, 0).await.unwrap();
        // On a busy machine even that may come too late, and counts are refused for a while.
        let Ok(totals) = bench.store.totals().await else { return false };
        // All three figures change at the same moment, before anything is swept.
        assert!([(2, 3, 2), (1, 1, 1)].contains(&(
            totals.gateways,
            totals.connections,
            totals.principals
        )));
        totals.gateways == 1
    };
    until(PATIENCE, "the lease lapses", one_less).await.unwrap();
    let rest = PresenceCounts { connections: 1, principals: 1 };
    let counts = async |name: &str| {
        let counted = || async {
            assert_eq!(alive.renew().await, LeaseState::Held);
            bench.store.sweep(None, 0).await.unwrap();
            bench.store.room_counts(&room(name)).await.ok()
        };
        found(PATIENCE, "counts", counted).await.unwrap()
    };
    assert_eq!(counts("u").await, rest);
    assert_eq!(counts("c").await, PresenceCounts::default());
    let mut told = Vec::new();
    while told.len() < 3 {
        alive.renew().await;
        told.extend(bench.store.sweep(None, 500).await.unwrap().told);
    }
    told.sort_by_key(|told| (told.room.clone(), format!("{:?}", told.signal)));
    let mut wanted = vec![leave("c", &phone), leave("c", &bert), leave("u", &bert)];
    wanted.sort_by_key(|told| (told.room.clone(), format!("{:?}", told.signal)));
    assert_eq!(told, wanted);
    assert_eq!(bench.store.room_counts(&room("u")).await, Ok(rest));
    // Now the other one dies: the user's last connection.
    assert_eq!(bench.sweep_until(1, &[]).await, [leave("u", &laptop)]);
    assert_eq!(bench.sweep_to_the_end().await, []);
}

pub async fn a_gateway_that_registers_again_is_not_noticed(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, bert, gone) = (someone("anna"), someone("bert"), someone("gone"));
    let late = someone("anna");
    let all = || {
        vec![
            connected(&anna),
            entered("c", &anna, JoinLeave::Connection),
            entered("u", &bert, JoinLeave::User),
        ]
    };
    own.apply(all()).await;
    own.apply(vec![entered("c", &gone, JoinLeave::Connection)]).await;
    own.apply(vec![entered("c", &late, JoinLeave::Connection)]).await;
    own.open_again().await;
    assert_eq!(bench.store.sweep(None, 500).await.unwrap().told, [], "swept before its time");
    assert_eq!(own.register(all()).await, []);
    let also = || vec![entered("c", &late, JoinLeave::Connection)];
    assert_eq!(own.apply(also()).await, [], "silent, though joins are announced");
    let one = PresenceCounts { connections: 1, principals: 1 };
    let two = PresenceCounts { connections: 2, principals: 1 };
    assert_eq!(bench.store.room_counts(&room("c")).await, Ok(two));
    assert_eq!(bench.store.totals().await.unwrap().connections, 1);
    assert_eq!(bench.sweep_until(1, &[&own]).await, [leave("c", &gone)]);
    assert_eq!(bench.store.room_counts(&room("c")).await, Ok(two));
    assert_eq!(bench.store.room_counts(&room("u")).await, Ok(one));
    let out = vec![left("c", &anna, Departure::Lost), left("u", &bert, Departure::Clean)];
    assert_eq!(own.apply(out).await, [leave("c", &anna), leave("u", &bert)]);
}

pub async fn a_gateway_that_starts_again_keeps_the_users_who_came_back(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (before, after, bert) = (someone("anna"), someone("anna"), someone("bert"));
    own.apply(vec![entered("u", &before, JoinLeave::User), entered("u", &bert, JoinLeave::User)])
        .await;
    own.incarnation = Incarnation::random();
    own.open_again().await;
    assert_eq!(bench.store.room_counts(&room("u")).await, Ok(PresenceCounts::default()));
    let told = own.apply(vec![entered("u", &after, JoinLeave::User)]).await;
    assert_eq!(told, [], "she was never told to be gone");
    assert_eq!(bench.sweep_until(1, &[&own]).await, [leave("u", &bert)]);
    let told = own.apply(vec![left("u", &after, Departure::Clean)]).await;
    assert_eq!(told, [leave("u", &after)]);
}

pub async fn a_leave_that_was_told_too_early_is_followed_by_a_join(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let all =
        || vec![entered("c", &anna, JoinLeave::Connection), entered("u", &bert, JoinLeave::User)];
    own.apply(all()).await;
    assert_eq!(bench.sweep_until(2, &[]).await.len(), 2, "the gateway stood still for too long");
    assert_eq!(own.renew().await, LeaseState::Lost);
    own.open_again().await;
    assert_eq!(own.register(all()).await, [join("c", &anna), join("u", &bert)]);
    own.open_again().await;
    assert_eq!(own.register(all()).await, [], "told once");
}

pub async fn a_turn_is_bounded(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let people: Vec<_> = (0..25).map(|i| someone(&format!("p{i}"))).collect();
    own.apply(people.iter().map(connected).collect()).await;
    let enter = |(i, who)| entered(&format!("r{}", i % 3), who, JoinLeave::Connection);
    own.apply(people.iter().enumerate().map(enter).collect()).await;
    bench.store.close(own.lease).await.unwrap();
    let (mut leaves, mut turns) = (0, 0);
    loop {
        let swept = bench.store.sweep(None, 10).await.unwrap();
        assert!(swept.taken <= 10 && swept.told.len() <= 10, "{swept:?}");
        leaves += swept.told.len();
        turns += 1;
        if !swept.more {
            break;
        }
    }
    assert_eq!((leaves, turns), (25, 5));
}

/// The gateway comes back between the end of its lease and the next turn of a sweeper.
pub async fn a_lapsed_gateway_that_is_back_before_the_sweeper_is_not_noticed(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, gone) = (someone("anna"), someone("gone"));
    let enter = |who| vec![entered("r", who, JoinLeave::Connection)];
    own.apply(enter(&anna)).await;
    own.apply(enter(&gone)).await;
    // The last turn lies so late that the sweepers do not seem to have been away.
    let ttl = Bench::config().terms().ttl;
    tokio::time::sleep(ttl * 5 / 8).await;
    bench.store.sweep(None, 500).await.unwrap();
    let lapsed = || async { bench.store.gateways().await.unwrap().is_empty() };
    until(PATIENCE, "the lease lapses", lapsed).await.unwrap();
    own.open_again().await;
    assert_eq!(bench.store.sweep(None, 500).await.unwrap().told, []);
    assert_eq!(own.register(enter(&anna)).await, []);
    assert_eq!(bench.sweep_until(1, &[&own]).await, [leave("r", &gone)]);
}

/// Redis, or all presence pods, were away for longer than a lease: nobody could renew.
pub async fn a_pause_of_all_sweepers_gives_gateways_time_to_come_back(bench: Bench) {
    let mut back = Gateway::open(&bench.store, "gw-1").await;
    let mut dead = Gateway::open(&bench.store, "gw-2").await;
    bench.store.sweep(None, 500).await.unwrap();
    let (anna, bert) = (someone("anna"), someone("bert"));
    back.apply(vec![entered("r", &anna, JoinLeave::Connection)]).await;
    dead.apply(vec![entered("r", &bert, JoinLeave::Connection)]).await;
    let lapsed = || async { bench.store.gateways().await.unwrap().is_empty() };
    until(PATIENCE, "the leases lapse", lapsed).await.unwrap();
    assert_eq!(bench.store.sweep(None, 500).await.unwrap().told, []);
    back.open_again().await;
    assert_eq!(back.register(vec![entered("r", &anna, JoinLeave::Connection)]).await, []);
    assert_eq!(bench.sweep_until(1, &[&back]).await, [leave("r", &bert)]);
}
