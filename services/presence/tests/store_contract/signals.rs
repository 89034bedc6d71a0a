//! What is told of coming and going.
use domain::{Departure, JoinLeave};

use crate::Bench;
use crate::gateway::Gateway;
use crate::people::{entered, join, leave, left, someone};

pub async fn every_connection_is_told_where_the_mode_is_connection(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (phone, laptop) = (someone("anna"), someone("anna"));
    let told = own
        .apply(vec![
            entered("r", &phone, JoinLeave::Connection),
            entered("r", &laptop, JoinLeave::Connection),
        ])
        .await;
    assert_eq!(told, [join("r", &phone), join("r", &laptop)]);
    let out = vec![left("r", &laptop, Departure::Lost), left("r", &phone, Departure::Clean)];
    assert_eq!(own.apply(out).await, [leave("r", &laptop), leave("r", &phone)]);
}

pub async fn nothing_is_told_where_the_mode_is_off(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let told = own
        .apply(vec![
            entered("r", &anna, JoinLeave::Off),
            entered("r", &bert, JoinLeave::Off),
            left("r", &anna, Departure::Lost),
        ])
        .await;
    assert_eq!(told, []);
    assert_eq!(bench.sweep_to_the_end().await, []);
}

pub async fn the_first_and_the_last_connection_are_told_where_the_mode_is_user(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let (phone, laptop, bert) = (someone("anna"), someone("anna"), someone("bert"));
    let told = one.apply(vec![entered("r", &phone, JoinLeave::User)]).await;
    assert_eq!(told, [join("r", &phone)]);
    let both = vec![entered("r", &laptop, JoinLeave::User), entered("r", &bert, JoinLeave::User)];
    assert_eq!(two.apply(both).await, [join("r", &bert)]);
    assert_eq!(one.apply(vec![left("r", &phone, Departure::Clean)]).await, []);
    let told = two.apply(vec![left("r", &laptop, Departure::Clean)]).await;
    assert_eq!(told, [leave("r", &laptop)], "the last one that went");
}

pub async fn a_lost_link_that_is_back_on_another_gateway_is_not_told(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let (before, after, bert) = (someone("anna"), someone("anna"), someone("bert"));
    one.apply(vec![entered("r", &before, JoinLeave::User)]).await;
    one.apply(vec![entered("r", &bert, JoinLeave::User)]).await;
    let lost = vec![left("r", &before, Departure::Lost), left("r", &bert, Departure::Lost)];
    assert_eq!(one.apply(lost).await, []);
    assert_eq!(two.apply(vec![entered("r", &after, JoinLeave::User)]).await, []);
    // Bert does not come back: when his leave is told, anna's would have been too.
    assert_eq!(bench.sweep_until(1, &[&one, &two]).await, [leave("r", &bert)]);
    let told = two.apply(vec![left("r", &after, Departure::Clean)]).await;
    assert_eq!(told, [leave("r", &after)]);
    assert_eq!(bench.sweep_to_the_end().await, []);
}

pub async fn a_lost_link_is_told_once_when_its_time_is_up(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    bench.store.sweep(None, 500).await.unwrap();
    let began = tokio::time::Instant::now();
    let people: Vec<_> = (0..40).map(|i| someone(&format!("p{i}"))).collect();
    own.apply(people.iter().map(|who| entered("r", who, JoinLeave::User)).collect()).await;
    own.apply(people.iter().map(|who| left("r", who, Departure::Lost)).collect()).await;
    let (a, b) = tokio::join!(bench.sweep_to_the_end(), bench.sweep_to_the_end());
    assert!(began.elapsed() >= Bench::config().terms().hold, "told before its time");
    let mut told: Vec<_> = a.into_iter().chain(b).collect();
    let mut wanted: Vec<_> = people.iter().map(|who| leave("r", who)).collect();
    let order = |told: &presence::store::Told| format!("{told:?}");
    told.sort_by_key(order);
    wanted.sort_by_key(order);
    assert_eq!(told, wanted);
}

pub async fn a_registration_is_not_announced(bench: Bench) {
    let mut own = Gateway::open(&bench.store, "gw-1").await;
    let (anna, bert) = (someone("anna"), someone("bert"));
    let all =
        vec![entered("c", &anna, JoinLeave::Connection), entered("u", &bert, JoinLeave::User)];
    assert_eq!(own.register(all).await, []);
    let out = vec![left("c", &anna, Departure::Clean), left("u", &bert, Departure::Clean)];
    assert_eq!(own.apply(out).await, [leave("c", &anna), leave("u", &bert)]);
}
