//! Who is where: batches of gateways in, entries and counts out.
//!
//! A room's entries are read anew at each call, so that a member sees itself at once. Counts may be
//! `counts_age_ms` old, but never miss a change that came through this pod. Every wait
//! ends with the call's deadline; a store that cannot be asked is `Unavailable`.
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Error, ErrorReason, GatewayInfo, LeaseId, PresenceBatch, PresenceChange, PresenceCounts,
    PresenceEntry, PresenceTotals, PrincipalId, Result, RoomName,
};
use rpc::Call;
use rpc::presence::LeaseState;
use tokio::time::timeout_at;

use crate::announce::Announcer;
use crate::config::PresenceConfig;
use crate::counts::Recent;
use crate::lease::Writes;
use crate::metrics;
use crate::store::Store;

/// About what the entries of one answer may take, in bytes: a call carries little more.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;
/// About what an entry takes beside its texts, in bytes.
const ENTRY_BYTES: usize = 96;

/// Follows who comes and goes.
pub(crate) struct Tracker {
    store: Arc<dyn Store>,
    announcer: Announcer,
    writes: Writes,
    counts: Arc<Recent<RoomName, PresenceCounts>>,
    totals: Recent<(), PresenceTotals>,
    entries_max: u32,
    changes_max: usize,
}

impl Tracker {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        announcer: Announcer,
        writes: Writes,
        config: &PresenceConfig,
    ) -> Self {
        let age = Duration::from_millis(config.counts_age_ms);
        Self {
            store,
            announcer,
            writes,
            counts: Arc::new(Recent::new(age, config.counts_rooms_max)),
            totals: Recent::new(age, 1),
            entries_max: config.entries_max,
            changes_max: config.changes_max,
        }
    }

    pub(crate) async fn apply(
        &self,
        call: Call,
        lease: LeaseId,
        batch: PresenceBatch,
    ) -> Result<LeaseState> {
        if batch.changes.len() > self.changes_max {
            let text = format!("a batch has at most {} changes", self.changes_max);
            return Err(Error::new(ErrorReason::LimitExceeded, text));
        }
        let (store, announcer, counts) =
            (self.store.clone(), self.announcer.clone(), self.counts.clone());
        let write = async move {
            let applied = store.apply(lease, &batch).await;
            // Also after a failure: it may have taken effect.
            for room in rooms_of(&batch) {
                counts.forget(room);
            }
            let applied = applied?;
            metrics::batch(batch.changes.len());
            metrics::lease_state(applied.state);
            announcer.tell(applied.told);
            Ok(applied.state)
        };
        self.writes.run(call, write).await
    }

    pub(crate) async fn room(
        &self,
        call: Call,
        room: RoomName,
        limit: u32,
    ) -> Result<Vec<PresenceEntry>> {
        let entries = self.store.room(&room, limit.min(self.entries_max));
        in_time(call, entries).await.map(fitting)
    }

    pub(crate) async fn room_counts(&self, call: Call, room: RoomName) -> Result<PresenceCounts> {
        let name = room.clone();
        in_time(call, self.counts.get(name, self.store.room_counts(&room))).await
    }

    pub(crate) async fn totals(&self, call: Call) -> Result<PresenceTotals> {
        in_time(call, self.totals.get((), self.store.totals())).await
    }

    pub(crate) async fn gateways(&self, call: Call) -> Result<Vec<GatewayInfo>> {
        in_time(call, self.store.gateways()).await
    }

    pub(crate) async fn connections(
        &self,
        call: Call,
        principal: PrincipalId,
    ) -> Result<Vec<PresenceEntry>> {
        in_time(call, self.store.connections(&principal, self.entries_max)).await.map(fitting)
    }
}

/// As many entries as one answer carries.
fn fitting(mut entries: Vec<PresenceEntry>) -> Vec<PresenceEntry> {
    let mut bytes = 0;
    let fits = |entry: &&PresenceEntry| {
        let PresenceEntry { who, gateway } = entry;
        let id = who.id.issuer.len() + who.id.subject.len();
        bytes += ENTRY_BYTES + who.bytes() + id + gateway.as_str().len();
        bytes <= ANSWER_BYTES_MAX
    };
    let count = entries.iter().take_while(fits).count();
    entries.truncate(count);
    entries
}

fn rooms_of(batch: &PresenceBatch) -> HashSet<&RoomName> {
    let mut rooms = HashSet::new();
    for change in &batch.changes {
        match change {
            PresenceChange::Entered { room, .. } | PresenceChange::Left { room, .. } => {
                rooms.insert(room);
            }
            PresenceChange::Connected(_) | PresenceChange::Disconnected(_) => {}
        }
    }
    rooms
}

async fn in_time<T>(call: Call, read: impl Future<Output = Result<T>>) -> Result<T> {
    timeout_at(call.deadline.0, read)
        .await
        .unwrap_or_else(|_| Err(Error::unavailable("the presence store did not answer in time")))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::{ConnectionId, GatewayId, INFO_BYTES_MAX, Who};

    use super::*;

    #[test]
    fn an_answer_has_no_more_than_a_call_carries() {
        let entries = |count, shown: &Bytes| {
            let entry = |n| PresenceEntry {
                who: Who {
                    id: PrincipalId::new("https://issuer", format!("s-{n}")),
                    name: "Ann".to_owned(),
                    info: shown.clone(),
                    room_info: shown.clone(),
                    connection: ConnectionId::random(),
                },
                gateway: GatewayId::parse("gw-1").unwrap(),
            };
            (0..count).map(entry).collect::<Vec<_>>()
        };
        assert_eq!(fitting(entries(10_000, &Bytes::new())).len(), 10_000);
        let most = Bytes::from(vec![b'1'; INFO_BYTES_MAX]);
        let fit = fitting(entries(10_000, &most)).len();
        assert!((300..400).contains(&fit), "{fit}");
    }
}
