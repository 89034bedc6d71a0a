//! Token buckets for one connection: small, without a lock, on its worker.
use std::time::Duration;

use tokio::time::Instant;

use crate::limit::{Limit, LimitsConfig};

/// Fills at a steady rate up to a burst; each command takes its cost.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

/// The rates of one connection: commands, and their bytes.
#[derive(Debug)]
pub struct Rates {
    commands: Bucket,
    bytes: Bucket,
    refusals_max: u32,
    /// How many more were refused than passed, lately.
    over: u32,
    /// How many were refused at all; it may wrap.
    refused: u32,
}

/// What the rates say to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Answer with "too many requests".
    Refuse,
    /// It does not stop: close.
    Close,
}

impl Rates {
    /// Full buckets.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            commands: Bucket::new(limits.commands_per_second, limits.commands_burst),
            bytes: Bucket::new(limits.bytes_per_second, limits.bytes_burst),
            refusals_max: limits.refusals_max,
            over: 0,
            refused: 0,
        }
    }

    /// Asks for a frame of so many bytes; without them all of its commands are refused.
    pub fn take_frame(&mut self, bytes: usize) -> bool {
        // Whatever is larger than that has been refused on its header.
        self.bytes.take(u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// How many were refused at all; it may wrap.
    pub fn refused(&self) -> u32 {
        self.refused
    }

    /// Asks for one command of this cost, in a frame that had its bytes or had not.
    pub fn take(&mut self, cost: u32, frame_passed: bool) -> Verdict {
        let limit = if !frame_passed {
            Limit::Bytes
        } else if self.commands.take(cost) {
            self.over = self.over.saturating_sub(1);
            return Verdict::Pass;
        } else {
            Limit::Commands
        };
        limit.bites();
        self.refused = self.refused.wrapping_add(1);
        self.over = self.over.saturating_add(1);
        if self.over <= self.refusals_max {
            return Verdict::Refuse;
        }
        Limit::Refusals.bites();
        Verdict::Close
    }
}

impl Bucket {
    /// A full bucket.
    fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        let per_second = f64::from(per_second);
        Self { per_second, burst, tokens: burst, filled: Instant::now() }
    }

    /// Asks for so much; nothing is taken if it is not all there.
    fn take(&mut self, cost: u32) -> bool {
        let now = Instant::now();
        let gone: Duration = now - self.filled;
        self.filled = now;
        self.tokens = (self.tokens + gone.as_secs_f64() * self.per_second).min(self.burst);
        let enough = self.tokens >= f64::from(cost);
        if enough {
            self.tokens -= f64::from(cost);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_then_the_rate_counts() {
        let mut bucket = Bucket::new(10, 5);
        assert_eq!((0..9).filter(|_| bucket.take(1)).count(), 5);
        tokio::time::advance(Duration::from_millis(101)).await;
        assert!(bucket.take(1) && !bucket.take(1));
        tokio::time::advance(Duration::from_millis(201)).await;
        // What is not all there is not taken in part.
        assert!(!bucket.take(3) && bucket.take(2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_does_not_stop_is_closed() {
        let limits = LimitsConfig {
            commands_per_second: 1,
            commands_burst: 4,
            bytes_per_second: 100,
            bytes_burst: 100,
            refusals_max: 3,
            ..LimitsConfig::default()
        };
        let mut rates = Rates::new(&limits);
        let verdicts: Vec<_> = (0..6).map(|_| rates.take(3, true)).collect();
        let [pass, refuse, close] = [Verdict::Pass, Verdict::Refuse, Verdict::Close];
        assert_eq!(verdicts, [pass, refuse, refuse, refuse, close, close]);
        assert_eq!(rates.refused(), 5);

        let mut rates = Rates::new(&limits);
        assert!(rates.take_frame(60) && !rates.take_frame(60));
        assert_eq!(rates.take(1, false), refuse);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert!(rates.take_frame(60));

        // Who is refused now and then, and passes as often, is never closed.
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(rates.take(1, true), pass);
            assert_eq!(rates.take(9, true), refuse);
        }
    }
}
