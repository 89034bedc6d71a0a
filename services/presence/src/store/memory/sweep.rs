//! The memory store's turn of tidying: entries of dead leases, and held leaves that are due.
use std::collections::HashSet;

use domain::{ConnectionId, JoinLeave, LeaseId, RoomName, Signal};
use tokio::time::Instant;

use super::state::{Entry, Gone, LeaseRow, State};
use crate::store::{Swept, Told};

impl State {
    pub(super) fn sweep(&mut self, only: Option<LeaseId>, limit: u32, now: Instant) -> Swept {
        let mut swept = Swept::default();
        if only.is_none() {
            self.notice_absence(now);
            self.gone.retain(|_, (until, _)| *until > now);
        }
        let calm = self.calm_until > now;
        let ready = |row: &LeaseRow| row.closed || (row.lapses_at <= now && !calm);
        let wanted = |lease: &LeaseId| only.is_none_or(|only| only == *lease);
        let dead: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(id, row)| wanted(id) && ready(row))
            .map(|(id, _)| *id)
            .collect();
        let mut budget = u64::from(limit);
        for lease in dead {
            self.sweep_lease(lease, &mut budget, &mut swept, now);
        }
        if only.is_none() && !calm {
            self.sweep_holds(u64::from(limit), &mut swept, now);
        }
        swept
    }

    /// A pause of the sweeper means that gateways could not renew either (the process stood still).
    fn notice_absence(&mut self, now: Instant) {
        let away = now.duration_since(self.swept_at) > self.terms.absence();
        if away && !(self.leases.is_empty() && self.holds.is_empty()) {
            self.calm_until = now + self.terms.ttl;
        }
        self.swept_at = now;
    }

    fn sweep_lease(&mut self, lease: LeaseId, budget: &mut u64, swept: &mut Swept, now: Instant) {
        let Some(row) = self.leases.get_mut(&lease) else { return };
        let room_count = *budget as usize;
        let doomed: Vec<(RoomName, ConnectionId)> = row
            .rooms
            .iter()
            .flat_map(|(room, entries)| entries.keys().map(move |id| (room.clone(), *id)))
            .take(room_count)
            .collect();
        *budget -= doomed.len() as u64;
        swept.taken += doomed.len() as u64;
        for (room, connection) in doomed {
            if let Some((entry, left)) = self.take(lease, &room, connection) {
                self.tell_leave(lease, room, entry, left, swept, now);
            }
        }
        let Some(row) = self.leases.get_mut(&lease) else { return };
        let connections: Vec<_> = row.connections.keys().copied().take(*budget as usize).collect();
        *budget -= connections.len() as u64;
        swept.taken += connections.len() as u64;
        for connection in connections {
            row.connections.remove(&connection);
        }
        if row.rooms.is_empty() && row.connections.is_empty() {
            self.leases.remove(&lease);
        } else {
            swept.more = true;
        }
    }

    fn tell_leave(
        &mut self,
        lease: LeaseId,
        room: RoomName,
        entry: Entry,
        left: u64,
        swept: &mut Swept,
        now: Instant,
    ) {
        let gone = match entry.mode {
            JoinLeave::Connection => Gone::Connection(room.clone(), entry.who.connection),
            JoinLeave::User if left == 0 => Gone::Principal(room.clone(), entry.who.id.clone()),
            JoinLeave::User | JoinLeave::Off => return,
        };
        let until = now + self.terms.remembrance();
        if let Some(row) = self.leases.get(&lease).filter(|row| !row.closed) {
            let fresh = || (until, HashSet::new());
            let told = self.gone.entry(row.gateway.clone()).or_insert_with(fresh);
            told.0 = until;
            told.1.insert(gone);
        }
        swept.told.push(Told { room, signal: Signal::Leave(entry.who) });
    }

    fn sweep_holds(&mut self, limit: u64, swept: &mut Swept, now: Instant) {
        let due: Vec<_> = self
            .holds
            .iter()
            .filter(|(_, (due, _))| *due <= now)
            .map(|(key, _)| key.clone())
            .take(limit as usize)
            .collect();
        swept.more |= due.len() as u64 == limit;
        swept.taken += due.len() as u64;
        for key in due {
            if let Some((_, who)) = self.holds.remove(&key) {
                swept.told.push(Told { room: key.0, signal: Signal::Leave(who) });
            }
        }
    }
}
