//! What an operator sees of presence. No room, user or gateway is in a label.
//!
//! What counts faults is made at the start: an alert that looks for a rise does not see a counter
//! that is born with its first fault.
use std::time::Instant;

use domain::{Result, Signal};
use metrics::{counter, histogram};
use rpc::presence::LeaseState;

/// Makes the counters of faults, at zero.
pub(crate) fn begin() {
    counter!("roomcast_presence_leases_lost_total").absolute(0);
    counter!("roomcast_presence_swept_total").absolute(0);
}

/// Leases given.
pub(crate) fn lease_opened() {
    counter!("roomcast_presence_leases_opened_total").increment(1);
}

/// A gateway was told that its lease is lost.
pub(crate) fn lease_state(state: LeaseState) {
    if state == LeaseState::Lost {
        counter!("roomcast_presence_leases_lost_total").increment(1);
    }
}

/// A batch was applied.
pub(crate) fn batch(changes: usize) {
    counter!("roomcast_presence_batches_total").increment(1);
    counter!("roomcast_presence_changes_total").increment(changes as u64);
}

/// Signals were handed to the bus.
pub(crate) fn signals(signals: &[Signal]) {
    let joins = signals.iter().filter(|signal| matches!(signal, Signal::Join(_))).count();
    counter!("roomcast_presence_signals_total", "kind" => "join").increment(joins as u64);
    counter!("roomcast_presence_signals_total", "kind" => "leave")
        .increment((signals.len() - joins) as u64);
}

/// Entries, connections and holds were taken by the sweeper.
pub(crate) fn swept(taken: u64) {
    counter!("roomcast_presence_swept_total").increment(taken);
}

/// A call of the store began at `began` and has ended.
pub(crate) fn store_call<T>(call: &'static str, began: Instant, outcome: &Result<T>) {
    histogram!("roomcast_presence_store_seconds", "call" => call)
        .record(began.elapsed().as_secs_f64());
    if outcome.is_err() {
        counter!("roomcast_presence_store_errors_total", "call" => call).increment(1);
    }
}
