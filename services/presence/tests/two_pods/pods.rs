//! Two presence services that share a Redis and a bus, and gateways that speak with one of them.
use std::sync::Arc;
use std::time::Duration;

use domain::{
    ErrorReason, GatewayId, Incarnation, LeaseId, PresenceBatch, PresenceChange, PresenceCounts,
    Result, Who,
};
use presence::store::Told;
use presence::{PresenceConfig, PresenceService};
use rpc::Call;
use rpc::presence::{LeaseState, Presence};
use runtime::config::Secret;
use testkit::parts::Redis;
use testkit::poll::until;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::people::{gateway, room};
use crate::recorder::Recorder;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A call whose caller waits for long.
pub fn call() -> Call {
    Call::within(PATIENCE)
}

pub struct Pods<R = Redis> {
    pub redis: R,
    config: PresenceConfig,
    bus: Arc<Recorder>,
    pods: Vec<Arc<PresenceService>>,
    _shutdown: DropGuard,
}

pub struct Gateway {
    pod: Arc<PresenceService>,
    pub id: GatewayId,
    pub incarnation: Incarnation,
    pub lease: LeaseId,
}

impl Pods {
    /// Two services on a Redis of their own.
    pub async fn start() -> Self {
        Self::with_leases_of(config().lease_ttl_ms).await
    }

    /// The same, for tests in which no lease is to lapse however slow the machine is.
    pub async fn with_long_leases() -> Self {
        Self::with_leases_of(60_000).await
    }

    async fn with_leases_of(lease_ttl_ms: u64) -> Self {
        let redis = crate::redis().await;
        let store = Some(Secret::new(redis.url()));
        let config = PresenceConfig { store, lease_ttl_ms, ..config() };
        Pods::on(redis, config, 2).await
    }

    /// Calls that may be answered by a figure that is still fresh are not after this.
    pub async fn forget_counts(&self) {
        tokio::time::sleep(Duration::from_millis(self.config.counts_age_ms)).await;
    }

    pub async fn everything_is_unavailable(&self, lease: LeaseId, who: &Who) {
        let pod = self.pod(1);
        let batch = PresenceBatch { number: 2, announce: true, changes: vec![] };
        let answers = [
            pod.open_lease(call(), gateway("gw-9"), Incarnation::random(), None).await.map(drop),
            pod.renew_lease(call(), lease).await.map(drop),
            pod.close_lease(call(), lease).await,
            pod.apply(call(), lease, batch).await.map(drop),
            pod.room(call(), room("r"), 10).await.map(drop),
            pod.room_counts(call(), room("r")).await.map(drop),
            pod.totals(call()).await.map(drop),
            pod.gateways(call()).await.map(drop),
            pod.connections(call(), who.id.clone()).await.map(drop),
        ];
        for (number, answer) in answers.into_iter().enumerate() {
            let reason = answer.map_err(|error| error.reason);
            assert_eq!(reason, Err(ErrorReason::Unavailable), "call {number}");
        }
    }
}

impl Pods<()> {
    /// One service in memory.
    pub async fn in_memory() -> Self {
        Pods::on((), config(), 1).await
    }
}

fn config() -> PresenceConfig {
    PresenceConfig {
        lease_ttl_ms: 1_000,
        lease_renew_ms: 250,
        hold_ms: 400,
        sweep_ms: 50,
        counts_age_ms: 100,
        store: Some(Secret::new("memory")),
        ..PresenceConfig::default()
    }
}

impl<R> Pods<R> {
    async fn on(redis: R, config: PresenceConfig, count: usize) -> Self {
        assert_eq!(config.problems(), Vec::<String>::new());
        let bus = Arc::new(Recorder::new());
        let shutdown = CancellationToken::new();
        let mut pods = Vec::new();
        for _ in 0..count {
            let pod = presence::start(config.clone(), bus.clone(), shutdown.clone());
            pods.push(pod.await.unwrap());
        }
        Self { redis, config, bus, pods, _shutdown: shutdown.drop_guard() }
    }

    pub fn pod(&self, index: usize) -> &PresenceService {
        &self.pods[index]
    }

    pub fn changes_max(&self) -> usize {
        self.config.changes_max
    }

    pub async fn gateway(&self, pod: usize, name: &str) -> Gateway {
        self.lease(pod, gateway(name), Incarnation::random()).await
    }

    /// The same life of the gateway's process takes a new lease.
    pub async fn gateway_again(&self, pod: usize, own: &Gateway) -> Gateway {
        self.lease(pod, own.id.clone(), own.incarnation).await
    }

    async fn lease(&self, pod: usize, id: GatewayId, incarnation: Incarnation) -> Gateway {
        let pod = self.pods[pod].clone();
        let lease = pod.open_lease(call(), id.clone(), incarnation, None).await.unwrap().id;
        Gateway { pod, id, incarnation, lease }
    }

    pub fn told(&self) -> Vec<Told> {
        self.bus.told()
    }

    pub fn forget(&self) {
        self.bus.forget();
    }

    /// Every pod comes to give these figures.
    pub async fn counts_become(&self, name: &str, wanted: PresenceCounts) {
        for pod in &self.pods {
            let seen = || async { pod.room_counts(call(), room(name)).await == Ok(wanted) };
            until(PATIENCE, "the counts", seen).await.unwrap();
        }
    }

    /// Long enough for every lease, hold and grace to run out, so that what is never to be told
    /// would have been.
    pub async fn a_while(&self) {
        let longest = self.config.lease_ttl_ms * 2 + self.config.hold_ms + self.config.sweep_ms * 4;
        tokio::time::sleep(Duration::from_millis(longest)).await;
    }
}

impl Gateway {
    pub async fn apply(&self, number: u64, changes: Vec<PresenceChange>) {
        assert_eq!(self.try_apply(PATIENCE, number, changes).await, Ok(LeaseState::Held));
    }

    /// Registers without telling joins.
    pub async fn register(&self, number: u64, changes: Vec<PresenceChange>) {
        let batch = PresenceBatch { number, announce: false, changes };
        assert_eq!(self.pod.apply(call(), self.lease, batch).await, Ok(LeaseState::Held));
    }

    pub async fn try_apply(
        &self,
        wait: Duration,
        number: u64,
        changes: Vec<PresenceChange>,
    ) -> Result<LeaseState> {
        let batch = PresenceBatch { number, announce: true, changes };
        self.pod.apply(Call::within(wait), self.lease, batch).await
    }

    pub async fn renew(&self) -> LeaseState {
        self.pod.renew_lease(call(), self.lease).await.unwrap()
    }

    /// Renews the lease until the task is aborted.
    pub fn keep(&self) -> JoinHandle<()> {
        let (pod, lease) = (self.pod.clone(), self.lease);
        tokio::spawn(async move {
            loop {
                let _ = pod.renew_lease(call(), lease).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
    }
}
