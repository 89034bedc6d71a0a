//! Latencies in a fixed histogram whose steps grow by two percent, filled without a lock.
use std::sync::atomic::{AtomicU64, Ordering};

/// 1.02 to this power is above 600 s in microseconds.
const STEPS: usize = 1_024;

/// A histogram of microseconds.
pub struct Latencies([AtomicU64; STEPS]);

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&self, micros: u64) {
        let step = ((micros.max(1) as f64).ln() / 1.02_f64.ln()) as usize;
        self.0[step.min(STEPS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts those of another one too.
    pub fn merge(&self, other: &Self) {
        for (own, others) in self.0.iter().zip(&other.0) {
            own.fetch_add(others.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// The latency that `part` of them stay below, within two percent; 0 if there are none.
    pub fn quantile(&self, part: f64) -> u64 {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * part) as u64;
        let mut seen = 0;
        for (step, count) in counts.iter().enumerate() {
            seen += count;
            if seen > wanted {
                return 1.02_f64.powi(step as i32) as u64;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_two_percent() {
        let latencies = Latencies::default();
        (1..=1_000).for_each(|micros| latencies.add(micros * 10));
        for (part, exact) in [(0.5, 5_000.0), (0.99, 9_900.0)] {
            let found = latencies.quantile(part) as f64;
            assert!((found / exact - 1.0).abs() < 0.03, "{part}: {found}, exact {exact}");
        }
        assert_eq!(Latencies::default().quantile(0.5), 0);
    }
}
