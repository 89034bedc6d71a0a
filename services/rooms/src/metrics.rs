//! What the service counts. No room's and no principal's name is in a label.
//!
//! What counts faults is made at the start: an alert that looks for a rise does not see a counter
//! that is born with its first fault.
use std::time::Duration;

use domain::{Error, Result};

/// Makes the counters of faults, at zero.
pub(crate) fn begin() {
    for name in [
        "roomcast_rooms_commit_repeats_total",
        "roomcast_rooms_commit_one_by_one_total",
        "roomcast_rooms_position_above_head_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    metrics::counter!("roomcast_rooms_watch_streams_ended_total", "cause" => "not_read")
        .absolute(0);
}

/// A publish was answered.
pub(crate) fn published<T>(result: &Result<T>) {
    let outcome = result.as_ref().map_or_else(|error: &Error| error.reason.word(), |_| "ok");
    metrics::counter!("roomcast_rooms_publishes_total", "outcome" => outcome).increment(1);
}

/// A batch was committed, or given up.
pub(crate) fn committed(items: usize, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a batch has some hundred items")]
    metrics::histogram!("roomcast_rooms_batch_items").record(items as f64);
    metrics::histogram!("roomcast_rooms_commit_seconds").record(took.as_secs_f64());
}

/// A batch had to be appended again.
pub(crate) fn repeated() {
    metrics::counter!("roomcast_rooms_commit_repeats_total").increment(1);
}

/// A value that the database refused sent a batch through one by one.
pub(crate) fn one_by_one() {
    metrics::counter!("roomcast_rooms_commit_one_by_one_total").increment(1);
}

/// Publishes that wait in all lanes changed by so many.
pub(crate) fn waiting(change: f64) {
    metrics::gauge!("roomcast_rooms_waiting_publishes").increment(change);
}

/// A position above its room's head was shown.
pub(crate) fn position_above_head() {
    metrics::counter!("roomcast_rooms_position_above_head_total").increment(1);
}

/// A tick of the heads watch read so many heads.
pub(crate) fn tick(took: Duration, rooms: usize, streams: usize) {
    metrics::histogram!("roomcast_rooms_heads_tick_seconds").record(took.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    {
        metrics::gauge!("roomcast_rooms_watched_rooms").set(rooms as f64);
        metrics::gauge!("roomcast_rooms_watch_streams").set(streams as f64);
    }
}

/// A gateway's stream was ended because it was not read.
pub(crate) fn stream_not_read() {
    metrics::counter!("roomcast_rooms_watch_streams_ended_total", "cause" => "not_read")
        .increment(1);
}

/// The janitor removed something.
pub(crate) fn trimmed(what: &'static str, rows: u64) {
    metrics::counter!("roomcast_rooms_trimmed_total", "what" => what).increment(rows);
}

/// The state of a pool of connections.
pub(crate) fn pool(name: &'static str, open: u32, idle: usize) {
    metrics::gauge!("roomcast_rooms_connections_open", "pool" => name).set(f64::from(open));
    #[expect(clippy::cast_precision_loss, reason = "a pool has some dozen connections")]
    metrics::gauge!("roomcast_rooms_connections_idle", "pool" => name).set(idle as f64);
}
