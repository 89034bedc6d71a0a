//! How a gateway goes: unready, for a moment still accepting, sockets closed in a paced order,
//! bindings and lease given back, done. Every wait is bounded.
use std::time::Duration;

use tokio::time::Instant;

use crate::app::Gateway;
use crate::worker::inbox::Control;

/// Between two looks whether the last sockets are gone.
const LOOK: Duration = Duration::from_millis(50);

/// Drains the gateway. Clients come back to others by themselves: 3001 tells them to.
pub async fn run(gateway: &Gateway) {
    let config = &gateway.config().drain;
    let life = gateway.life();
    life.leaving.cancel();
    tracing::info!(connections = gateway.hub().connections(), "the gateway drains");
    // The balancer needs a moment to notice; until then it still sends new sockets.
    tokio::time::sleep(Duration::from_millis(config.accept_ms)).await;
    life.closed.cancel();

    gateway.hub().order(Control::Drain { window_ms: config.window_ms }).await;
    let window = Duration::from_millis(config.window_ms + config.finish_ms);
    let deadline = Instant::now() + window;
    while gateway.hub().connections() > 0 && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
    let left = gateway.hub().connections();
    if left > 0 {
        tracing::warn!(left, "some connections did not end in time");
    }
    gateway.bindings().drop_all();
    // The leaves of the last connections, then the lease itself.
    gateway.roster().flush().await;
    life.stop.cancel();
    life.tasks.close();
    let finish = Duration::from_millis(config.finish_ms);
    if tokio::time::timeout(finish, life.tasks.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    life.gone.cancel();
}
