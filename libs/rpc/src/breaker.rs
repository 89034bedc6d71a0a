//! The breaker of one endpoint: how much a caller should trust it now.
//!
//! One failure ejects it for a moment: it is called only if nothing better is there. Several in
//! a row open it: it is not called at all, until after a while a single probe may find it well.
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long the first ejection lasts; each one that follows without a success lasts twice as long.
const REST: Duration = Duration::from_secs(1);
/// The longest ejection: a pod that came back is used again soon.
const REST_MAX: Duration = Duration::from_secs(5);

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Well, or due for a probe.
    Good,
    /// It failed a moment ago: last choice.
    Ejected,
    /// Not to be called.
    Open,
}

/// Counts an endpoint's failures.
#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In a row.
    failures: u32,
    /// Ejections in a row.
    rests: u32,
    /// Until when it rests.
    until: Option<Instant>,
    /// Whether a probe is under way.
    probing: bool,
}

/// Leave to make one call. Dropped without a verdict (the caller went away) it says nothing of the endpoint.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    pub(crate) fn new(threshold: u32) -> Self {
        let state = State { failures: 0, rests: 0, until: None, probing: false };
        Self { threshold, state: Mutex::new(state) }
    }

    pub(crate) fn standing(&self) -> Standing {
        let state = self.state.lock();
        let resting = state.until.is_some_and(|until| Instant::now() < until);
        match (state.failures >= self.threshold, resting || state.probing) {
            (_, false) => Standing::Good,
            (false, true) => Standing::Ejected,
            (true, true) => Standing::Open,
        }
    }

    /// Leave for a call; `None` while it is open.
    pub(crate) fn permit(&self) -> Option<Permit<'_>> {
        if self.standing() == Standing::Open {
            return None;
        }
        let mut state = self.state.lock();
        let probe = state.failures >= self.threshold;
        if probe && state.probing {
            return None;
        }
        state.probing |= probe;
        Some(Permit { breaker: self, probe })
    }

    /// Tells of a failure that no permit saw, such as a stream that broke later.
    pub(crate) fn failed(&self) {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        let now = Instant::now();
        if state.until.is_none_or(|until| until <= now) {
            let rest = REST.saturating_mul(1 << state.rests.min(8)).min(REST_MAX);
            state.rests = state.rests.saturating_add(1);
            state.until = Some(now + rest);
        } else if state.failures == self.threshold {
            // Many calls fail together when an endpoint stops: that is one reason to rest, not many,
            // but from the moment of opening it is a whole rest.
            state.until = state.until.max(Some(now + REST));
        }
    }
}

impl Permit<'_> {
    /// The endpoint answered, whatever it said.
    pub(crate) fn answered(self) {
        let mut state = self.breaker.state.lock();
        (state.failures, state.rests, state.until) = (0, 0, None);
    }

    /// It could not be reached, or did not answer in time.
    pub(crate) fn failed(self) {
        self.breaker.failed();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn it_ejects_then_opens_then_lets_one_probe_through_and_closes() {
        let breaker = Breaker::new(3);
        breaker.permit().unwrap().failed();
        assert_eq!(breaker.standing(), Standing::Ejected);
        breaker.permit().unwrap().failed();
        breaker.permit().unwrap().failed();
        assert_eq!(breaker.standing(), Standing::Open);
        assert!(breaker.permit().is_none());

        advance(REST).await;
        let probe = breaker.permit().expect("a probe is due");
        assert!(breaker.permit().is_none(), "only one probe at a time");
        probe.failed();
        advance(REST).await;
        assert!(breaker.permit().is_none(), "the second rest is longer");
        advance(REST).await;
        breaker.permit().expect("a probe is due").answered();
        assert_eq!(breaker.standing(), Standing::Good);
        breaker.permit().unwrap().failed();
        assert_eq!(breaker.standing(), Standing::Ejected, "a success wipes the slate");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_whose_caller_went_away_does_not_block_the_next() {
        let breaker = Breaker::new(1);
        breaker.permit().unwrap().failed();
        advance(REST).await;
        drop(breaker.permit().unwrap());
        assert!(breaker.permit().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_together_are_one_reason_to_rest() {
        let breaker = Breaker::new(3);
        for _ in 0..100 {
            breaker.failed();
        }
        advance(REST).await;
        assert!(breaker.permit().is_some());
    }
}
