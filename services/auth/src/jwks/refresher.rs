//! The one task that fetches an issuer's keys: ahead of time, and when somebody asks for an
//! unknown key.
//!
//! Single-flight by construction. Between the starts of two fetches lies at least the floor,
//! whatever is asked; only while no set has ever been had, retries start sooner. A failed
//! fetch, or a set that is not believed, leaves the keys as they are.
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{KeyRing, key};
use crate::metrics;
use crate::oidc::KeySource;

/// How often an issuer is asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one good set to the next fetch, if nobody asks sooner.
    pub every: Duration,
    /// Least time between the starts of two fetches.
    pub floor: Duration,
}

const FIRST_RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// While no set has ever been had.
const FIRST_SET_RETRY_MAX: Duration = Duration::from_secs(5);

/// Keeps `ring` fresh until `shutdown`. `issuer` names it in logs and metrics.
pub async fn refresh(
    ring: Arc<KeyRing>,
    source: KeySource,
    pace: Pace,
    issuer: String,
    shutdown: CancellationToken,
) {
    let mut failures = 0_u32;
    let mut ever = false;
    loop {
        let began = Instant::now();
        ring.round.send_modify(|round| round.fetching = true);
        let fetched = tokio::select! {
            () = shutdown.cancelled() => return,
            fetched = fetch(&source) => fetched,
        };
        let failed = fetched.is_err();
        match fetched {
            Ok(keys) => {
                if failures > 0 || !ever {
                    tracing::info!(issuer, keys = keys.len(), "the issuer's keys are known");
                }
                (failures, ever) = (0, true);
                metrics::keys_fetched(&issuer, keys.len());
                ring.install(keys, began);
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                metrics::fetch_failed(&issuer);
                tracing::warn!(
                    issuer,
                    error,
                    known = ring.len(),
                    "the issuer's keys cannot be fetched"
                );
            }
        }
        let later = retry(pace, failures, ever);
        let not_before = began + if ever { pace.floor } else { later.min(pace.floor) };
        let next = began + if failed { later } else { jittered(pace.every) };
        ring.round.send_modify(|round| {
            *round = super::Round { fetching: false, failed, not_before };
        });
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep_until(next.max(not_before)) => {}
            () = asked(&ring, not_before) => {}
        }
    }
}

async fn fetch(source: &KeySource) -> Result<super::KeyMap, String> {
    let set = source.fetch().await.map_err(|error| error.to_string())?;
    key::usable(&set).map_err(|error| error.to_string())
}

/// Ends when somebody waits for an unknown key and the next fetch may begin.
async fn asked(ring: &KeyRing, not_before: Instant) {
    loop {
        ring.wanted.notified().await;
        if ring.is_asked() {
            return sleep_until(not_before).await;
        }
    }
}

/// How long after the start of the last of `failures` failed fetches the next one comes by itself.
/// Short at first: without any key nobody can connect, so the first set is worth some haste.
/// An issuer that starts beside us is there at any moment.
fn retry(pace: Pace, failures: u32, ever: bool) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(8));
    doubled.min(if ever { RETRY_MAX } else { FIRST_SET_RETRY_MAX }).min(pace.every)
}

fn jittered(every: Duration) -> Duration {
    every.mul_f64(rand::rng().random_range(0.9..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_begin_soon_and_grow_to_a_minute() {
        let pace = Pace { every: Duration::from_secs(600), floor: Duration::from_secs(10) };
        assert_eq!(retry(pace, 1, true), Duration::from_millis(500));
        assert_eq!(retry(pace, 3, true), Duration::from_secs(2));
        assert_eq!(retry(pace, 6, true), Duration::from_secs(16));
        assert_eq!(retry(pace, 40, true), Duration::from_secs(60));
        assert_eq!(retry(pace, 40, false), Duration::from_secs(5), "without any set yet");
        let quick = Pace { every: Duration::from_millis(300), floor: Duration::from_millis(100) };
        assert_eq!(retry(quick, 9, true), Duration::from_millis(300));
    }
}
