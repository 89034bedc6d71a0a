//! Presence that notes what it is told, under the one lease of its gateway.
//!
//! It tells nobody of joins and leaves. Several stand beside each other for several gateways, and
//! then know each other's leases.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ConnectionId, GatewayId, GatewayInfo, Incarnation, LeaseId, PresenceBatch, PresenceChange,
    PresenceCounts, PresenceEntry, PresenceTotals, PrincipalId, Result, RoomName, Who,
};
use parking_lot::Mutex;
use rpc::Call;
use rpc::presence::{Lease, LeaseState, Presence};

use super::id_of;

/// Notes what it is told under its one lease.
#[derive(Default)]
pub struct FakePresence {
    state: Mutex<Told>,
    /// While it is held, counts are not answered.
    pub frozen: tokio::sync::Mutex<()>,
    leases: Arc<Mutex<HashMap<LeaseId, GatewayInfo>>>,
    /// How often it was asked which gateways there are.
    pub gateways_asked: AtomicUsize,
}

#[derive(Default)]
struct Told {
    lease: Option<LeaseId>,
    next: u64,
    here: HashMap<ConnectionId, Who>,
    rooms: HashMap<(RoomName, ConnectionId), Who>,
    announced: usize,
    silent: usize,
}

impl FakePresence {
    /// Another one, for another gateway; they know each other's leases.
    pub fn beside(&self) -> Self {
        Self { leases: self.leases.clone(), ..Self::default() }
    }

    /// Forgets everything, as a store that lost its data.
    pub fn flush_all(&self) {
        *self.state.lock() = Told::default();
    }

    /// Puts strangers into a room who show `json`.
    pub fn crowd(&self, room: &str, count: usize, json: &Bytes) {
        let room = RoomName::parse(room).unwrap();
        let mut state = self.state.lock();
        for n in 0..count {
            let (id, name) = (id_of(&format!("stranger-{n}")), String::new());
            let (connection, info) = (ConnectionId::random(), json.clone());
            let who = Who { id, name, info, room_info: Bytes::new(), connection };
            state.rooms.insert((room.clone(), connection), who);
        }
    }

    /// Connections here.
    pub fn here(&self) -> usize {
        self.state.lock().here.len()
    }

    /// Entries told as joins, and those registered silently.
    pub fn entered(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.announced, state.silent)
    }

    fn entries(&self, room: &RoomName) -> Vec<PresenceEntry> {
        let gateway = GatewayId::parse("g1").unwrap();
        let state = self.state.lock();
        let inside = state.rooms.iter().filter(|((name, _), _)| name == room);
        inside
            .map(|(_, who)| PresenceEntry { who: who.clone(), gateway: gateway.clone() })
            .collect()
    }
}

#[async_trait]
impl Presence for FakePresence {
    async fn open_lease(
        &self,
        _: Call,
        gateway: GatewayId,
        incarnation: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease> {
        let mut state = self.state.lock();
        let id = LeaseId::random();
        let info = GatewayInfo { gateway, incarnation, connections: 0, peer_url };
        self.leases.lock().insert(id, info);
        *state = Told { lease: Some(id), next: 1, ..Told::default() };
        Ok(Lease { id, ttl_ms: 1_000, renew_ms: 300 })
    }

    async fn renew_lease(&self, _: Call, lease: LeaseId) -> Result<LeaseState> {
        let held = self.state.lock().lease == Some(lease);
        Ok(if held { LeaseState::Held } else { LeaseState::Lost })
    }

    async fn close_lease(&self, _: Call, lease: LeaseId) -> Result<()> {
        self.leases.lock().remove(&lease);
        *self.state.lock() = Told::default();
        Ok(())
    }

    async fn apply(&self, _: Call, lease: LeaseId, batch: PresenceBatch) -> Result<LeaseState> {
        let mut state = self.state.lock();
        if state.lease != Some(lease) || batch.number != state.next {
            return Ok(LeaseState::Lost);
        }
        state.next += 1;
        for change in batch.changes {
            match change {
                PresenceChange::Connected(who) => {
                    state.here.insert(who.connection, who);
                }
                PresenceChange::Disconnected(connection) => {
                    state.here.remove(&connection);
                }
                PresenceChange::Entered { room, who, .. } => {
                    let silent = usize::from(!batch.announce);
                    state.silent += silent;
                    state.announced += 1 - silent;
                    state.rooms.insert((room, who.connection), who);
                }
                PresenceChange::Left { room, connection, .. } => {
                    state.rooms.remove(&(room, connection));
                }
            }
        }
        Ok(LeaseState::Held)
    }

    async fn room(&self, _: Call, room: RoomName, _: u32) -> Result<Vec<PresenceEntry>> {
        Ok(self.entries(&room))
    }

    async fn room_counts(&self, _: Call, room: RoomName) -> Result<PresenceCounts> {
        let _thawed = self.frozen.lock().await;
        let connections = self.entries(&room).len() as u64;
        Ok(PresenceCounts { connections, principals: connections })
    }

    async fn totals(&self, _: Call) -> Result<PresenceTotals> {
        let connections = self.here() as u64;
        Ok(PresenceTotals { connections, principals: connections, gateways: 1 })
    }

    async fn gateways(&self, _: Call) -> Result<Vec<GatewayInfo>> {
        self.gateways_asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.leases.lock().values().cloned().collect())
    }

    async fn connections(&self, _: Call, _: PrincipalId) -> Result<Vec<PresenceEntry>> {
        Ok(Vec::new())
    }
}
