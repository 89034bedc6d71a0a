//! Who broke the rules lately, by address: its next connections are taken one after the other.
//!
//! Each of them is closed at once and may come back at once; without this it would cost a gateway
//! and auth as much as it can send. Now and then somebody breaks a rule in good faith, so an
//! address has some offences free. It is made to wait and not refused, because others may sit
//! behind the same address; those that are connected notice nothing.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wire::CloseCode;

use super::keyed::Keyed;
use super::publishing::block;
use super::{Limit, LimitsConfig};

/// See the file's head.
pub struct Offenders {
    offences: Option<Keyed<IpAddr>>,
    known: Mutex<HashMap<IpAddr, Offender>>,
    addresses_max: usize,
    lasts: Duration,
    pace: Duration,
    waiting: Semaphore,
}

/// An address that broke the rules too often.
struct Offender {
    until: Instant,
    /// Held by the connection that is next; fair, and free again at once if that one gives up.
    next: Arc<Semaphore>,
}

impl Offenders {
    /// Nobody has broken a rule yet. The limits were checked before.
    pub fn new(limits: &LimitsConfig) -> Self {
        let offences =
            Keyed::new(limits.offences_per_second, limits.offences_burst, limits.rate_keys_max);
        Self {
            offences,
            known: Mutex::default(),
            addresses_max: limits.rate_keys_max,
            lasts: Duration::from_millis(limits.offender_ms),
            pace: Duration::from_secs(1) / limits.offender_connects_per_second.max(1),
            waiting: Semaphore::new(limits.offenders_waiting_max.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Somebody at this address broke a rule.
    pub fn offended(&self, address: Option<IpAddr>) {
        let (Some(offences), Some(address)) = (&self.offences, address.map(block)) else { return };
        if offences.take(&address, 1) {
            return;
        }
        Limit::Offences.bites();
        let now = Instant::now();
        let mut known = self.known.lock();
        if let Some(offender) = known.get_mut(&address) {
            offender.until = now + self.lasts;
        } else if known.len() < self.addresses_max {
            let next = Arc::new(Semaphore::new(1));
            known.insert(address, Offender { until: now + self.lasts, next });
        } else {
            Limit::RateKeys.bites();
        }
    }

    /// Waits for the turn of a new connection of this address; false if too many wait already.
    pub async fn turn(&self, address: Option<IpAddr>) -> bool {
        let Some(next) = address.and_then(|address| self.queue_of(block(address))) else {
            return true;
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            Limit::OffendersWaiting.bites();
            return false;
        };
        let _turn = next.acquire().await;
        tokio::time::sleep(self.pace).await;
        true
    }

    fn queue_of(&self, address: IpAddr) -> Option<Arc<Semaphore>> {
        let known = self.known.lock();
        let offender = known.get(&address).filter(|offender| offender.until > Instant::now());
        offender.map(|offender| offender.next.clone())
    }

    /// Forgets whose time is over. To be called now and then.
    pub fn forget_idle(&self) {
        if let Some(offences) = &self.offences {
            offences.forget_idle();
        }
        let now = Instant::now();
        let mut known = self.known.lock();
        known.retain(|_, offender| offender.until > now);
        known.shrink_to_fit();
    }
}

/// Whether a connection that ends so broke a rule. What may befall anybody who means well does not
/// count: an expired token, a slow link, a gateway that is drained.
pub fn is_offence(code: CloseCode) -> bool {
    matches!(
        code,
        CloseCode::BadRequest
            | CloseCode::InvalidToken
            | CloseCode::ConnectTimeout
            | CloseCode::TooManyRequests
            | CloseCode::FrameTimeout
            | CloseCode::Stale
            | CloseCode::Protocol
            | CloseCode::InvalidText
            | CloseCode::TooBig
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offenders(change: impl FnOnce(&mut LimitsConfig)) -> Offenders {
        let mut limits = LimitsConfig {
            offences_per_second: 1,
            offences_burst: 3,
            offender_ms: 5_000,
            offender_connects_per_second: 10,
            offenders_waiting_max: 2,
            ..LimitsConfig::default()
        };
        change(&mut limits);
        Offenders::new(&limits)
    }

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn offend(offenders: &Offenders, address: &str, times: usize) {
        (0..times).for_each(|_| offenders.offended(at(address)));
    }

    /// How long a connection waits, in milliseconds; `None` if it is not let in.
    async fn waits(offenders: &Offenders, address: &str) -> Option<u128> {
        let begun = Instant::now();
        offenders.turn(at(address)).await.then(|| begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn who_breaks_rules_again_and_again_waits_and_nobody_else() {
        let offenders = offenders(|_| {});
        offend(&offenders, "10.0.0.1", 3);
        assert_eq!(waits(&offenders, "10.0.0.1").await, Some(0), "some are free");
        offend(&offenders, "10.0.0.1", 1);
        let both = (waits(&offenders, "10.0.0.1"), waits(&offenders, "10.0.0.1"));
        let other = waits(&offenders, "10.0.0.2");
        let waited = tokio::join!(both.0, both.1, other, offenders.turn(None));
        assert_eq!(waited, (Some(100), Some(200), Some(0), true));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(waits(&offenders, "10.0.0.1").await, Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_keeps_nobody_waiting() {
        let offenders = offenders(|_| {});
        offend(&offenders, "10.0.0.1", 9);
        for _ in 0..100 {
            let gives_up = tokio::time::timeout(Duration::ZERO, offenders.turn(at("10.0.0.1")));
            gives_up.await.unwrap_err();
        }
        assert!(waits(&offenders, "10.0.0.1").await < Some(200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_offender() {
        let offenders = offenders(|_| {});
        offend(&offenders, "2001:db8::1", 2);
        offend(&offenders, "2001:db8::2", 2);
        assert_eq!(waits(&offenders, "2001:db8::3").await, Some(100));
        assert_eq!(waits(&offenders, "2001:db8:0:1::3").await, Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_are_bounded_and_so_are_the_addresses() {
        let offenders = offenders(|limits| limits.rate_keys_max = 1);
        offend(&offenders, "10.0.0.1", 9);
        let three = [0; 3].map(|_| waits(&offenders, "10.0.0.1"));
        let waited = futures_util::future::join_all(three).await;
        assert_eq!(waited, [Some(100), Some(200), None]);
        offend(&offenders, "10.0.0.2", 9);
        assert_eq!(offenders.known.lock().len(), 1);
        tokio::time::advance(Duration::from_secs(6)).await;
        offenders.forget_idle();
        assert!(offenders.known.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_zero_lets_everybody_come_at_once() {
        let offenders = offenders(|limits| limits.offences_per_second = 0);
        offend(&offenders, "10.0.0.1", 100);
        assert_eq!(waits(&offenders, "10.0.0.1").await, Some(0));
    }
}
