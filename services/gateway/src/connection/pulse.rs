//! A connection's clocks: connect, pings and pongs, the end of its credential, a slow socket.
//!
//! They lie in the worker's wheel; when one rings, the connection looks whether it still means
//! anything. A transient failure never ends in a terminal code.
use std::time::Duration;

use wire::CloseCode;

use super::timer::Clock;
use super::{Connection, Identity, Stage, frame};
use crate::clock::now_ms;

/// Between two looks at an ended credential while auth cannot be asked.
const OUTAGE_LOOK: Duration = Duration::from_secs(1);
/// The longest that an expiry's clock is set for.
const DAY_MS: i64 = 86_400_000;

impl Connection {
    /// One of its clocks rang.
    pub fn rang(&self, clock: Clock) {
        match clock {
            Clock::Connect => {
                if matches!(self.stage(), Stage::Fresh) {
                    self.close(CloseCode::ConnectTimeout, "");
                }
            }
            Clock::Stale => match self.stage() {
                // A transient failure never ends in a terminal code.
                Stage::Failed { transient: true } => self.close(CloseCode::ConnectTimeout, ""),
                Stage::Failed { transient: false } => self.close(CloseCode::Stale, ""),
                _ => {}
            },
            Clock::Ping => self.ping(),
            Clock::Pong(number) => {
                if self.pings.get().1 < number {
                    self.close(CloseCode::NoPong, "");
                }
            }
            Clock::Expiry => self.look_at_expiry(),
            Clock::Slow => {
                self.slow_armed.set(false);
                if self.writer.stuck() {
                    self.close(CloseCode::Slow, "");
                } else if self.writer.queued() > 0 {
                    self.arm_slow();
                }
            }
        }
    }

    /// Starts the clocks of a connection that may act.
    pub fn start_pings(&self) {
        let interval = self.settings().ping_ms;
        let first = rand::random_range(interval / 2..=interval);
        self.worker.set_clock(Duration::from_millis(first), self.id, Clock::Ping);
    }

    /// Sets the clock for the end of its credential and the grace.
    pub fn arm_expiry(&self, identity: &Identity) {
        if let Some(expires_at) = identity.expires_at_ms.get() {
            let grace = self.settings().expiry_grace_ms as i64;
            let left = expires_at.saturating_add(grace) - now_ms();
            // Whatever a token claims, the clock rings once a day.
            let wait = Duration::from_millis(left.clamp(0, DAY_MS) as u64);
            self.worker.set_clock(wait, self.id, Clock::Expiry);
        }
    }

    /// A pong came. False if there is no ping that it could answer.
    pub fn pong(&self) -> bool {
        let (sent, answered) = self.pings.get();
        self.pings.set((sent, sent));
        sent > answered
    }

    fn ping(&self) {
        let settings = self.settings();
        let (sent, answered) = self.pings.get();
        self.pings.set((sent + 1, answered));
        let ping = if self.native_pings { frame::ping() } else { frame::text(&self.format.ping()) };
        let pushed = self.writer.urgent(ping);
        self.after_push(pushed);
        let (pong, ping) = (settings.pong_ms, settings.ping_ms);
        self.worker.set_clock(Duration::from_millis(pong), self.id, Clock::Pong(sent + 1));
        self.worker.set_clock(Duration::from_millis(ping), self.id, Clock::Ping);
    }

    fn look_at_expiry(&self) {
        let Some(identity) = self.identity() else { return };
        let Some(expires_at) = identity.expires_at_ms.get() else { return };
        let settings = self.settings();
        let end = expires_at.saturating_add(settings.expiry_grace_ms as i64);
        let now = now_ms();
        if now < end {
            // The clock of an older credential, whose newer one has its own; or a day has passed.
            if end - now > DAY_MS {
                self.worker.set_clock(Duration::from_millis(DAY_MS as u64), self.id, Clock::Expiry);
            }
            return;
        }
        // A client cannot refresh while auth cannot be asked.
        let outage_end = end + settings.auth_outage_grace_ms as i64;
        if self.gateway().peers().auth_away() && now < outage_end {
            self.worker.set_clock(OUTAGE_LOOK, self.id, Clock::Expiry);
        } else {
            self.close(CloseCode::Expired, "");
        }
    }

    /// Looks after a while whether the socket takes what is queued; one clock at a time.
    pub(super) fn arm_slow(&self) {
        // A little queue is gone by the end of this turn; only a real one is worth a clock.
        if self.writer.queued() >= self.settings().feed_pause_bytes / 2
            && !self.slow_armed.replace(true)
        {
            let wait = Duration::from_millis(self.settings().slow_ms);
            self.worker.set_clock(wait, self.id, Clock::Slow);
        }
    }
}
