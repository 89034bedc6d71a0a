//! Two stores that keep one contract cannot be told apart: random lives of gateways, lived on
//! both, must give the same signals, entries and counts. And in every life a join and a leave
//! of the same connection or user take turns.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Departure, Incarnation, JoinLeave, LeaseId, PresenceChange, RoomName, Signal, Who};
use presence::PresenceConfig;
use presence::store::memory::MemoryStore;
use presence::store::redis::RedisStore;
use presence::store::{Store, Told};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use testkit::parts::Redis;

use crate::gateway::Gateway;
use crate::people::{connected, entered, left, room, someone};

const ROOMS: [(&str, JoinLeave); 4] = [
    ("c", JoinLeave::Connection),
    ("u", JoinLeave::User),
    ("u2", JoinLeave::User),
    ("o", JoinLeave::Off),
];

/// One gateway as both stores know it, and what it holds.
struct Life {
    twins: [Gateway; 2],
    /// Connections and the rooms that they are in, as indexes.
    connections: Vec<(Who, BTreeSet<usize>)>,
}

impl Life {
    async fn open(stores: &[Arc<dyn Store>; 2], name: &str) -> Self {
        let one = Gateway::open(&stores[0], name).await;
        let two = Gateway::open(&stores[1], name).await;
        let mut life = Self { twins: [one, two], connections: Vec::new() };
        life.lease(Incarnation::random()).await;
        life
    }

    async fn lease(&mut self, incarnation: Incarnation) {
        let lease = LeaseId::random();
        for twin in &mut self.twins {
            (twin.lease, twin.number, twin.incarnation) = (lease, 0, incarnation);
            twin.store.open(twin.id.clone(), incarnation, lease, None).await.unwrap();
        }
    }

    async fn apply(&mut self, announce: bool, changes: Vec<PresenceChange>) -> Vec<Told> {
        let [one, two] = &mut self.twins;
        let (one, two) = if announce {
            (one.apply(changes.clone()).await, two.apply(changes).await)
        } else {
            (one.register(changes.clone()).await, two.register(changes).await)
        };
        assert_eq!(one, two);
        one
    }

    fn all(&self) -> Vec<PresenceChange> {
        let rooms = |(who, rooms): &(Who, BTreeSet<usize>)| {
            let enter = |place: &usize| entered(ROOMS[*place].0, who, ROOMS[*place].1);
            std::iter::once(connected(who)).chain(rooms.iter().map(enter)).collect::<Vec<_>>()
        };
        self.connections.iter().flat_map(rooms).collect()
    }

    /// One step of a life.
    async fn live(&mut self, rng: &mut StdRng) -> Vec<Told> {
        match rng.random_range(0..20) {
            0..5 => {
                let who = someone(["anna", "bert", "carl"].choose(rng).unwrap());
                self.connections.push((who.clone(), BTreeSet::new()));
                self.apply(true, vec![connected(&who)]).await
            }
            5..11 if !self.connections.is_empty() => {
                let index = rng.random_range(0..self.connections.len());
                let place = rng.random_range(0..ROOMS.len());
                let (who, rooms) = &mut self.connections[index];
                rooms.insert(place);
                let change = entered(ROOMS[place].0, who, ROOMS[place].1);
                self.apply(true, vec![change]).await
            }
            11..17 if !self.connections.is_empty() => {
                let index = rng.random_range(0..self.connections.len());
                let (who, rooms) = self.connections.swap_remove(index);
                let how = if rng.random() { Departure::Clean } else { Departure::Lost };
                let out = |place: &usize| left(ROOMS[*place].0, &who, how);
                let gone = PresenceChange::Disconnected(who.connection);
                let changes = rooms.iter().map(out).chain([gone]).collect();
                self.apply(true, changes).await
            }
            17 => {
                self.lease(self.twins[0].incarnation).await;
                let all = self.all();
                self.apply(false, all).await
            }
            18 => {
                for twin in &self.twins {
                    twin.store.close(twin.lease).await.unwrap();
                }
                self.connections.clear();
                self.lease(Incarnation::random()).await;
                Vec::new()
            }
            _ => {
                self.connections.clear();
                self.lease(Incarnation::random()).await;
                Vec::new()
            }
        }
    }
}

/// What both stores show, in one order.
async fn shown(store: &Arc<dyn Store>) -> Vec<String> {
    let mut shown = vec![format!("{:?}", store.totals().await.unwrap())];
    for (name, _) in ROOMS {
        shown.push(format!("{name} {:?}", store.room_counts(&room(name)).await.unwrap()));
        for entry in store.room(&room(name), 1_000).await.unwrap() {
            shown.push(format!("{name} {entry:?}"));
        }
    }
    for name in ["anna", "bert", "carl"] {
        for entry in store.connections(&someone(name).id, 1_000).await.unwrap() {
            shown.push(format!("{name} {entry:?}"));
        }
    }
    for gateway in store.gateways().await.unwrap() {
        shown.push(format!("{gateway:?}"));
    }
    shown.sort();
    shown
}

async fn swept(store: &Arc<dyn Store>) -> Vec<Told> {
    let mut told = store.sweep(None, 1_000).await.unwrap().told;
    told.sort_by_key(|told| format!("{told:?}"));
    told
}

/// Whom a signal is about, as its room's mode sees it.
fn subject(told: &Told) -> (RoomName, String, bool) {
    let (Signal::Join(who) | Signal::Leave(who)) = &told.signal;
    let user = told.room.as_str().starts_with('u');
    let subject = if user { who.id.hash() } else { who.connection.to_string() };
    (told.room.clone(), subject, matches!(told.signal, Signal::Join(_)))
}

#[tokio::test]
async fn the_stores_cannot_be_told_apart() {
    let redis = Redis::start().await.unwrap();
    for seed in 0..24 {
        let config = PresenceConfig {
            lease_ttl_ms: 600_000,
            hold_ms: 0,
            key_prefix: format!("seed-{seed}"),
            ..PresenceConfig::default()
        };
        let memory = Arc::new(MemoryStore::new(config.terms()));
        let stores: [Arc<dyn Store>; 2] =
            [memory, Arc::new(RedisStore::new(&redis.url(), &config).unwrap())];
        let mut here: BTreeMap<(RoomName, String), bool> = BTreeMap::new();
        let mut take_turns = |told: &[Told]| {
            for told in told {
                let (room, subject, joined) = subject(told);
                let was = here.insert((room, subject), joined).unwrap_or(false);
                assert_ne!(was, joined, "seed {seed}: told twice: {told:?}");
            }
        };
        for store in &stores {
            store.sweep(None, 1).await.unwrap();
        }
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut lives = Vec::new();
        for name in ["gw-1", "gw-2", "gw-3"] {
            lives.push(Life::open(&stores, name).await);
        }
        for _ in 0..120 {
            let life = rng.random_range(0..lives.len());
            take_turns(&lives[life].live(rng).await);
            if rng.random_range(0..4) == 0 {
                let (one, two) = (swept(&stores[0]).await, swept(&stores[1]).await);
                assert_eq!(one, two, "seed {seed}");
                take_turns(&one);
            }
            assert_eq!(shown(&stores[0]).await, shown(&stores[1]).await, "seed {seed}");
        }
    }
}
