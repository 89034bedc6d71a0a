//! The tests across services: the real binaries, real parts, and a recorder that checks every delivery.
//!
//! One executable, so that tests share a broker and a database server. They take turns: a fault's
//! timing means nothing while another test loads the same two cores.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]
mod admin;
mod backend;
mod bad_input;
mod bindings;
mod broker_dies;
mod chat;
mod database_dies;
mod drain;
mod every_delivery;
mod gateway_dies;
mod head_count;
mod long_absence;
mod paused_processes;
mod presence_store_dies;
mod rooms_dies;
mod sdk;
mod service_tls;
mod since;
mod stores_tls;
mod traces;
mod upgrade;
mod ways_in;

use std::sync::LazyLock;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

/// Held by each test while it runs.
static TURN: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));

async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// As many seconds.
const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
