//! What may be tried again: the kinds of failure, and the budget that keeps retries from becoming a storm.
//!
//! A call is repeated only if it is idempotent, or if it surely was never sent. Each repetition
//! of a sent call costs a token; calls earn tokens, and a few come by themselves.
use std::error::Error as StdError;

use domain::{Error, ErrorReason};
use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::{ConnectError, Status};

use crate::status;

/// Most tokens that can be saved: enough for the calls that are under way when a pod dies.
const TOKENS_MAX: f64 = 200.0;
/// Tokens that come by themselves each second, so that a quiet caller may retry at all.
const TOKENS_PER_SECOND: f64 = 10.0;

/// How an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection: the call was never sent.
    Unsent(Error),
    /// The connection broke: nobody knows what became of the call.
    Lost(Error),
    /// No answer in time.
    Late(Error),
    /// The endpoint answered with an error.
    Answered(Error),
}

impl Failure {
    /// Tells the failures of the way from those of the endpoint.
    pub(crate) fn of(status: &Status) -> Self {
        let source = StdError::source(status);
        let mut cause = source;
        while let Some(error) = cause {
            if error.is::<ConnectError>() {
                return Self::Unsent(Error::unavailable("no connection"));
            }
            cause = error.source();
        }
        if status::coded(status).is_some() {
            return Self::Answered(status::from_status(status));
        }
        let error = status::from_status(status);
        match error.reason {
            ErrorReason::DeadlineExceeded => Self::Late(error),
            // What comes from an answer has no source; the transport's own errors have one.
            _ if source.is_some() => Self::Lost(Error::unavailable("the connection broke")),
            ErrorReason::Unavailable => Self::Lost(error),
            _ => Self::Answered(error),
        }
    }

    /// No answer in time.
    pub(crate) fn late() -> Self {
        Self::Late(Error::new(ErrorReason::DeadlineExceeded, "no answer in time"))
    }

    pub(crate) fn error(&self) -> &Error {
        match self {
            Self::Unsent(error) | Self::Lost(error) | Self::Late(error) | Self::Answered(error) => {
                error
            }
        }
    }

    /// Whether the call may be made again on another endpoint.
    pub(crate) fn repeatable(&self, idempotent: bool) -> bool {
        match self {
            Self::Unsent(_) => true,
            Self::Lost(_) | Self::Late(_) => idempotent,
            Self::Answered(error) => {
                let elsewhere = [ErrorReason::Unavailable, ErrorReason::DeadlineExceeded];
                idempotent && elsewhere.contains(&error.reason)
            }
        }
    }
}

/// The tokens of one door.
#[derive(Debug)]
pub(crate) struct Budget {
    per_call: f64,
    tokens: Mutex<(f64, Instant)>,
}

impl Budget {
    /// `percent` of the calls may be repeated, and a few a second in any case.
    pub(crate) fn new(percent: u32) -> Self {
        let tokens = Mutex::new((TOKENS_MAX, Instant::now()));
        Self { per_call: f64::from(percent) / 100.0, tokens }
    }

    /// Counts a call.
    pub(crate) fn earn(&self) {
        self.refill(self.per_call);
    }

    /// Pays for a repetition; false if there is nothing to pay with.
    pub(crate) fn spend(&self) -> bool {
        self.refill(0.0);
        let mut tokens = self.tokens.lock();
        let enough = tokens.0 >= 1.0;
        if enough {
            tokens.0 -= 1.0;
        }
        enough
    }

    fn refill(&self, earned: f64) {
        let mut tokens = self.tokens.lock();
        let now = Instant::now();
        let passed = now.saturating_duration_since(tokens.1).as_secs_f64();
        *tokens = ((tokens.0 + earned + passed * TOKENS_PER_SECOND).min(TOKENS_MAX), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn when_all_calls_fail_a_tenth_of_them_is_repeated() {
        let budget = Budget::new(10);
        let repeated = (0..10_000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert!((1_000..=1_300).contains(&repeated.count()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_repetitions_a_second_are_always_free() {
        let budget = Budget::new(0);
        while budget.spend() {}
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }

    #[test]
    fn only_what_was_surely_not_sent_is_repeated_for_any_call() {
        let error = || Error::unavailable("x");
        assert!(Failure::Unsent(error()).repeatable(false));
        for failure in [Failure::Lost(error()), Failure::Late(error()), Failure::Answered(error())]
        {
            assert!(!failure.repeatable(false), "{failure:?}");
            assert!(failure.repeatable(true), "{failure:?}");
        }
        assert!(!Failure::Answered(Error::denied()).repeatable(true));
    }
}
