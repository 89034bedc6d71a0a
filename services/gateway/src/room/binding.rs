//! Which bindings the gateway wants at the broker, as a state machine without I/O.
//!
//! A room is unbound, binding, bound, lingering or unbinding; a join while it unbinds waits and
//! then binds. Above a cap of rooms whole shards are bound instead, and back again with
//! hysteresis. No order and no ack depends on any of it: heads repair what a binding misses.
use std::collections::{BTreeSet, HashMap};

use bus::BindingKey;
use domain::{RoomName, Shard};

/// Below this part of the cap the gateway goes back to rooms.
const BACK_BELOW_PERCENT: usize = 80;

/// The binding of one key, of a room or of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    Binding,
    Bound,
    Unbinding { wanted: bool },
}

/// Where a room stands, for those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomState {
    /// Not held.
    Unbound,
    /// Wanted, not yet bound.
    Binding,
    /// Bound, by itself or by its shard.
    Bound,
    /// Bound without members, for a while.
    Lingering,
    /// On its way out.
    Unbinding,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Ask the bus for a binding.
    Bind(BindingKey),
    /// Ask the bus to drop one.
    Unbind(BindingKey),
    /// A room was newly bound: look at its head again, now and a little later.
    Recheck(RoomName),
    /// A room was left for long enough: forget it.
    Close(RoomName),
}

/// A room that is held: with members, or lingering until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    linger_until: Option<u64>,
}

/// See the file's head. Times are milliseconds of any clock that only rises.
#[derive(Debug)]
pub struct Binder {
    cap: usize,
    linger_ms: u64,
    by_shard: bool,
    held: HashMap<RoomName, Held>,
    shards: HashMap<Shard, usize>,
    lingering: BTreeSet<(u64, RoomName)>,
    legs: HashMap<BindingKey, Leg>,
}

impl Binder {
    /// Nothing held.
    pub fn new(cap: usize, linger_ms: u64) -> Self {
        Self {
            cap,
            linger_ms,
            by_shard: false,
            held: HashMap::new(),
            shards: HashMap::new(),
            lingering: BTreeSet::new(),
            legs: HashMap::new(),
        }
    }

    /// Whether whole shards are bound now.
    pub fn by_shard(&self) -> bool {
        self.by_shard
    }

    /// Bindings asked for or standing.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Where a room stands.
    pub fn state(&self, room: &RoomName) -> RoomState {
        let own = self.legs.get(&BindingKey::Room(room.clone()));
        match self.held.get(room) {
            None if matches!(own, Some(Leg::Unbinding { .. })) => RoomState::Unbinding,
            None => RoomState::Unbound,
            Some(Held { linger_until: Some(_) }) => RoomState::Lingering,
            Some(_) if self.covered(room) => RoomState::Bound,
            Some(_) => RoomState::Binding,
        }
    }

    /// The first local member of a room came.
    pub fn join(&mut self, room: &RoomName) -> Vec<Act> {
        if let Some(held) = self.held.get_mut(room) {
            if let Some(until) = held.linger_until.take() {
                self.lingering.remove(&(until, room.clone()));
            }
            return Vec::new();
        }
        self.held.insert(room.clone(), Held { linger_until: None });
        *self.shards.entry(room.shard()).or_default() += 1;
        let mut acts = Vec::new();
        if !self.by_shard && self.held.len() > self.cap {
            self.go_to_shards(&mut acts);
        } else {
            let key = self.key(room);
            // A shard that stands already needs no bind, but the room is new: look at its head.
            if !self.want(key, &mut acts) {
                acts.push(Act::Recheck(room.clone()));
            }
        }
        acts
    }

    /// The last local member of a room left.
    pub fn leave(&mut self, room: &RoomName, now: u64) {
        let until = now + self.linger_ms;
        if let Some(held) = self.held.get_mut(room)
            && held.linger_until.is_none()
        {
            held.linger_until = Some(until);
            self.lingering.insert((until, room.clone()));
        }
    }

    /// Time passed: rooms that lingered long enough go.
    pub fn tick(&mut self, now: u64) -> Vec<Act> {
        let mut acts = Vec::new();
        while self.lingering.first().is_some_and(|(until, _)| *until <= now) {
            let Some((_, room)) = self.lingering.pop_first() else { break };
            self.forget(&room, &mut acts);
        }
        if self.by_shard && self.held.len() * 100 < self.cap * BACK_BELOW_PERCENT {
            self.go_to_rooms(&mut acts);
        }
        acts
    }

    /// The room was not empty after all: hold it again, as a join would.
    pub fn revive(&mut self, room: &RoomName) -> Vec<Act> {
        self.join(room)
    }

    /// The broker has a binding.
    pub fn bound(&mut self, key: &BindingKey) -> Vec<Act> {
        let mut acts = Vec::new();
        match self.legs.get_mut(key) {
            Some(leg @ Leg::Binding) => *leg = Leg::Bound,
            // Not wanted any more, or told twice.
            _ => return acts,
        }
        match key {
            BindingKey::Room(room) => {
                acts.push(Act::Recheck(room.clone()));
                self.drop_shard_if_served(room.shard(), &mut acts);
            }
            BindingKey::Shard(shard) => {
                let rooms: Vec<_> =
                    self.held.keys().filter(|room| room.shard() == *shard).cloned().collect();
                for room in rooms {
                    if self.by_shard {
                        self.drop(BindingKey::Room(room.clone()), &mut acts);
                    }
                    acts.push(Act::Recheck(room));
                }
            }
        }
        acts
    }

    /// The broker dropped a binding as asked.
    pub fn unbound(&mut self, key: &BindingKey) -> Vec<Act> {
        let mut acts = Vec::new();
        match self.legs.get(key) {
            Some(Leg::Unbinding { wanted: true }) => {
                self.legs.insert(key.clone(), Leg::Binding);
                acts.push(Act::Bind(key.clone()));
            }
            Some(Leg::Unbinding { wanted: false }) => {
                self.legs.remove(key);
            }
            _ => {}
        }
        acts
    }

    /// The queue was lost with all its bindings; the bus makes the wanted ones again by itself.
    pub fn lost(&mut self) -> Vec<Act> {
        let acts = self.finish_unbinding();
        for leg in self.legs.values_mut().filter(|leg| **leg == Leg::Bound) {
            *leg = Leg::Binding;
        }
        acts
    }

    /// The queue is there again with every wanted binding.
    pub fn restored(&mut self) -> Vec<Act> {
        let mut acts = self.finish_unbinding();
        let binding: Vec<_> = self
            .legs
            .iter()
            .filter(|(_, leg)| **leg == Leg::Binding)
            .map(|(key, _)| key.clone())
            .collect();
        acts.extend(binding.iter().flat_map(|key| self.bound(key)).collect::<Vec<_>>());
        acts
    }

    /// The gateway goes: drop everything.
    pub fn drop_all(&mut self) -> Vec<Act> {
        let mut acts = Vec::new();
        let keys: Vec<_> = self.legs.keys().cloned().collect();
        for key in keys {
            self.drop(key, &mut acts);
        }
        acts
    }

    /// What was on its way out of a queue that is gone, is out.
    fn finish_unbinding(&mut self) -> Vec<Act> {
        let leaving: Vec<_> = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg, Leg::Unbinding { .. }))
            .map(|(key, _)| key.clone())
            .collect();
        leaving.iter().flat_map(|key| self.unbound(key)).collect()
    }

    fn key(&self, room: &RoomName) -> BindingKey {
        if self.by_shard { BindingKey::Shard(room.shard()) } else { BindingKey::Room(room.clone()) }
    }

    fn covered(&self, room: &RoomName) -> bool {
        let stands = |key: BindingKey| self.legs.get(&key) == Some(&Leg::Bound);
        stands(BindingKey::Room(room.clone())) || stands(BindingKey::Shard(room.shard()))
    }

    /// Whether the key was not wanted before, so that `bound` will tell of it.
    fn want(&mut self, key: BindingKey, acts: &mut Vec<Act>) -> bool {
        match self.legs.get_mut(&key) {
            None => {
                self.legs.insert(key.clone(), Leg::Binding);
                acts.push(Act::Bind(key));
                true
            }
            Some(Leg::Unbinding { wanted }) => {
                *wanted = true;
                true
            }
            Some(Leg::Binding) => true,
            Some(Leg::Bound) => false,
        }
    }

    fn drop(&mut self, key: BindingKey, acts: &mut Vec<Act>) {
        match self.legs.get_mut(&key) {
            None => {}
            Some(Leg::Unbinding { wanted }) => *wanted = false,
            Some(leg) => {
                *leg = Leg::Unbinding { wanted: false };
                acts.push(Act::Unbind(key));
            }
        }
    }

    fn forget(&mut self, room: &RoomName, acts: &mut Vec<Act>) {
        self.held.remove(room);
        self.drop(BindingKey::Room(room.clone()), acts);
        let shard = room.shard();
        if let Some(rooms) = self.shards.get_mut(&shard) {
            *rooms -= 1;
            if *rooms == 0 {
                self.shards.remove(&shard);
                self.drop(BindingKey::Shard(shard), acts);
            }
        }
        acts.push(Act::Close(room.clone()));
    }

    fn go_to_shards(&mut self, acts: &mut Vec<Act>) {
        self.by_shard = true;
        let shards: Vec<Shard> = self.shards.keys().copied().collect();
        for shard in shards {
            // A shard that stands from before drops its rooms' own bindings at once.
            if !self.want(BindingKey::Shard(shard), acts) {
                self.legs.insert(BindingKey::Shard(shard), Leg::Binding);
                acts.extend(self.bound(&BindingKey::Shard(shard)));
            }
        }
    }

    fn go_to_rooms(&mut self, acts: &mut Vec<Act>) {
        self.by_shard = false;
        let rooms: Vec<RoomName> = self.held.keys().cloned().collect();
        for room in rooms {
            self.want(BindingKey::Room(room), acts);
        }
        let shards: Vec<Shard> = self.shards.keys().copied().collect();
        for shard in shards {
            self.drop_shard_if_served(shard, acts);
        }
    }

    /// Back at rooms, a shard's binding goes when each of its rooms is bound by itself.
    fn drop_shard_if_served(&mut self, shard: Shard, acts: &mut Vec<Act>) {
        if self.by_shard || !self.legs.contains_key(&BindingKey::Shard(shard)) {
            return;
        }
        let own = |room: &RoomName| self.legs.get(&BindingKey::Room(room.clone()));
        let mut rooms = self.held.keys().filter(|room| room.shard() == shard);
        if rooms.all(|room| own(room) == Some(&Leg::Bound)) {
            self.drop(BindingKey::Shard(shard), acts);
        }
    }
}

#[cfg(test)]
#[path = "binding_tests.rs"]
mod tests;
