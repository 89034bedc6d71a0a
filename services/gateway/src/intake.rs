//! Takes what the bus brings and hands each piece to whom it concerns.
//!
//! One task, and it never waits for a member: a room's items go into its ring, everything else
//! into the workers' inboxes. What comes for a room that is not held is counted and dropped; one
//! that lingers keeps its ring, so that a member who comes back finds it.
use std::sync::Arc;

use bus::{BusEvent, DirectEvent};
use domain::{RoomEvent, RoomTraffic, SystemEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::Gateway;
use crate::worker::inbox::Control;

/// Reads events until `stop`.
pub async fn run(
    gateway: Arc<Gateway>,
    mut events: mpsc::Receiver<BusEvent>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Some(event) => take(&gateway, event).await,
            None => return,
        }
    }
}

async fn take(gateway: &Arc<Gateway>, event: BusEvent) {
    match event {
        BusEvent::Up => gateway.bindings().restored(),
        BusEvent::Down => gateway.bindings().lost(),
        BusEvent::Bound(key) => gateway.bindings().bound(&key),
        BusEvent::Unbound(key) => gateway.bindings().unbound(&key),
        BusEvent::Room(event) => bring(gateway, &event),
        BusEvent::System(SystemEvent::Order(order)) => {
            gateway.orders().obey(gateway.hub(), order, false).await;
        }
        BusEvent::Direct(DirectEvent::Disconnect { connection, reason }) => {
            gateway.hub().order(Control::Close { connection, reason }).await;
        }
        BusEvent::Direct(DirectEvent::Drain) => gateway.begin_drain(),
    }
}

fn bring(gateway: &Gateway, event: &RoomEvent) {
    metrics::counter!("roomcast_gateway_room_events_total").increment(1);
    let Some(room) = gateway.rooms().get(&event.room) else {
        metrics::counter!("roomcast_gateway_room_events_unwanted_total").increment(1);
        return;
    };
    match &event.traffic {
        RoomTraffic::Items(batch) => gateway.filler().see_to(&room, room.offer(batch)),
        RoomTraffic::Ephemeral(_) | RoomTraffic::Signals(_) => gateway.hub().live(&room, event),
    }
}
