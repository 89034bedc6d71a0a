//! How many people are in a room, as presence has it.
use std::cell::Cell;
use std::time::Duration;

use serde_json::json;
use testkit::client::{Client, CommandError};
use testkit::poll;
use tokio::time::Instant;

/// Longer than any answer may be old (`presence.counts_age_ms`), and enough questions to reach every pod.
const SETTLED: Duration = Duration::from_secs(1);
/// Between two questions: a connection may ask ten a second lastingly.
const PAUSE: Duration = Duration::from_millis(150);

/// What whichever pod is asked says now.
pub async fn ask(client: &Client, room: &str) -> Result<u64, CommandError> {
    let stats = client.command("presence_stats", json!({"channel": room})).await?;
    Ok(stats["num_users"].as_u64().unwrap_or(0))
}

/// Waits until every answer is `count`, from `wait` on at the latest: a single one may be a quarter
/// of a second old, and the next pod's another.
pub async fn settles(client: &Client, room: &str, count: u64, wait: Duration) {
    let since = Cell::new(Instant::now());
    poll::until(wait + SETTLED, &format!("{count} people, said by every pod"), || async {
        tokio::time::sleep(PAUSE).await;
        if ask(client, room).await.ok() != Some(count) {
            since.set(Instant::now());
        }
        since.get().elapsed() > SETTLED
    })
    .await
    .unwrap();
}
