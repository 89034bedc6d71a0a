//! What this gateway tells presence: who is connected here and in which rooms.
//!
//! Changes go in numbered batches under a lease that is renewed as a whole. A lease that was lost
//! is taken anew and everything is registered again, without joins being told. What was not yet
//! applied then is sent after that, and told. The queue is bounded: beyond it a change of the same
//! state is registered silently.
mod register;

use std::sync::Arc;
use std::time::Duration;

use domain::{GatewayId, Incarnation, LeaseId, PresenceBatch, PresenceChange};
use parking_lot::Mutex;
use rpc::Call;
use rpc::presence::{LeaseState, Presence};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use register::{Register, fit};

/// Most changes of one batch.
const BATCH_MAX: usize = 500;
/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(50);
const CALL_WAIT: Duration = Duration::from_secs(2);
/// How long a caller waits that must see its own entry.
const FLUSH_WAIT: Duration = Duration::from_secs(1);
/// Between two tries while presence cannot be asked.
const AGAIN: Duration = Duration::from_millis(500);

/// See the file's head.
pub struct Roster {
    state: Mutex<Register>,
    more: Notify,
    flush: Notify,
    /// How many changes are applied, since the start.
    applied: watch::Sender<u64>,
    leased: CancellationToken,
}

/// What the sending task knows of its lease.
struct Held {
    id: LeaseId,
    renew: Duration,
    renewed: Instant,
    next_number: u64,
}

/// Why the sending task leaves its lease.
enum Left {
    /// Take a new one.
    Lost,
    /// The gateway goes.
    Stopped,
}

impl Default for Roster {
    fn default() -> Self {
        Self::new()
    }
}

impl Roster {
    /// Nobody is here yet.
    pub fn new() -> Self {
        let applied = watch::channel(0).0;
        Self {
            state: Mutex::default(),
            more: Notify::new(),
            flush: Notify::new(),
            applied,
            leased: CancellationToken::new(),
        }
    }

    /// Waits until a lease was taken once.
    pub async fn leased(&self) {
        self.leased.cancelled().await;
    }

    /// Tells of a change. Never waits.
    pub fn push(&self, change: PresenceChange) {
        self.state.lock().push(change);
        self.more.notify_one();
    }

    /// Waits until what was told so far is applied, for a bounded time.
    pub async fn flush(&self) {
        let told = self.state.lock().told();
        if *self.applied.borrow() >= told {
            return;
        }
        self.flush.notify_one();
        let mut applied = self.applied.subscribe();
        // If presence cannot be asked, the question that follows will say so.
        let _late = tokio::time::timeout(FLUSH_WAIT, applied.wait_for(|n| *n >= told)).await;
    }

    /// Holds the lease and sends changes until `stop`; then gives the lease back. `gateway` is whose
    /// lease it is, in which life, and what other gateways reach it by.
    pub async fn run(
        self: Arc<Self>,
        presence: Arc<dyn Presence>,
        gateway: (GatewayId, Incarnation, Option<String>),
        stop: CancellationToken,
    ) {
        let mut first = true;
        loop {
            let (gateway, incarnation, peer_url) = gateway.clone();
            let opened =
                presence.open_lease(Call::within(CALL_WAIT), gateway, incarnation, peer_url);
            let lease = match opened.await {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::debug!(%error, "no presence lease");
                    metrics::gauge!("roomcast_gateway_presence_lease").set(0.0);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(AGAIN) => continue,
                    }
                }
            };
            metrics::gauge!("roomcast_gateway_presence_lease").set(1.0);
            metrics::counter!("roomcast_gateway_presence_leases_total").increment(1);
            if !first {
                tracing::warn!("the presence lease was lost; everything is registered again");
            }
            first = false;
            self.leased.cancel();
            let renew = Duration::from_millis(lease.renew_ms.max(100));
            let mut held = Held { id: lease.id, renew, renewed: Instant::now(), next_number: 1 };
            if let Left::Stopped = self.hold(&*presence, &mut held, &stop).await {
                // At the latest the TTL ends it.
                let _closed = presence.close_lease(Call::within(CALL_WAIT), held.id).await;
                return;
            }
        }
    }

    async fn hold(
        &self,
        presence: &dyn Presence,
        held: &mut Held,
        stop: &CancellationToken,
    ) -> Left {
        let again = self.state.lock().registered();
        let mut rest = &again[..];
        while !rest.is_empty() {
            let (changes, more) = rest.split_at(fit(rest.iter(), BATCH_MAX));
            if !self.send(presence, held, changes.to_vec(), false, stop).await {
                return self.left(stop);
            }
            rest = more;
        }
        self.tell_applied();
        loop {
            if self.state.lock().overflowed() {
                return Left::Lost;
            }
            let changes = self.state.lock().next(BATCH_MAX);
            if !changes.is_empty() {
                if !self.send(presence, held, changes, true, stop).await {
                    return self.left(stop);
                }
                self.state.lock().applied();
                self.tell_applied();
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Left::Stopped,
                () = self.more.notified() => {
                    tokio::select! {
                        () = tokio::time::sleep(GATHER) => {}
                        () = self.flush.notified() => {}
                    }
                }
                () = tokio::time::sleep_until(held.renewed + held.renew) => {
                    if !renew(presence, held).await {
                        return Left::Lost;
                    }
                }
            }
        }
    }

    /// Sends one batch until it is applied; false if the lease is lost or the gateway goes.
    async fn send(
        &self,
        presence: &dyn Presence,
        held: &mut Held,
        changes: Vec<PresenceChange>,
        announce: bool,
        stop: &CancellationToken,
    ) -> bool {
        let batch = PresenceBatch { number: held.next_number, announce, changes };
        held.next_number += 1;
        loop {
            // The same number again is safe: the store takes each once.
            match presence.apply(Call::within(CALL_WAIT), held.id, batch.clone()).await {
                Ok(LeaseState::Held) => break,
                Ok(LeaseState::Lost) => return false,
                Err(error) => {
                    tracing::debug!(%error, "presence took no batch");
                    tokio::select! {
                        () = stop.cancelled() => return false,
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
            let overflowed = self.state.lock().overflowed();
            if overflowed || held.renewed.elapsed() >= held.renew && !renew(presence, held).await {
                return false;
            }
        }
        // Many batches in a row must not keep the lease from being renewed.
        held.renewed.elapsed() < held.renew || renew(presence, held).await
    }

    fn tell_applied(&self) {
        let settled = self.state.lock().settled();
        self.applied.send_replace(settled);
    }

    fn left(&self, stop: &CancellationToken) -> Left {
        if stop.is_cancelled() { Left::Stopped } else { Left::Lost }
    }
}

/// Renews the lease; false if it is lost. What cannot be asked now is asked again soon.
async fn renew(presence: &dyn Presence, held: &mut Held) -> bool {
    match presence.renew_lease(Call::within(CALL_WAIT), held.id).await {
        Ok(LeaseState::Held) => {
            held.renewed = Instant::now();
            true
        }
        Ok(LeaseState::Lost) => false,
        Err(error) => {
            tracing::debug!(%error, "the presence lease was not renewed");
            let soon = held.renew.saturating_sub(AGAIN);
            held.renewed = Instant::now().checked_sub(soon).unwrap_or_else(Instant::now);
            true
        }
    }
}
