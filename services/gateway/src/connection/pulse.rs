//! A connection's clocks: connect, pings and pongs, the ends of its tokens, a slow socket.
//!
//! They lie in the worker's wheel; when one rings, the connection looks whether it still means
//! anything. A transient failure never ends in a terminal code.
use std::cell::Cell;
use std::time::Duration;

use wire::CloseCode;

use super::subscription::Terms;
use super::timer::Clock;
use super::{Connection, Identity, Stage, frame};
use crate::clock::now_ms;
use crate::limit::Limit;

/// Between two looks at an ended credential while auth cannot be asked.
const OUTAGE_LOOK_MS: i64 = 1_000;
/// The longest that an expiry's clock is set for.
const DAY_MS: i64 = 86_400_000;

impl Connection {
    /// One of its clocks rang.
    pub fn rang(&self, clock: Clock) {
        match clock {
            Clock::Connect => {
                if matches!(self.stage(), Stage::Fresh) {
                    Limit::ConnectTimeout.bites();
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
                    Limit::Pong.bites();
                    self.close(CloseCode::NoPong, "");
                }
            }
            Clock::Expiry => self.look_at_expiry(),
            Clock::Subscriptions => self.look_at_subscriptions(),
            Clock::Slow => {
                self.slow_armed.set(false);
                if self.writer.stuck() {
                    Limit::Slow.bites();
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

    /// Sees to it that the end of its credential is noticed, once its grace is over too.
    pub fn arm_expiry(&self, identity: &Identity) {
        if let Some(expires_at) = identity.expires_at_ms.get() {
            let end = self.end_of(expires_at, identity.refreshable);
            self.look_at(&self.expiry_look, Clock::Expiry, end);
        }
    }

    /// The same for the token of a subscription.
    pub fn arm_subscription(&self, terms: &Terms) {
        if let Some(until_ms) = terms.until_ms.get() {
            let end = self.end_of(until_ms, terms.refreshable);
            self.look_at(&self.subscriptions_look, Clock::Subscriptions, end);
        }
    }

    /// A pong came. False if there is no ping that it could answer.
    pub fn pong(&self) -> bool {
        let (sent, answered) = self.pings.get();
        self.pings.set((sent, sent));
        sent > answered
    }

    fn ping(&self) {
        let (sent, answered) = self.pings.get();
        self.pings.set((sent + 1, answered));
        let ping = if self.native_pings() {
            frame::ping()
        } else {
            self.carrier().wrap(&self.carrier().format().ping())
        };
        let pushed = self.writer.urgent(ping);
        self.after_push(pushed);
        let (pong, ping) = (self.limits().pong_ms, self.settings().ping_ms);
        self.worker.set_clock(Duration::from_millis(pong), self.id, Clock::Pong(sent + 1));
        self.worker.set_clock(Duration::from_millis(ping), self.id, Clock::Ping);
    }

    /// Sets a clock for a moment, unless one for an earlier look is set already: so refreshes, however
    /// many, leave no more than one clock behind.
    fn look_at(&self, due: &Cell<Option<i64>>, clock: Clock, at_ms: i64) {
        let now = now_ms();
        // Whatever a token claims, the clock rings once a day.
        let at_ms = at_ms.clamp(now, now + DAY_MS);
        if due.get().is_some_and(|earlier| earlier <= at_ms) {
            return;
        }
        due.set(Some(at_ms));
        let wait = Duration::from_millis((at_ms - now) as u64);
        self.worker.set_clock(wait, self.id, clock);
    }

    /// The grace is for a fresh token; where none can come there is none.
    fn end_of(&self, until_ms: i64, refreshable: bool) -> i64 {
        let grace_ms = if refreshable { self.settings().expiry_grace_ms } else { 0 };
        until_ms.saturating_add(grace_ms as i64)
    }

    /// When to look again at a token that ended at `until_ms`; `None`: its time is over.
    fn again(&self, until_ms: i64, refreshable: bool) -> Option<i64> {
        let (now, end) = (now_ms(), self.end_of(until_ms, refreshable));
        if now < end {
            return Some(end);
        }
        // A client cannot refresh while auth cannot be asked.
        let outage_end = end.saturating_add(self.settings().auth_outage_grace_ms as i64);
        let wait = self.gateway().peers().auth_away() && now < outage_end;
        wait.then_some(now + OUTAGE_LOOK_MS)
    }

    fn look_at_expiry(&self) {
        self.expiry_look.set(None);
        let Some(identity) = self.identity() else { return };
        let Some(expires_at) = identity.expires_at_ms.get() else { return };
        match self.again(expires_at, identity.refreshable) {
            Some(at_ms) => self.look_at(&self.expiry_look, Clock::Expiry, at_ms),
            None => self.close(CloseCode::Expired, ""),
        }
    }

    fn look_at_subscriptions(&self) {
        self.subscriptions_look.set(None);
        for (member, terms) in self.live() {
            let Some(until_ms) = terms.until_ms.get() else { continue };
            match self.again(until_ms, terms.refreshable) {
                Some(at_ms) => {
                    self.look_at(&self.subscriptions_look, Clock::Subscriptions, at_ms);
                }
                None => self.expire_subscription(member.room.name()),
            }
        }
    }

    /// Looks after a while whether the socket takes what is queued; one clock at a time.
    pub(super) fn arm_slow(&self) {
        // A little queue is gone by the end of this turn; only a real one is worth a clock.
        if self.writer.queued() >= self.limits().feed_pause_bytes / 2
            && !self.slow_armed.replace(true)
        {
            let wait = Duration::from_millis(self.limits().slow_ms);
            self.worker.set_clock(wait, self.id, Clock::Slow);
        }
    }
}
