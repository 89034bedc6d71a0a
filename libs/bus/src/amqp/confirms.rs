//! The publishes that a broker has not confirmed yet.
//!
//! Nobody waits for one of them: they bound what is on its way, are counted, and the age of the
//! oldest is how a broker that takes nothing is known.
use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::metrics;

pub(super) struct Confirms {
    inner: Mutex<Inner>,
    freed: Notify,
    count_max: usize,
    bytes_max: usize,
}

struct Inner {
    /// In the order of their tags, which rise by one.
    open: VecDeque<Open>,
    /// The broker's number for the last publish: they are counted from 1 on each channel.
    last_tag: u64,
    /// The bodies' bytes of those in `open`.
    bytes: usize,
    /// When the broker last confirmed something.
    heard: Option<Instant>,
}

struct Open {
    since: Instant,
    settled: bool,
    bytes: usize,
}

impl Confirms {
    /// A channel's publishes: at most `count_max` are on their way, and about `bytes_max`.
    pub(super) fn new(count_max: usize, bytes_max: usize) -> Self {
        let inner = Inner { open: VecDeque::new(), last_tag: 0, bytes: 0, heard: None };
        Self { inner: Mutex::new(inner), freed: Notify::new(), count_max, bytes_max }
    }

    /// Notes the next publish on the channel, of so many bytes.
    pub(super) fn sent(&self, bytes: usize) {
        let mut inner = self.inner.lock();
        inner.last_tag += 1;
        inner.bytes += bytes;
        inner.open.push_back(Open { since: Instant::now(), settled: false, bytes });
    }

    /// The broker settled a tag, or (`multiple`) all up to it; `good` if it took them.
    pub(super) fn settle(&self, tag: u64, multiple: bool, good: bool) {
        let mut inner = self.inner.lock();
        let first = inner.last_tag + 1 - inner.open.len() as u64;
        let Some(index) = tag.checked_sub(first).and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        let from = if multiple { 0 } else { index };
        let mut count = 0;
        for open in inner.open.iter_mut().take(index.saturating_add(1)).skip(from) {
            count += u64::from(!std::mem::replace(&mut open.settled, true));
        }
        while let Some(open) = inner.open.pop_front_if(|open| open.settled) {
            inner.bytes -= open.bytes;
        }
        inner.heard = Some(Instant::now());
        drop(inner);
        if good {
            metrics::confirmed(count)
        } else {
            metrics::unconfirmed(count)
        }
        self.freed.notify_one();
    }

    /// Waits until one more may be on its way, with one waiter. Safe to cancel.
    pub(super) async fn room(&self) {
        while !self.has_room() {
            self.freed.notified().await;
        }
    }

    pub(super) fn has_room(&self) -> bool {
        let inner = self.inner.lock();
        inner.open.len() < self.count_max && inner.bytes < self.bytes_max
    }

    pub(super) fn count(&self) -> usize {
        self.inner.lock().open.len()
    }

    /// Whether the broker confirms: it has confirmed something, and nothing is older than `stall`.
    pub(super) fn flow(&self, stall: Duration) -> bool {
        let inner = self.inner.lock();
        let age = inner.open.front().map_or(Duration::ZERO, |open| open.since.elapsed());
        inner.heard.is_some() && age < stall
    }

    /// The age of the oldest one.
    pub(super) fn age(&self) -> Duration {
        self.inner.lock().open.front().map_or(Duration::ZERO, |open| open.since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tags_settle_alone_out_of_order_and_together() {
        let confirms = Confirms::new(4, 100);
        for _ in 0..4 {
            confirms.sent(1);
        }
        assert!(!confirms.has_room());
        confirms.settle(2, false, true);
        assert_eq!(confirms.count(), 4);
        confirms.settle(1, false, true);
        assert_eq!(confirms.count(), 2);
        confirms.settle(1, true, true);
        confirms.settle(99, false, true);
        assert_eq!(confirms.count(), 2);
        confirms.sent(1);
        confirms.settle(5, true, true);
        assert_eq!(confirms.count(), 0);
        confirms.settle(u64::MAX, true, true);
    }

    #[tokio::test]
    async fn bytes_are_a_bound_beside_the_count() {
        let confirms = Confirms::new(4, 100);
        confirms.sent(99);
        assert!(confirms.has_room());
        confirms.sent(1);
        assert!(!confirms.has_room());
        confirms.settle(1, false, true);
        confirms.room().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_publish_is_a_stall_until_it_settles() {
        let stall = Duration::from_secs(5);
        let confirms = Confirms::new(4, 100);
        assert!(!confirms.flow(stall));
        confirms.sent(1);
        confirms.settle(1, false, true);
        assert!(confirms.flow(stall));
        confirms.sent(1);
        tokio::time::advance(stall).await;
        assert!(!confirms.flow(stall));
        confirms.settle(2, false, true);
        assert!(confirms.flow(stall));
    }
}
