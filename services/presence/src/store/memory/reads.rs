//! What the memory store tells of its live leases: entries and counts.
//!
//! Counts walk the entries: cheap for what one process holds, and asked for seldom, since the
//! tracker keeps them for a moment.
use std::collections::HashSet;

use domain::{
    GatewayInfo, PresenceCounts, PresenceEntry, PresenceTotals, PrincipalId, RoomName, Who,
};
use tokio::time::Instant;

use super::state::{LeaseRow, State};

impl State {
    fn live(&self, now: Instant) -> impl Iterator<Item = &LeaseRow> {
        self.leases.values().filter(move |row| row.live(now))
    }

    pub(super) fn room(&self, room: &RoomName, limit: u32, now: Instant) -> Vec<PresenceEntry> {
        let entry = |row: &LeaseRow, who: &Who| PresenceEntry {
            who: who.clone(),
            gateway: row.gateway.clone(),
        };
        self.live(now)
            .flat_map(|row| row.rooms.get(room).map(|entries| (row, entries)))
            .flat_map(|(row, entries)| entries.values().map(move |one| entry(row, &one.who)))
            .take(limit as usize)
            .collect()
    }

    pub(super) fn room_counts(&self, room: &RoomName, now: Instant) -> PresenceCounts {
        let entries = self.live(now).filter_map(|row| row.rooms.get(room));
        let (mut connections, mut principals) = (0, HashSet::new());
        for entries in entries {
            connections += entries.len() as u64;
            principals.extend(entries.values().map(|entry| &entry.who.id));
        }
        PresenceCounts { connections, principals: principals.len() as u64 }
    }

    pub(super) fn totals(&self, now: Instant) -> PresenceTotals {
        let mut totals = PresenceTotals::default();
        let mut principals = HashSet::new();
        for row in self.live(now) {
            totals.gateways += 1;
            totals.connections += row.connections.len() as u64;
            principals.extend(row.connections.values().map(|who| &who.id));
        }
        totals.principals = principals.len() as u64;
        totals
    }

    pub(super) fn gateways(&self, now: Instant) -> Vec<GatewayInfo> {
        let info = |row: &LeaseRow| GatewayInfo {
            gateway: row.gateway.clone(),
            incarnation: row.incarnation,
            connections: row.connections.len() as u64,
            peer_url: row.peer_url.clone(),
        };
        self.live(now).map(info).collect()
    }

    pub(super) fn connections(
        &self,
        principal: &PrincipalId,
        limit: u32,
        now: Instant,
    ) -> Vec<PresenceEntry> {
        self.live(now)
            .flat_map(|row| row.connections.values().map(move |who| (row, who)))
            .filter(|(_, who)| who.id == *principal)
            .map(|(row, who)| PresenceEntry { who: who.clone(), gateway: row.gateway.clone() })
            .take(limit as usize)
            .collect()
    }
}
