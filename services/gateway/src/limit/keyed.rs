//! A rate for each user, address or room, in bounded memory.
//!
//! Each key has a bucket of its own while it is in use; who paused for as long as a full burst
//! takes is forgotten. When too many keys are in use at once, all of them share a fixed number of
//! cells until some are forgotten: then strangers may share a rate, and memory still ends.
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Limit;
use super::cells::Buckets;

/// Between two counts of the keys, in takes.
const RECOUNT: usize = 64;

/// See the file's head.
pub struct Keyed<K: Hash + Eq + Clone> {
    own: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    shared: Buckets,
    keys_max: usize,
    keys: AtomicUsize,
    takes: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    /// So many a second lastingly for each key, and `burst` at once; `None` for a rate of zero,
    /// which is no limit. About `keys_max` keys have a bucket of their own.
    pub fn new(per_second: u32, burst: u32, keys_max: usize) -> Option<Self> {
        let rate = NonZeroU32::new(per_second)?;
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Some(Self {
            own: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
            shared: Buckets::new(per_second, burst.get()),
            keys_max,
            keys: AtomicUsize::new(0),
            takes: AtomicUsize::new(0),
        })
    }

    /// Takes `count` for a key; false if there are not so many. More than a burst is never there.
    pub fn take(&self, key: &K, count: u32) -> bool {
        let Some(count) = NonZeroU32::new(count) else { return true };
        if self.takes.fetch_add(1, Ordering::Relaxed).is_multiple_of(RECOUNT) {
            self.keys.store(self.own.len(), Ordering::Relaxed);
        }
        if self.keys.load(Ordering::Relaxed) >= self.keys_max {
            Limit::RateKeys.bites();
            return self.shared.take(key, count);
        }
        matches!(self.own.check_key_n(key, count), Ok(Ok(())))
    }

    /// Forgets keys that have their whole burst again. To be called now and then.
    pub fn forget_idle(&self) {
        self.own.retain_recent();
        self.own.shrink_to_fit();
        self.keys.store(self.own.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_rate_and_zero_is_none() {
        assert!(Keyed::<u32>::new(0, 5, 10).is_none());
        let keyed = Keyed::new(1, 3, 10).unwrap();
        assert_eq!((0..5).filter(|_| keyed.take(&1, 1)).count(), 3);
        assert!(keyed.take(&2, 3) && !keyed.take(&2, 1));
        assert!(!keyed.take(&3, 4), "more than a burst");
        assert!(keyed.take(&3, 0) && keyed.take(&3, 3));
    }

    #[test]
    fn keys_are_bounded_and_the_idle_are_forgotten() {
        let keyed = Keyed::new(1_000, 1, 100).unwrap();
        for key in 0..100_000_u32 {
            keyed.take(&key, 1);
        }
        assert!(keyed.own.len() <= 100 + RECOUNT, "{}", keyed.own.len());
        // Beyond the bound a rate still holds.
        let slow = Keyed::new(1, 2, 0).unwrap();
        assert_eq!((0..5).filter(|_| slow.take(&"loud", 1)).count(), 2);
        // A thousand a second: after some milliseconds everybody has the whole burst again.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !keyed.own.is_empty() && std::time::Instant::now() < end {
            keyed.forget_idle();
        }
        assert!(keyed.own.is_empty());
        assert!(keyed.take(&7, 1));
    }
}
