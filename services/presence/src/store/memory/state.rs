//! The state of the memory store: leases with their entries, and what follows from them.
//!
//! Keeps one invariant: a principal's figure in `rooms` is the number of its entries in that room
//! over all leases that were not swept, live or not. From it follow who was first and who is last.
use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    ConnectionId, Departure, GatewayId, Incarnation, JoinLeave, LeaseId, PresenceBatch,
    PresenceChange, PrincipalId, RoomName, Signal, Who,
};
use rpc::presence::LeaseState;
use tokio::time::Instant;

use crate::store::{Applied, Terms, Told};

/// Everything that the store holds.
pub(super) struct State {
    pub(super) terms: Terms,
    /// Not yet swept, live or not.
    pub(super) leases: BTreeMap<LeaseId, LeaseRow>,
    /// Entries of a principal in a room, over all leases above.
    pub(super) rooms: HashMap<RoomName, HashMap<PrincipalId, u64>>,
    /// Leaves that are held back: when due, and who.
    pub(super) holds: HashMap<(RoomName, PrincipalId), (Instant, Who)>,
    /// Leaves that were told when a gateway's lease was swept, and until when that is remembered.
    pub(super) gone: HashMap<GatewayId, (Instant, HashSet<Gone>)>,
    pub(super) swept_at: Instant,
    pub(super) calm_until: Instant,
}

/// A lease and what is under it.
pub(super) struct LeaseRow {
    pub(super) gateway: GatewayId,
    pub(super) incarnation: Incarnation,
    pub(super) peer_url: Option<String>,
    /// Before that, nothing of it is swept.
    pub(super) lapses_at: Instant,
    /// No younger lease of the gateway was opened, and it was not closed.
    pub(super) current: bool,
    pub(super) closed: bool,
    number: u64,
    pub(super) connections: HashMap<ConnectionId, Who>,
    pub(super) rooms: HashMap<RoomName, HashMap<ConnectionId, Entry>>,
}

/// A connection in a room.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) who: Who,
    pub(super) mode: JoinLeave,
}

/// Whose leave was told.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Gone {
    Connection(RoomName, ConnectionId),
    Principal(RoomName, PrincipalId),
}

impl LeaseRow {
    pub(super) fn live(&self, now: Instant) -> bool {
        self.current && self.lapses_at > now
    }
}

impl State {
    pub(super) fn new(terms: Terms, now: Instant) -> Self {
        Self {
            terms,
            leases: BTreeMap::new(),
            rooms: HashMap::new(),
            holds: HashMap::new(),
            gone: HashMap::new(),
            swept_at: now,
            calm_until: now,
        }
    }

    pub(super) fn open(
        &mut self,
        (gateway, incarnation, peer_url): (GatewayId, Incarnation, Option<String>),
        lease: LeaseId,
        now: Instant,
    ) {
        let lapses_at = now + self.terms.ttl;
        for row in self.leases.values_mut().filter(|row| row.gateway == gateway) {
            row.current = false;
            if row.incarnation == incarnation {
                row.lapses_at = lapses_at;
            }
        }
        let row = LeaseRow {
            gateway,
            incarnation,
            peer_url,
            lapses_at,
            current: true,
            closed: false,
            number: 0,
            connections: HashMap::new(),
            rooms: HashMap::new(),
        };
        self.leases.insert(lease, row);
    }

    pub(super) fn renew(&mut self, lease: LeaseId, now: Instant) -> LeaseState {
        match self.leases.get_mut(&lease) {
            Some(row) if row.live(now) => {
                row.lapses_at = now + self.terms.ttl;
                LeaseState::Held
            }
            _ => LeaseState::Lost,
        }
    }

    pub(super) fn close(&mut self, lease: LeaseId) {
        if let Some(row) = self.leases.get_mut(&lease) {
            row.current = false;
            row.closed = true;
        }
    }

    pub(super) fn apply(&mut self, lease: LeaseId, batch: &PresenceBatch, now: Instant) -> Applied {
        let mut applied = Applied { state: LeaseState::Lost, told: Vec::new() };
        let Some(row) = self.leases.get_mut(&lease).filter(|row| row.live(now)) else {
            return applied;
        };
        if batch.number > row.number + 1 {
            return applied;
        }
        applied.state = LeaseState::Held;
        if batch.number <= row.number {
            return applied;
        }
        row.number = batch.number;
        for change in &batch.changes {
            if let Some(told) = self.change(lease, change, batch.announce, now) {
                applied.told.push(told);
            }
        }
        applied
    }

    fn change(
        &mut self,
        lease: LeaseId,
        change: &PresenceChange,
        announce: bool,
        now: Instant,
    ) -> Option<Told> {
        match change {
            PresenceChange::Connected(who) => {
                self.move_over(lease, |row| {
                    row.connections.remove(&who.connection);
                });
                let row = self.leases.get_mut(&lease)?;
                row.connections.entry(who.connection).or_insert_with(|| who.clone());
                None
            }
            PresenceChange::Disconnected(connection) => {
                self.leases.get_mut(&lease)?.connections.remove(connection);
                None
            }
            PresenceChange::Entered { room, who, join_leave } => {
                let signal = self.enter(lease, room, who, *join_leave, announce)?;
                Some(Told { room: room.clone(), signal })
            }
            PresenceChange::Left { room, connection, departure } => {
                let signal = self.leave(lease, room, *connection, *departure, now)?;
                Some(Told { room: room.clone(), signal })
            }
        }
    }

    fn enter(
        &mut self,
        lease: LeaseId,
        room: &RoomName,
        who: &Who,
        mode: JoinLeave,
        announce: bool,
    ) -> Option<Signal> {
        let row = self.leases.get_mut(&lease)?;
        let gateway = row.gateway.clone();
        let entries = row.rooms.entry(room.clone()).or_default();
        if entries.contains_key(&who.connection) {
            return None;
        }
        entries.insert(who.connection, Entry { who: who.clone(), mode });
        let count = self.rooms.entry(room.clone()).or_default().entry(who.id.clone()).or_default();
        *count += 1;
        let first = *count == 1;
        if self.take_older(lease, room, who.connection) {
            return None;
        }
        let join = || Some(Signal::Join(who.clone()));
        match mode {
            JoinLeave::Off => None,
            JoinLeave::Connection => {
                let gone = Gone::Connection(room.clone(), who.connection);
                if self.was_told(&gateway, &gone) || announce { join() } else { None }
            }
            JoinLeave::User => {
                let held = self.holds.remove(&(room.clone(), who.id.clone())).is_some();
                if !first || held {
                    return None;
                }
                let gone = Gone::Principal(room.clone(), who.id.clone());
                if self.was_told(&gateway, &gone) || announce { join() } else { None }
            }
        }
    }

    fn leave(
        &mut self,
        lease: LeaseId,
        room: &RoomName,
        connection: ConnectionId,
        departure: Departure,
        now: Instant,
    ) -> Option<Signal> {
        let (entry, left) = self.take(lease, room, connection)?;
        match (entry.mode, departure) {
            (JoinLeave::Off, _) => None,
            (JoinLeave::Connection, _) => Some(Signal::Leave(entry.who)),
            (JoinLeave::User, _) if left > 0 => None,
            (JoinLeave::User, Departure::Clean) => Some(Signal::Leave(entry.who)),
            (JoinLeave::User, Departure::Lost) => {
                let due = now + self.terms.hold;
                self.holds.insert((room.clone(), entry.who.id.clone()), (due, entry.who));
                None
            }
        }
    }

    /// Takes an entry out; tells how many entries its principal still has in the room.
    pub(super) fn take(
        &mut self,
        lease: LeaseId,
        room: &RoomName,
        connection: ConnectionId,
    ) -> Option<(Entry, u64)> {
        let row = self.leases.get_mut(&lease)?;
        let entries = row.rooms.get_mut(room)?;
        let entry = entries.remove(&connection)?;
        if entries.is_empty() {
            row.rooms.remove(room);
        }
        let users = self.rooms.get_mut(room)?;
        let count = users.get_mut(&entry.who.id)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            users.remove(&entry.who.id);
        }
        if users.is_empty() {
            self.rooms.remove(room);
        }
        Some((entry, left))
    }

    /// Takes the same connection's entry out of older leases of the same gateway.
    fn take_older(&mut self, lease: LeaseId, room: &RoomName, connection: ConnectionId) -> bool {
        let older = self.older(lease);
        older.into_iter().any(|old| self.take(old, room, connection).is_some())
    }

    fn move_over(&mut self, lease: LeaseId, out: impl Fn(&mut LeaseRow)) {
        for old in self.older(lease) {
            if let Some(row) = self.leases.get_mut(&old) {
                out(row);
            }
        }
    }

    fn older(&self, lease: LeaseId) -> Vec<LeaseId> {
        let Some(own) = self.leases.get(&lease) else { return Vec::new() };
        let same = |row: &LeaseRow| row.gateway == own.gateway && !row.current;
        self.leases.iter().filter(|(_, row)| same(row)).map(|(id, _)| *id).collect()
    }

    fn was_told(&mut self, gateway: &GatewayId, gone: &Gone) -> bool {
        self.gone.get_mut(gateway).is_some_and(|(_, set)| set.remove(gone))
    }
}
