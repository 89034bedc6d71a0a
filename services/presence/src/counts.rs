//! Figures that many ask for at once, read once and kept for a moment.
//!
//! Each page polls its room's counts, so one pod reads each figure at most once per `age`, however
//! many ask; callers that come during the read share it. Failures are not kept. Bounded: what
//! does not fit is read directly.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use domain::Result;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Values that are at most `age` old.
pub(crate) struct Recent<K, V> {
    age: Duration,
    rows_max: usize,
    rows: Mutex<HashMap<K, Row<V>>>,
}

struct Row<V> {
    /// Before its read began, so that a value is never older than it looks.
    made_at: Instant,
    value: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V: Copy> Recent<K, V> {
    pub(crate) fn new(age: Duration, rows_max: usize) -> Self {
        Self { age, rows_max, rows: Mutex::new(HashMap::new()) }
    }

    /// The kept value, or what `read` gives.
    pub(crate) async fn get(
        &self,
        key: K,
        read: impl Future<Output = Result<V>> + Send,
    ) -> Result<V> {
        match self.cell(key) {
            Some(cell) => cell.get_or_try_init(|| read).await.copied(),
            None => read.await,
        }
    }

    /// The next `get` reads anew.
    pub(crate) fn forget<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.rows.lock().remove(key);
    }

    fn cell(&self, key: K) -> Option<Arc<OnceCell<V>>> {
        let now = Instant::now();
        let fresh = |row: &Row<V>| now.duration_since(row.made_at) < self.age;
        let mut rows = self.rows.lock();
        if let Some(row) = rows.get(&key).filter(|row| fresh(row)) {
            return Some(row.value.clone());
        }
        if rows.len() >= self.rows_max {
            rows.retain(|_, row| fresh(row));
            if rows.len() >= self.rows_max {
                return None;
            }
        }
        let value = Arc::new(OnceCell::new());
        rows.insert(key, Row { made_at: now, value: value.clone() });
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Error;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_figure_is_read_once_for_all_who_ask_and_again_when_it_is_old() {
        let recent = Recent::new(Duration::from_millis(250), 10);
        let reads = AtomicU32::new(0);
        let read = || async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(reads.fetch_add(1, Ordering::SeqCst) + 1)
        };
        let (a, b) = tokio::join!(recent.get("x", read()), recent.get("x", read()));
        assert_eq!((a, b), (Ok(1), Ok(1)));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(recent.get("x", read()).await, Ok(2));
        recent.forget("x");
        assert_eq!(recent.get("x", read()).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept() {
        let recent = Recent::new(Duration::from_secs(1), 10);
        let down = async { Err::<u32, _>(Error::unavailable("down")) };
        assert!(recent.get("x", down).await.is_err());
        assert_eq!(recent.get("x", async { Ok(7) }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn more_keys_than_fit_are_read_directly() {
        let recent = Recent::new(Duration::from_secs(1), 2);
        for key in 0..5 {
            assert_eq!(recent.get(key, async { Ok(1) }).await, Ok(1));
        }
        assert_eq!(recent.rows.lock().len(), 2);
        assert_eq!(recent.get(4, async { Ok(2) }).await, Ok(2));
    }
}
