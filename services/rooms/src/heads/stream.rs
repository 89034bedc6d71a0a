//! One gateway's stream: what it holds comes in, heartbeats go out.
use std::sync::Arc;
use std::time::Duration;

use domain::GatewayId;
use rpc::rooms::{HeldRooms, WatchEvent};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Heads;
use super::table::StreamId;
use crate::metrics;

const HEARTBEAT: Duration = Duration::from_secs(1);

/// Serves the stream until one side ends it.
pub(super) async fn serve(
    heads: Arc<Heads>,
    id: StreamId,
    gateway: GatewayId,
    mut held: mpsc::Receiver<HeldRooms>,
    out: mpsc::Sender<WatchEvent>,
) {
    let mut beats = tokio::time::interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let why = loop {
        tokio::select! {
            () = heads.shutdown.cancelled() => break "this pod is going",
            () = out.closed() => break "the gateway closed it",
            change = held.recv() => match change {
                None => break "the gateway closed it",
                Some(change) => {
                    let change = only_stored(&heads, change, &out);
                    if !heads.table.lock().change(id, change, heads.limits.rooms_max) {
                        break "it holds too many rooms, or was not read";
                    }
                    heads.wake.notify_one();
                }
            },
            _ = beats.tick() => {
                if out.try_send(WatchEvent::Heartbeat).is_err() || !heads.table.lock().has(id) {
                    metrics::stream_not_read();
                    break "it was not read";
                }
            }
        }
    };
    heads.table.lock().close(id);
    tracing::info!(%gateway, why, "a gateway's stream ended");
}

/// Rooms without a log have one head for ever, told at once; names that no room can have are
/// dropped.
fn only_stored(heads: &Heads, mut change: HeldRooms, out: &mpsc::Sender<WatchEvent>) -> HeldRooms {
    let mut without_log = Vec::new();
    change.add.retain(|room| match heads.kinds.of(room) {
        Ok(kind) if kind.stored => true,
        Ok(_) => {
            without_log.push((room.clone(), domain::Position::default()));
            false
        }
        Err(_) => false,
    });
    if !without_log.is_empty() {
        // A full stream is found out by the next heartbeat.
        let _ = out.try_send(WatchEvent::Heads(without_log));
    }
    change
}
