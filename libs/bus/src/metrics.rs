//! The names of the bus's metrics, each in one place. No label holds a room or a principal.
//!
//! What counts faults is made at the start: an alert that looks for a rise does not see a counter
//! that is born with its first fault.
use metrics::{counter, gauge};

use crate::Outbound;

/// Makes the counters of faults of a connection to the broker, at zero.
pub(crate) fn begin(side: &'static str) {
    for name in ["roomcast_bus_dropped_total", "roomcast_bus_reconnects_total"] {
        counter!(name, "side" => side).absolute(0);
    }
    match side {
        "publish" => counter!("roomcast_bus_unconfirmed_total").absolute(0),
        _ => counter!("roomcast_bus_undecodable_total").absolute(0),
    }
}

/// The short name of an exchange, as a label.
pub(crate) fn exchange(out: &Outbound) -> &'static str {
    match out {
        Outbound::Room(_) => "events",
        Outbound::System(_) => "system",
        Outbound::Direct(..) => "direct",
    }
}

/// Handed to the broker, or to the in-process consumers.
pub(crate) fn published(exchange: &'static str) {
    counter!("roomcast_bus_published_total", "exchange" => exchange).increment(1);
}

/// Pushed out of a full buffer: `publish` on the way out, `consume` on the way in (in-process only,
/// the broker drops by itself).
pub(crate) fn dropped(side: &'static str, count: u64) {
    if count > 0 {
        counter!("roomcast_bus_dropped_total", "side" => side).increment(count);
    }
}

/// Confirmed by the broker.
pub(crate) fn confirmed(count: u64) {
    counter!("roomcast_bus_confirmed_total").increment(count);
}

/// Refused by the broker, or lost with the connection before a confirm.
pub(crate) fn unconfirmed(count: u64) {
    if count > 0 {
        counter!("roomcast_bus_unconfirmed_total").increment(count);
    }
}

/// Handed to the gateway's own code.
pub(crate) fn delivered(exchange: &'static str) {
    counter!("roomcast_bus_delivered_total", "exchange" => exchange).increment(1);
}

/// A message from the broker that could not be read.
pub(crate) fn undecodable() {
    counter!("roomcast_bus_undecodable_total").increment(1);
}

/// Whether a side's connection stands.
pub(crate) fn connected(side: &'static str, up: bool) {
    gauge!("roomcast_bus_connected", "side" => side).set(if up { 1.0 } else { 0.0 });
}

/// A side lost its connection and begins again.
pub(crate) fn reconnects(side: &'static str) {
    counter!("roomcast_bus_reconnects_total", "side" => side).increment(1);
}

/// Bindings of rooms and shards that stand.
pub(crate) fn bindings(count: usize) {
    gauge!("roomcast_bus_bindings").set(count as f64);
}

/// Binds and unbinds that the broker has done.
pub(crate) fn bind_steps(count: usize) {
    counter!("roomcast_bus_bind_steps_total").increment(count as u64);
}
