//! One timing wheel a worker, for all clocks of its connections: no timer per socket.
//!
//! An entry is never taken out: when it fires, the connection looks whether it still means
//! anything. A connection has a handful of entries at most, so the wheel is bounded by them.
use std::time::Duration;

use domain::ConnectionId;
use tokio::time::Instant;

/// The wheel's step.
pub const TICK: Duration = Duration::from_millis(100);
const SLOTS: usize = 512;

/// What a clock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// No connect came.
    Connect,
    /// The connect failed and nothing came after.
    Stale,
    /// Time for a ping.
    Ping,
    /// The pong to the ping with this number is due.
    Pong(u32),
    /// The token ended, and its grace too.
    Expiry,
    /// The same of a subscription's token.
    Subscriptions,
    /// Something is queued: does the socket take it?
    Slow,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Instant,
    connection: ConnectionId,
    clock: Clock,
}

/// See the file's head.
pub struct Wheel {
    slots: Vec<Vec<Entry>>,
    started: Instant,
    /// The next step to be looked at.
    step: u64,
}

impl Wheel {
    /// An empty wheel that starts now.
    pub fn new(now: Instant) -> Self {
        Self { slots: vec![Vec::new(); SLOTS], started: now, step: 0 }
    }

    /// Sets a clock.
    pub fn set(&mut self, at: Instant, connection: ConnectionId, clock: Clock) {
        self.insert(Entry { at, connection, clock });
    }

    /// Takes what is due.
    pub fn due(&mut self, now: Instant) -> Vec<(ConnectionId, Clock)> {
        let until = self.step_of(now);
        let mut due = Vec::new();
        // After a long standstill each slot is looked at once, not once a round.
        let first = self.step.max((until + 1).saturating_sub(SLOTS as u64));
        for step in first..=until {
            let slot = std::mem::take(&mut self.slots[(step % SLOTS as u64) as usize]);
            self.step = step + 1;
            for entry in slot {
                if entry.at <= now {
                    due.push((entry.connection, entry.clock));
                } else {
                    self.insert(entry);
                }
            }
        }
        due
    }

    fn insert(&mut self, entry: Entry) {
        // Rounded up, so that nothing fires early; beyond a round it is looked at once a round.
        let wanted = self.step_of(entry.at) + 1;
        let last = self.step + SLOTS as u64 - 1;
        let step = wanted.clamp(self.step, last);
        self.slots[(step % SLOTS as u64) as usize].push(entry);
    }

    fn step_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        (since.as_millis() / TICK.as_millis()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_fires_once_and_never_early() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let id = ConnectionId::random();
        for ms in [0_u64, 50, 100, 999, 30_000, 70_000, 200_000] {
            wheel.set(start + Duration::from_millis(ms), id, Clock::Pong(ms as u32));
        }
        let mut fired = Vec::new();
        for tick in 0..2_100_u64 {
            let now = start + TICK * tick as u32;
            for (_, clock) in wheel.due(now) {
                let Clock::Pong(ms) = clock else { panic!("another clock") };
                let late = tick * 100 - u64::from(ms);
                assert!(u64::from(ms) <= tick * 100 && late <= 200, "{ms} at {}", tick * 100);
                fired.push(ms);
            }
        }
        assert_eq!(fired, [0, 50, 100, 999, 30_000, 70_000, 200_000]);
    }

    #[test]
    fn nothing_is_lost_over_a_standstill() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let id = ConnectionId::random();
        for ms in (0..400_000_u64).step_by(1_000) {
            wheel.set(start + Duration::from_millis(ms), id, Clock::Ping);
        }
        let first = wheel.due(start + Duration::from_secs(300)).len();
        let mut rest = 0;
        for tick in 3_000..4_100_u32 {
            rest += wheel.due(start + TICK * tick).len();
        }
        assert_eq!((first >= 299, first + rest), (true, 400));
    }
}
