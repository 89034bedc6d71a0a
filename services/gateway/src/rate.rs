//! A token bucket for one connection: small, without a lock, on its worker.
use std::time::Duration;

use tokio::time::Instant;

/// Fills at a steady rate up to a burst; each command takes one.
#[derive(Debug)]
pub struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
    refused: u32,
}

/// Refusals in a row after which a connection is not slow to learn but hostile.
const REFUSALS_MAX: u32 = 1_000;

/// What the bucket says to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Answer with "too many requests".
    Refuse,
    /// It does not stop: close.
    Close,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        let per_second = f64::from(per_second);
        Self { per_second, burst, tokens: burst, filled: Instant::now(), refused: 0 }
    }

    /// Asks for one command.
    pub fn take(&mut self) -> Verdict {
        let now = Instant::now();
        let gone: Duration = now - self.filled;
        self.filled = now;
        self.tokens = (self.tokens + gone.as_secs_f64() * self.per_second).min(self.burst);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            self.refused = 0;
            return Verdict::Pass;
        }
        self.refused += 1;
        if self.refused > REFUSALS_MAX { Verdict::Close } else { Verdict::Refuse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_then_the_rate_counts() {
        let mut bucket = Bucket::new(10, 5);
        for _ in 0..5 {
            assert_eq!(bucket.take(), Verdict::Pass);
        }
        assert_eq!(bucket.take(), Verdict::Refuse);
        tokio::time::advance(Duration::from_millis(101)).await;
        assert_eq!(bucket.take(), Verdict::Pass);
        assert_eq!(bucket.take(), Verdict::Refuse);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_does_not_stop_is_closed() {
        let mut bucket = Bucket::new(1, 1);
        let verdicts: Vec<_> = (0..1_100).map(|_| bucket.take()).collect();
        assert_eq!(verdicts[0], Verdict::Pass);
        assert_eq!(verdicts[1], Verdict::Refuse);
        assert_eq!(verdicts[1_099], Verdict::Close);
    }
}
