//! Every figure of the gateway, described once. No label ever names a room or a user.
use metrics::{describe_counter, describe_gauge};

const COUNTERS: &[(&str, &str)] = &[
    ("roomcast_gateway_connections_opened_total", "Sockets that were opened"),
    ("roomcast_gateway_closes_total", "Sockets that the gateway closed, by close code"),
    ("roomcast_gateway_connects_refused_total", "Connects that failed, by reason"),
    ("roomcast_gateway_commands_total", "Commands taken, by verb"),
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
    ("roomcast_gateway_ordered_subscribes_total", "Subscribes by order, by outcome"),
    ("roomcast_gateway_heads_reopened_total", "Times that the heads stream ended"),
    ("roomcast_gateway_limited_total", "Times that a limit bit, by its key in gateway.limits"),
    ("roomcast_gateway_presence_leases_total", "Presence leases taken"),
    ("roomcast_gateway_certificate_reloads_total", "Changed certificates, by outcome"),
];

const GAUGES: &[(&str, &str)] = &[
    ("roomcast_gateway_connections", "Open sockets"),
    ("roomcast_gateway_rooms", "Rooms held"),
    ("roomcast_gateway_ring_bytes", "Memory of all rings, roughly"),
    ("roomcast_gateway_bindings", "Bindings asked for or standing"),
    ("roomcast_gateway_bindings_by_shard", "1 while whole shards are bound"),
    ("roomcast_gateway_degraded", "1 while the broker is away"),
    ("roomcast_gateway_heads_stream", "1 while the heads stream is open"),
    ("roomcast_gateway_presence_lease", "1 while a presence lease is held"),
    ("roomcast_gateway_certificate_expiry_seconds", "When the certificate ends, Unix time"),
];

/// Describes all figures to the recorder.
pub fn describe() {
    for (name, text) in COUNTERS {
        describe_counter!(*name, *text);
    }
    for (name, text) in GAUGES {
        describe_gauge!(*name, *text);
    }
}
