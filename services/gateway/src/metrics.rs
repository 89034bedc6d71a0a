//! Every figure of the gateway, described once. No label ever names a room or a user.
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::limit::Limit;

/// Made at the start: an alert that looks for a rise does not see a counter that is born with its
/// first fault.
const COUNTERS: &[(&str, &str)] = &[
    ("roomcast_gateway_connections_opened_total", "Sockets that were opened"),
    ("roomcast_gateway_deliveries_total", "Items brought to members from the live path"),
    ("roomcast_gateway_frames_encoded_total", "Pushes encoded; each is shared by all members"),
    ("roomcast_gateway_live_dropped_total", "Unpositioned pushes dropped from full inboxes"),
    ("roomcast_gateway_members_lost_total", "Members told to start over (2500)"),
    ("roomcast_gateway_fills_total", "Ranges fetched because the bus did not bring them"),
    ("roomcast_gateway_fill_errors_total", "Fetches that failed and are tried again"),
    ("roomcast_gateway_pages_total", "Pages of history read for members behind the ring"),
    ("roomcast_gateway_room_restarts_total", "Rooms whose log was begun anew"),
    ("roomcast_gateway_positions_above_head_total", "Clients that had seen what the log lost"),
    ("roomcast_gateway_room_events_total", "Room events that the bus brought"),
    ("roomcast_gateway_room_events_unwanted_total", "Room events for rooms that are not held"),
    ("roomcast_gateway_orders_total", "Orders obeyed"),
    ("roomcast_gateway_heads_reopened_total", "Times that the heads stream ended"),
    ("roomcast_gateway_presence_leases_total", "Presence leases taken"),
];

/// Each value of a label is born when it is first counted; limits are known before.
const LABELLED: &[(&str, &str)] = &[
    ("roomcast_gateway_closes_total", "Sockets that the gateway closed, by close code"),
    ("roomcast_gateway_connects_refused_total", "Connects that failed, by reason"),
    ("roomcast_gateway_commands_total", "Commands taken, by verb"),
    ("roomcast_gateway_ordered_subscribes_total", "Subscribes by order, by outcome"),
    ("roomcast_gateway_limited_total", "Times that a limit bit, by its key in gateway.limits"),
    ("roomcast_gateway_certificate_reloads_total", "Changed certificates, by outcome"),
    ("roomcast_gateway_upgrades_total", "Requests for a socket or stream, by outcome"),
    ("roomcast_gateway_http_requests_total", "HTTP answers, by route and status"),
    ("roomcast_gateway_hops_total", "Frames brought to other gateways, by outcome"),
];

const GAUGES: &[(&str, &str)] = &[
    ("roomcast_gateway_connections", "Open sockets"),
    ("roomcast_gateway_rooms", "Rooms held"),
    ("roomcast_gateway_rooms_behind", "Rooms whose log is known to hold more than was read here"),
    ("roomcast_gateway_items_behind", "Items that these rooms are behind their heads, together"),
    ("roomcast_gateway_ring_bytes", "Memory of all rings, roughly"),
    ("roomcast_gateway_bindings", "Bindings asked for or standing"),
    ("roomcast_gateway_bindings_by_shard", "1 while whole shards are bound"),
    ("roomcast_gateway_degraded", "1 while the broker is away"),
    ("roomcast_gateway_heads_stream", "1 while the heads stream is open"),
    ("roomcast_gateway_presence_lease", "1 while a presence lease is held"),
    ("roomcast_gateway_certificate_expiry_seconds", "When the certificate ends, Unix time"),
];

/// Of these, what is 0 until something happens.
const BORN: &[&str] = &[
    "roomcast_gateway_connections",
    "roomcast_gateway_degraded",
    "roomcast_gateway_heads_stream",
    "roomcast_gateway_presence_lease",
];

/// Describes all figures to the recorder, and makes those that an alert looks at.
pub fn describe() {
    for (name, text) in COUNTERS {
        describe_counter!(*name, *text);
        counter!(*name).absolute(0);
    }
    for (name, text) in LABELLED {
        describe_counter!(*name, *text);
    }
    for limit in Limit::ALL {
        counter!("roomcast_gateway_limited_total", "limit" => limit.key()).absolute(0);
    }
    for (name, text) in GAUGES {
        describe_gauge!(*name, *text);
    }
    for name in BORN {
        gauge!(*name).set(0.0);
    }
}

/// How many rooms are behind their heads, and by how many items together.
pub fn behind(rooms: u64, items: u64) {
    gauge!("roomcast_gateway_rooms_behind").set(rooms as f64);
    gauge!("roomcast_gateway_items_behind").set(items as f64);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    #[test]
    fn what_counts_faults_is_there_before_the_first_one() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, super::describe);
        let text = recorder.handle().render();
        for name in ["members_lost_total", "positions_above_head_total", "degraded"] {
            assert!(text.contains(&format!("\nroomcast_gateway_{name} 0\n")), "{name}: {text}");
        }
        assert!(!text.contains("roomcast_gateway_closes_total"), "it has labels: {text}");
    }
}
