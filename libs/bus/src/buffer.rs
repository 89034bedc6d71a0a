//! A bounded buffer that never makes its writer wait: what does not fit pushes out the oldest.
//!
//! Many writers, one reader. Bounded by count and by a weight in bytes that the writer gives.
use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) struct Buffer<T> {
    inner: Mutex<Inner<T>>,
    filled: Notify,
    items_max: usize,
    bytes_max: usize,
}

struct Inner<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Buffer<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let inner = Mutex::new(Inner { items: VecDeque::new(), bytes: 0 });
        Self { inner, filled: Notify::new(), items_max, bytes_max }
    }

    /// Adds an item of that weight and gives how many old ones it pushed out (itself, if it fits nowhere).
    pub(crate) fn push(&self, item: T, bytes: usize) -> u64 {
        let mut dropped = 0;
        {
            let mut inner = self.inner.lock();
            inner.items.push_back((item, bytes));
            inner.bytes += bytes;
            while inner.items.len() > self.items_max || inner.bytes > self.bytes_max {
                let Some((_, bytes)) = inner.items.pop_front() else { break };
                inner.bytes -= bytes;
                dropped += 1;
            }
        }
        self.filled.notify_one();
        dropped
    }

    /// Takes the oldest item. `join` is offered each next one: it takes it in and gives `None`, or
    /// gives it back, which ends the joining.
    pub(crate) fn pop(&self, mut join: impl FnMut(&mut T, T) -> Option<T>) -> Option<T> {
        let mut inner = self.inner.lock();
        let (mut first, bytes) = inner.items.pop_front()?;
        inner.bytes -= bytes;
        while let Some((next, bytes)) = inner.items.pop_front() {
            match join(&mut first, next) {
                None => inner.bytes -= bytes,
                Some(next) => {
                    inner.items.push_front((next, bytes));
                    break;
                }
            }
        }
        Some(first)
    }

    /// Waits until there is something, with one reader. Safe to cancel.
    pub(crate) async fn filled(&self) {
        while self.is_empty() {
            self.filled.notified().await;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(buffer: &Buffer<u32>) -> Vec<u32> {
        std::iter::from_fn(|| buffer.pop(|_, next| Some(next))).collect()
    }

    #[test]
    fn the_oldest_goes_first_by_count_and_by_weight() {
        let buffer = Buffer::new(3, 100);
        assert_eq!((1..=5).map(|n| buffer.push(n, 1)).sum::<u64>(), 2);
        assert_eq!(buffer.push(6, 99), 2);
        assert_eq!(drain(&buffer), [5, 6]);
        assert_eq!(buffer.push(7, 101), 1);
        assert!(buffer.is_empty());
        assert_eq!(buffer.push(8, 100), 0);
    }

    #[test]
    fn neighbours_are_joined_until_one_is_given_back() {
        let buffer = Buffer::new(10, 100);
        for n in [1, 2, 30, 4] {
            buffer.push(n, 1);
        }
        let small = |sum: &mut u32, next: u32| {
            (next >= 10).then_some(next).or_else(|| {
                *sum += next;
                None
            })
        };
        assert_eq!(buffer.pop(small), Some(3));
        assert_eq!(drain(&buffer), [30, 4]);
    }

    #[tokio::test]
    async fn a_reader_is_woken() {
        let buffer = std::sync::Arc::new(Buffer::new(1, 1));
        let reader = tokio::spawn({
            let buffer = buffer.clone();
            async move { buffer.filled().await }
        });
        tokio::task::yield_now().await;
        buffer.push(1, 1);
        reader.await.unwrap();
    }
}
