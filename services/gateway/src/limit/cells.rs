//! Token buckets in a fixed number of cells.
//!
//! A caller's cell is chosen by a keyed hash, so memory stays the same whoever comes, and nobody
//! can aim at another's cell. Two callers that share a cell share its rate: rare, and never free.
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Cells of one set of buckets.
const CELLS: usize = 8_192;

/// One bucket.
#[derive(Debug)]
pub struct Bucket(DefaultDirectRateLimiter);

/// One bucket for each caller.
#[derive(Debug)]
pub struct Buckets {
    cells: Vec<Bucket>,
    hasher: RandomState,
}

impl Bucket {
    /// So many a second lastingly, and `burst` at once. Zero counts as one.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)))
    }

    /// Takes one; false if there is none.
    pub fn take(&self) -> bool {
        self.0.check().is_ok()
    }

    /// Takes as many; false if there are not so many.
    pub fn take_all(&self, count: NonZeroU32) -> bool {
        matches!(self.0.check_n(count), Ok(Ok(())))
    }
}

impl Buckets {
    /// The same rate for each caller.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let cells = (0..CELLS).map(|_| Bucket::new(per_second, burst)).collect();
        Self { cells, hasher: RandomState::new() }
    }

    /// Takes as many for a caller; false if there are not so many.
    pub fn take(&self, caller: impl Hash, count: NonZeroU32) -> bool {
        let cell = self.hasher.hash_one(caller) as usize % CELLS;
        self.cells.get(cell).is_some_and(|bucket| bucket.take_all(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_no_more() {
        let bucket = Bucket::new(1, 3);
        assert_eq!((0..5).filter(|_| bucket.take()).count(), 3);
    }

    #[test]
    fn one_caller_does_not_use_up_the_others_share() {
        let buckets = Buckets::new(1, 2);
        assert_eq!((0..5).filter(|_| buckets.take("loud", NonZeroU32::MIN)).count(), 2);
        let others = (0..100).filter(|caller| buckets.take(caller, NonZeroU32::MIN)).count();
        assert!(others >= 95, "{others}");
    }
}
