//! Two presence services on one real Redis, and what befalls them: gateways that die, a Redis
//! that is emptied, killed, frozen or replaced.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]
use std::time::Duration;

use domain::{Departure, ErrorReason, JoinLeave, LeaseId, PresenceCounts};
use rpc::presence::{LeaseState, Presence};
use testkit::parts::Redis;
use testkit::poll::until;

#[path = "../support/people.rs"]
mod people;

mod pods;
mod recorder;

use people::{connected, entered, gateway, join, leave, left, room, someone};
use pods::{PATIENCE, Pods, call};

const ONE: PresenceCounts = PresenceCounts { connections: 1, principals: 1 };
const TWO: PresenceCounts = PresenceCounts { connections: 2, principals: 2 };

#[tokio::test]
async fn a_crashed_gateway_is_forgotten_and_told_once() {
    let pods = Pods::start().await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let enter = |who| vec![connected(who), entered("r", who, JoinLeave::Connection)];
    let crashed = pods.gateway(0, "gw-1").await;
    let alive = pods.gateway(1, "gw-2").await;
    crashed.apply(1, enter(&anna)).await;
    alive.apply(1, enter(&bert)).await;
    assert_eq!(pods.told(), [join("r", &anna), join("r", &bert)]);
    pods.forget();
    let keep = alive.keep();
    until(PATIENCE, "the leave", || async { !pods.told().is_empty() }).await.unwrap();
    pods.counts_become("r", ONE).await;
    pods.a_while().await;
    assert_eq!(pods.told(), [leave("r", &anna)]);
    assert_eq!(pods.pod(0).totals(call()).await.unwrap().gateways, 1);
    keep.abort();
}

#[tokio::test]
async fn a_redis_that_was_emptied_is_filled_again_without_a_word() {
    let pods = Pods::start().await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let all = || {
        vec![
            connected(&anna),
            entered("r", &anna, JoinLeave::Connection),
            entered("r", &bert, JoinLeave::User),
        ]
    };
    let own = pods.gateway(0, "gw-1").await;
    own.apply(1, all()).await;
    pods.forget();
    pods.redis.command(&["FLUSHALL"]).await.unwrap();
    let refused = pods.pod(1).room(call(), room("r"), 10).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable, "an empty store answered");
    assert_eq!(own.renew().await, LeaseState::Lost);
    let own = pods.gateway_again(1, &own).await;
    own.register(1, all()).await;
    let keep = own.keep();
    pods.counts_become("r", TWO).await;
    pods.a_while().await;
    assert_eq!(pods.told(), []);
    keep.abort();
}

#[tokio::test]
async fn a_killed_redis_is_unavailable_and_never_zero() {
    let pods = Pods::start().await;
    let anna = someone("anna");
    let all = || vec![connected(&anna), entered("r", &anna, JoinLeave::Connection)];
    let own = pods.gateway(0, "gw-1").await;
    own.apply(1, all()).await;
    pods.counts_become("r", ONE).await;
    pods.forget();
    pods.redis.kill9();
    pods.forget_counts().await;
    pods.everything_is_unavailable(own.lease, &anna).await;
    pods.redis.restart().await.unwrap();
    let lost =
        || async { pods.pod(0).renew_lease(call(), own.lease).await == Ok(LeaseState::Lost) };
    until(PATIENCE, "the restarted Redis", lost).await.unwrap();
    let own = pods.gateway_again(0, &own).await;
    own.register(1, all()).await;
    let keep = own.keep();
    pods.counts_become("r", ONE).await;
    pods.a_while().await;
    assert_eq!(pods.told(), []);
    keep.abort();
}

#[tokio::test]
async fn a_frozen_redis_is_unavailable_in_time_and_breaks_no_connection() {
    let pods = Pods::with_long_leases().await;
    let anna = someone("anna");
    let own = pods.gateway(0, "gw-1").await;
    own.apply(1, vec![connected(&anna)]).await;
    pods.forget();
    pods.redis.freeze();
    pods.forget_counts().await;
    let began = tokio::time::Instant::now();
    // The caller goes away; the change and its signal do not.
    let enter = || vec![entered("r", &anna, JoinLeave::Connection)];
    let gone = own.try_apply(Duration::from_millis(100), 2, enter()).await.unwrap_err();
    assert_eq!(gone.reason, ErrorReason::Unavailable);
    let soon = rpc::Call::within(Duration::from_millis(100));
    let refused = pods.pod(1).room_counts(soon, room("r")).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(2), "a deadline was not kept");
    pods.redis.thaw();
    until(PATIENCE, "the join", || async { !pods.told().is_empty() }).await.unwrap();
    own.apply(2, enter()).await;
    assert_eq!(pods.told(), [join("r", &anna)], "told once, though it was sent twice");
    pods.counts_become("r", ONE).await;
    assert_eq!(pods.pod(0).connections(call(), anna.id.clone()).await.unwrap()[0].who, anna);
}

#[tokio::test]
async fn another_replication_id_makes_gateways_register_again() {
    let pods = Pods::start().await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let all = || {
        vec![
            connected(&anna),
            entered("r", &anna, JoinLeave::Connection),
            entered("r", &bert, JoinLeave::User),
        ]
    };
    let own = pods.gateway(0, "gw-1").await;
    own.apply(1, all()).await;
    assert_eq!(own.renew().await, LeaseState::Held);
    pods.forget();
    // What a replica that is promoted looks like: the data is there, the id is new.
    let nobody = testkit::parts::free_port().unwrap().to_string();
    pods.redis.command(&["REPLICAOF", "127.0.0.1", &nobody]).await.unwrap();
    pods.redis.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    assert_eq!(own.renew().await, LeaseState::Lost);
    let own = pods.gateway_again(1, &own).await;
    own.register(1, all()).await;
    let keep = own.keep();
    pods.counts_become("r", TWO).await;
    pods.a_while().await;
    assert_eq!(pods.told(), []);
    pods.counts_become("r", TWO).await;
    keep.abort();
}

#[tokio::test]
async fn a_redis_that_lost_a_part_of_its_data_is_noticed() {
    let pods = Pods::with_long_leases().await;
    let (one, two) = (pods.gateway(0, "gw-1").await, pods.gateway(1, "gw-2").await);
    pods.redis.command(&["DEL", "{roomcast}:generation"]).await.unwrap();
    assert_eq!(one.renew().await, LeaseState::Lost);
    let one = pods.gateway_again(0, &one).await;
    assert_eq!(one.renew().await, LeaseState::Held);
    assert_eq!(two.renew().await, LeaseState::Lost, "the generation is another one now");
}

#[tokio::test]
async fn a_late_batch_through_the_other_pod_brings_no_ghost() {
    let pods = Pods::with_long_leases().await;
    let (anna, ghost) = (someone("anna"), someone("ghost"));
    let old = pods.gateway(0, "gw-1").await;
    old.apply(1, vec![entered("r", &anna, JoinLeave::Connection)]).await;
    let new = pods.gateway_again(1, &old).await;
    new.register(1, vec![entered("r", &anna, JoinLeave::Connection)]).await;
    let late = vec![entered("r", &ghost, JoinLeave::Connection)];
    assert_eq!(old.try_apply(PATIENCE, 2, late).await, Ok(LeaseState::Lost));
    let here = pods.pod(0).room(call(), room("r"), 10).await.unwrap();
    assert_eq!(
        here.into_iter().map(|entry| entry.who).collect::<Vec<_>>(),
        std::slice::from_ref(&anna)
    );
    assert_eq!(pods.told(), [join("r", &anna)]);
}

#[tokio::test]
async fn a_held_leave_is_called_off_by_coming_back_through_the_other_pod() {
    let pods = Pods::start().await;
    let (before, after, bert) = (someone("anna"), someone("anna"), someone("bert"));
    let one = pods.gateway(0, "gw-1").await;
    let two = pods.gateway(1, "gw-2").await;
    let (keep_one, keep_two) = (one.keep(), two.keep());
    let both = vec![entered("r", &before, JoinLeave::User), entered("r", &bert, JoinLeave::User)];
    one.apply(1, both).await;
    pods.forget();
    let lost = vec![left("r", &before, Departure::Lost), left("r", &bert, Departure::Lost)];
    one.apply(2, lost).await;
    two.apply(1, vec![entered("r", &after, JoinLeave::User)]).await;
    until(PATIENCE, "the other's leave", || async { !pods.told().is_empty() }).await.unwrap();
    pods.a_while().await;
    assert_eq!(pods.told(), [leave("r", &bert)]);
    keep_one.abort();
    keep_two.abort();
}

#[tokio::test]
async fn a_pod_sees_its_own_changes_at_once_and_the_others_soon() {
    let pods = Pods::with_long_leases().await;
    let own = pods.gateway(0, "gw-1").await;
    for (number, name) in (1..=20).zip('a'..) {
        own.apply(number, vec![entered("r", &someone(&name.to_string()), JoinLeave::Off)]).await;
        let counts = pods.pod(0).room_counts(call(), room("r")).await.unwrap();
        assert_eq!(counts, PresenceCounts { connections: number, principals: number });
    }
    pods.counts_become("r", PresenceCounts { connections: 20, principals: 20 }).await;
    let too_many = vec![connected(&someone("x")); pods.changes_max() + 1];
    let refused = own.try_apply(PATIENCE, 21, too_many).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::LimitExceeded);
}

#[tokio::test]
async fn a_service_in_memory_keeps_the_same_promises() {
    let pods = Pods::in_memory().await;
    let anna = someone("anna");
    let own = pods.gateway(0, "gw-1").await;
    own.apply(1, vec![connected(&anna), entered("r", &anna, JoinLeave::Connection)]).await;
    until(PATIENCE, "the leave", || async { pods.told().len() == 2 }).await.unwrap();
    assert_eq!(pods.told(), [join("r", &anna), leave("r", &anna)]);
    assert_eq!(pods.pod(0).gateways(call()).await, Ok(vec![]));
    let unknown = pods.pod(0).renew_lease(call(), LeaseId::random()).await;
    assert_eq!(unknown, Ok(LeaseState::Lost));
    let again =
        pods.pod(0).open_lease(call(), gateway("gw-1"), own.incarnation, None).await.unwrap();
    assert_eq!((again.ttl_ms, again.renew_ms), (1_000, 250));
}

/// The part is the same in every test: one Redis of its own.
async fn redis() -> Redis {
    Redis::start().await.unwrap()
}
