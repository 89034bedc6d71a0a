//! Waiting for a condition: asked again and again until it holds or time is up. No test sleeps to be right.
use std::time::Duration;

use tokio::time::Instant;

/// Asks `condition` every 20 ms until it holds; fails after `wait`, naming `what` was waited for.
pub async fn until<F, Fut>(wait: Duration, what: &str, mut condition: F) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + wait;
    while !condition().await {
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {wait:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Asks `find` every 20 ms until it finds something; fails after `wait`, naming `what` was waited for.
pub async fn found<T, F, Fut>(wait: Duration, what: &str, mut find: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + wait;
    loop {
        if let Some(found) = find().await {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {wait:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
