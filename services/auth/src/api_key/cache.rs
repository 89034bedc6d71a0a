//! What the store said about keys within the last two seconds.
//!
//! Bounded; when it is full of fresh rows, further ones are simply not kept. Age counts from
//! the moment the store was asked, so a slow answer is not believed any longer.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::store::KeyRow;

/// How long a row is believed.
const TTL: Duration = Duration::from_secs(2);
/// Most rows kept.
const ROWS_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Cache {
    rows: Mutex<HashMap<String, (Arc<KeyRow>, Instant)>>,
}

impl Cache {
    /// The row of a key, if it is fresh.
    pub(super) fn get(&self, key_id: &str) -> Option<Arc<KeyRow>> {
        let rows = self.rows.lock();
        rows.get(key_id).filter(|(_, asked)| asked.elapsed() < TTL).map(|(row, _)| Arc::clone(row))
    }

    /// Keeps a row for which the store was asked at `asked`.
    pub(super) fn put(&self, row: Arc<KeyRow>, asked: Instant) {
        let mut rows = self.rows.lock();
        if rows.len() >= ROWS_MAX {
            rows.retain(|_, (_, asked)| asked.elapsed() < TTL);
        }
        if rows.len() < ROWS_MAX {
            rows.insert(row.info.key_id.clone(), (row, asked));
        }
    }

    /// Forgets a key.
    pub(super) fn forget(&self, key_id: &str) {
        self.rows.lock().remove(key_id);
    }
}

#[cfg(test)]
mod tests {
    use rpc::auth::KeyInfo;

    use super::*;

    fn row(key_id: &str) -> Arc<KeyRow> {
        let info = KeyInfo {
            key_id: key_id.to_owned(),
            name: "n".to_owned(),
            roles: vec![],
            created_at_ms: 0,
            expires_at_ms: None,
            revoked_at_ms: None,
        };
        Arc::new(KeyRow { info, secret_hash: [0; 32] })
    }

    #[tokio::test(start_paused = true)]
    async fn rows_are_believed_for_two_seconds_from_the_question_on() {
        let cache = Cache::default();
        cache.put(row("a"), Instant::now());
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert!(cache.get("a").is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(cache.get("a").is_none());
        cache.put(row("b"), Instant::now() - TTL);
        assert!(cache.get("b").is_none());
        cache.put(row("c"), Instant::now());
        cache.forget("c");
        assert!(cache.get("c").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_grows_beyond_its_bound() {
        let cache = Cache::default();
        for n in 0..ROWS_MAX + 10 {
            cache.put(row(&n.to_string()), Instant::now());
        }
        assert_eq!(cache.rows.lock().len(), ROWS_MAX);
        tokio::time::advance(TTL).await;
        cache.put(row("late"), Instant::now());
        assert_eq!(cache.rows.lock().len(), 1);
    }
}
