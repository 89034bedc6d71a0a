//! The binding machine against a broker that does what it is asked, later.
use std::collections::{HashSet, VecDeque};

use proptest::prelude::*;

use super::*;

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn key(name: &str) -> BindingKey {
    BindingKey::Room(room(name))
}

#[test]
fn a_room_is_bound_then_lingers_then_goes() {
    let mut binder = Binder::new(10, 1_000);
    let a = room("a");
    assert_eq!(binder.join(&a), [Act::Bind(key("a"))]);
    assert_eq!(binder.state(&a), RoomState::Binding);
    assert_eq!(binder.bound(&key("a")), [Act::Recheck(a.clone())]);
    assert_eq!(binder.state(&a), RoomState::Bound);
    binder.leave(&a, 0);
    assert_eq!(binder.state(&a), RoomState::Lingering);
    assert_eq!(binder.tick(999), []);
    assert_eq!(binder.tick(1_000), [Act::Unbind(key("a")), Act::Close(a.clone())]);
    assert_eq!(binder.state(&a), RoomState::Unbinding);
    assert_eq!(binder.unbound(&key("a")), []);
    assert_eq!((binder.state(&a), binder.legs()), (RoomState::Unbound, 0));
}

#[test]
fn a_join_while_it_lingers_costs_nothing() {
    let mut binder = Binder::new(10, 1_000);
    let a = room("a");
    binder.join(&a);
    binder.bound(&key("a"));
    binder.leave(&a, 0);
    assert_eq!(binder.join(&a), []);
    assert_eq!(binder.state(&a), RoomState::Bound);
    assert_eq!(binder.tick(10_000), []);
}

#[test]
fn a_join_while_it_unbinds_waits_and_then_binds() {
    let mut binder = Binder::new(10, 0);
    let a = room("a");
    binder.join(&a);
    binder.bound(&key("a"));
    binder.leave(&a, 0);
    binder.tick(0);
    assert_eq!(binder.join(&a), []);
    assert_eq!(binder.state(&a), RoomState::Binding);
    assert_eq!(binder.unbound(&key("a")), [Act::Bind(key("a"))]);
    assert_eq!(binder.bound(&key("a")), [Act::Recheck(a.clone())]);
    assert_eq!(binder.state(&a), RoomState::Bound);
}

#[test]
fn above_the_cap_whole_shards_are_bound_and_back_with_hysteresis() {
    let mut binder = Binder::new(10, 0);
    let rooms: Vec<RoomName> = (0..11).map(|n| room(&format!("room-{n}"))).collect();
    for room in &rooms[..10] {
        binder.join(room);
        binder.bound(&BindingKey::Room(room.clone()));
    }
    let acts = binder.join(&rooms[10]);
    assert!(binder.by_shard());
    assert!(acts.iter().all(|act| matches!(act, Act::Bind(BindingKey::Shard(_)))), "{acts:?}");
    // Each room stays bound by itself until its shard stands.
    assert_eq!(binder.state(&rooms[0]), RoomState::Bound);
    let acts = binder.bound(&BindingKey::Shard(rooms[0].shard()));
    assert!(acts.contains(&Act::Unbind(BindingKey::Room(rooms[0].clone()))), "{acts:?}");
    assert_eq!(binder.state(&rooms[0]), RoomState::Bound);
    // At the cap again, it stays with shards; below 80 % it goes back.
    for room in &rooms[8..] {
        binder.leave(room, 0);
    }
    binder.tick(0);
    assert!(binder.by_shard(), "8 of 10 is not below 80 %");
    binder.leave(&rooms[7], 1);
    binder.tick(1);
    assert!(!binder.by_shard());
}

#[test]
fn a_lost_queue_forgets_what_was_unbinding_and_doubts_the_rest() {
    let mut binder = Binder::new(10, 0);
    let (a, b) = (room("a"), room("b"));
    for name in ["a", "b"] {
        binder.join(&room(name));
        binder.bound(&key(name));
    }
    binder.leave(&a, 0);
    binder.tick(0);
    assert_eq!(binder.lost(), []);
    assert_eq!(binder.state(&a), RoomState::Unbound);
    assert_eq!(binder.state(&b), RoomState::Binding);
    assert_eq!(binder.restored(), [Act::Recheck(b.clone())]);
    assert_eq!(binder.state(&b), RoomState::Bound);
}

#[derive(Debug, Clone)]
enum Step {
    Join(u8),
    Leave(u8),
    Tick(u64),
    /// The broker does the oldest thing that it was asked for.
    Broker,
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_u8..24).prop_map(Step::Join),
        5 => (0_u8..24).prop_map(Step::Leave),
        2 => (0_u64..50).prop_map(Step::Tick),
        8 => Just(Step::Broker),
        1 => Just(Step::Lost),
    ]
}

/// A broker with a queue of requests.
#[derive(Default)]
struct Broker {
    asked: VecDeque<Act>,
    wanted: HashSet<BindingKey>,
    bound: HashSet<BindingKey>,
}

impl Broker {
    fn ask(&mut self, acts: Vec<Act>) {
        for act in acts {
            match &act {
                Act::Bind(key) => {
                    assert!(self.wanted.insert(key.clone()), "bound twice: {key:?}");
                }
                Act::Unbind(key) => {
                    assert!(self.wanted.remove(key), "unbound what is not: {key:?}");
                }
                Act::Recheck(_) | Act::Close(_) => continue,
            }
            self.asked.push_back(act);
        }
    }

    fn work(&mut self, binder: &mut Binder) -> bool {
        let acts = match self.asked.pop_front() {
            Some(Act::Bind(key)) => {
                self.bound.insert(key.clone());
                binder.bound(&key)
            }
            Some(Act::Unbind(key)) => {
                self.bound.remove(&key);
                binder.unbound(&key)
            }
            _ => return false,
        };
        self.ask(acts);
        true
    }

    fn lose(&mut self, binder: &mut Binder) {
        self.asked.clear();
        self.bound.clear();
        let acts = binder.lost();
        self.ask(acts);
        self.asked.clear();
        self.bound = self.wanted.clone();
        let acts = binder.restored();
        self.ask(acts);
    }
}

proptest! {
    #[test]
    fn every_held_room_ends_up_bound_and_nothing_else(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut binder = Binder::new(8, 30);
        let mut broker = Broker::default();
        let mut members = HashSet::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Join(n) => if members.insert(n) {
                    broker.ask(binder.join(&room(&format!("r{n}"))));
                },
                Step::Leave(n) => if members.remove(&n) {
                    binder.leave(&room(&format!("r{n}")), now);
                },
                Step::Tick(ms) => {
                    now += ms;
                    broker.ask(binder.tick(now));
                }
                Step::Broker => { broker.work(&mut binder); }
                Step::Lost => broker.lose(&mut binder),
            }
        }
        // Time passes and the broker does all that it was asked for.
        for _ in 0..3 {
            now += 1_000;
            broker.ask(binder.tick(now));
            while broker.work(&mut binder) {}
        }
        for n in 0..24 {
            let room = room(&format!("r{n}"));
            let own = broker.bound.contains(&BindingKey::Room(room.clone()));
            let by_shard = broker.bound.contains(&BindingKey::Shard(room.shard()));
            prop_assert_eq!(own || by_shard, members.contains(&n) || by_shard);
            if members.contains(&n) {
                prop_assert_eq!(binder.state(&room), RoomState::Bound);
            } else {
                prop_assert_eq!(binder.state(&room), RoomState::Unbound);
                prop_assert!(!own);
            }
        }
        let shards: HashSet<Shard> =
            members.iter().map(|n| room(&format!("r{n}")).shard()).collect();
        for key in &broker.bound {
            if let BindingKey::Shard(shard) = key {
                prop_assert!(binder.by_shard() && shards.contains(shard), "{:?} stays", key);
            }
        }
    }
}
