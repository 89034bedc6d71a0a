//! Entries and counts.
use std::collections::HashSet;

use domain::{JoinLeave, PresenceChange, PresenceCounts, PresenceTotals};

use crate::Bench;
use crate::gateway::Gateway;
use crate::people::{connected, entered, room, someone};

pub async fn a_room_counts_connections_and_principals(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let enter = |name: &str| entered("r", &someone(name), JoinLeave::Off);
    one.apply(vec![enter("anna"), enter("anna"), enter("bert")]).await;
    two.apply(vec![enter("anna"), entered("other", &someone("carl"), JoinLeave::Off)]).await;
    let counts = bench.store.room_counts(&room("r")).await;
    assert_eq!(counts, Ok(PresenceCounts { connections: 4, principals: 2 }));
    let none = bench.store.room_counts(&room("empty")).await;
    assert_eq!(none, Ok(PresenceCounts::default()));
    bench.store.close(two.lease).await.unwrap();
    let counts = bench.store.room_counts(&room("r")).await;
    assert_eq!(counts, Ok(PresenceCounts { connections: 3, principals: 2 }));
    bench.store.close(one.lease).await.unwrap();
    assert_eq!(bench.store.room_counts(&room("r")).await, Ok(PresenceCounts::default()));
}

pub async fn totals_count_everything_once(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let (phone, laptop, bert) = (someone("anna"), someone("anna"), someone("bert"));
    one.apply(vec![connected(&phone), connected(&bert)]).await;
    two.apply(vec![connected(&laptop)]).await;
    let all = PresenceTotals { connections: 3, principals: 2, gateways: 2 };
    assert_eq!(bench.store.totals().await, Ok(all));
    let mut gateways = bench.store.gateways().await.unwrap();
    gateways.sort_by_key(|info| info.gateway.clone());
    let seen: Vec<_> = gateways.iter().map(|info| (&info.gateway, info.connections)).collect();
    assert_eq!(seen, [(&one.id, 2), (&two.id, 1)]);
    assert_eq!(gateways[0].incarnation, one.incarnation);
    one.apply(vec![PresenceChange::Disconnected(bert.connection)]).await;
    bench.store.close(two.lease).await.unwrap();
    let rest = PresenceTotals { connections: 1, principals: 1, gateways: 1 };
    assert_eq!(bench.store.totals().await, Ok(rest));
}

pub async fn connections_of_a_principal_are_found_on_all_gateways(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let (phone, laptop, bert) = (someone("anna"), someone("anna"), someone("bert"));
    one.apply(vec![connected(&phone), connected(&bert)]).await;
    two.apply(vec![connected(&laptop)]).await;
    let found = bench.store.connections(&phone.id, 10).await.unwrap();
    let found: HashSet<_> = found.into_iter().map(|one| (one.gateway, one.who)).collect();
    let wanted = [(one.id.clone(), phone.clone()), (two.id.clone(), laptop)].into();
    assert_eq!(found, wanted);
    assert_eq!(bench.store.connections(&phone.id, 1).await.unwrap().len(), 1);
    assert_eq!(bench.store.connections(&someone("nobody").id, 10).await, Ok(vec![]));
    bench.store.close(two.lease).await.unwrap();
    let found = bench.store.connections(&phone.id, 10).await.unwrap();
    assert_eq!(found.into_iter().map(|one| one.who).collect::<Vec<_>>(), [phone]);
}

pub async fn a_room_is_read_up_to_the_limit(bench: Bench) {
    let mut one = Gateway::open(&bench.store, "gw-1").await;
    let mut two = Gateway::open(&bench.store, "gw-2").await;
    let people: Vec<_> = (0..10).map(|i| someone(&format!("p{i}"))).collect();
    let enter = |who| entered("r", who, JoinLeave::Off);
    one.apply(people[..6].iter().map(enter).collect()).await;
    two.apply(people[6..].iter().map(enter).collect()).await;
    for limit in [0_u32, 1, 5, 8, 10, 1_000] {
        let found = bench.store.room(&room("r"), limit).await.unwrap();
        let distinct: HashSet<_> = found.iter().map(|entry| entry.who.clone()).collect();
        assert_eq!(distinct.len(), people.len().min(limit as usize), "limit {limit}");
        assert_eq!(found.len(), distinct.len());
        assert!(distinct.iter().all(|who| people.contains(who)));
    }
}
