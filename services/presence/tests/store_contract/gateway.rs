//! A gateway that speaks with a store.
use std::sync::Arc;

use domain::{GatewayId, Incarnation, LeaseId, PresenceBatch, PresenceChange};
use presence::store::{Applied, Store, Told};
use rpc::presence::LeaseState;

use crate::people::gateway;

/// A gateway that speaks with a store.
pub struct Gateway {
    pub store: Arc<dyn Store>,
    pub id: GatewayId,
    pub incarnation: Incarnation,
    pub lease: LeaseId,
    pub number: u64,
    pub peer_url: Option<String>,
}

impl Gateway {
    pub async fn open(store: &Arc<dyn Store>, name: &str) -> Self {
        let mut own = Self {
            store: store.clone(),
            id: gateway(name),
            incarnation: Incarnation::random(),
            lease: LeaseId::random(),
            number: 0,
            peer_url: None,
        };
        own.open_again().await;
        own
    }

    /// A new lease for the same life of the process.
    pub async fn open_again(&mut self) {
        (self.lease, self.number) = (LeaseId::random(), 0);
        let peer_url = self.peer_url.clone();
        self.store.open(self.id.clone(), self.incarnation, self.lease, peer_url).await.unwrap();
    }

    pub async fn apply(&mut self, changes: Vec<PresenceChange>) -> Vec<Told> {
        self.batch(true, changes).await
    }

    /// Registers without telling joins.
    pub async fn register(&mut self, changes: Vec<PresenceChange>) -> Vec<Told> {
        self.batch(false, changes).await
    }

    async fn batch(&mut self, announce: bool, changes: Vec<PresenceChange>) -> Vec<Told> {
        self.number += 1;
        let applied = self.send(self.number, announce, changes).await;
        assert_eq!(applied.state, LeaseState::Held);
        applied.told
    }

    pub async fn send(&self, number: u64, announce: bool, changes: Vec<PresenceChange>) -> Applied {
        let batch = PresenceBatch { number, announce, changes };
        self.store.apply(self.lease, &batch).await.unwrap()
    }

    pub async fn renew(&self) -> LeaseState {
        self.store.renew(self.lease).await.unwrap()
    }
}
