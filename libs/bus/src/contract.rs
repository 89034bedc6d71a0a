//! What a bus is, whichever it is.
use std::sync::Arc;

use async_trait::async_trait;
use domain::{ConnectionId, GatewayId, Incarnation, RoomEvent, RoomName, Shard, SystemEvent};
use tokio::sync::{mpsc, watch};

/// Carries hints to gateways. At most once, in no promised order, and never in an ack's way.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Hands something over. Never waits and never fails: what does not fit into the bounded buffer
    /// pushes out the oldest, counted in `roomcast_bus_dropped_total`.
    fn publish(&self, out: Outbound);

    /// Whether the broker can be reached now. Starts as `Down` until the first connection.
    fn health(&self) -> watch::Receiver<BusHealth>;

    /// Begins to consume for a gateway, with a queue of its own and no bindings. Returns at once; the
    /// supervisor connects, and connects again for ever. Called once a process.
    async fn consume(&self, gateway: GatewayId, incarnation: Incarnation) -> Consumer;

    /// Flushes what was handed over (at most a second), unbinds in batches and closes.
    async fn close(&self);
}

/// A gateway's end of the bus.
pub struct Consumer {
    /// What the gateway wants bound.
    pub bindings: Arc<dyn Bindings>,
    /// What comes in. Bounded: a gateway that does not read it makes the broker's queue drop its head.
    pub events: mpsc::Receiver<BusEvent>,
}

/// The desired set of bindings. The supervisor brings the broker to it, paced, and rebuilds it after a loss.
/// The fanout and the direct exchange are always bound.
pub trait Bindings: Send + Sync + 'static {
    /// Wants a binding. `BusEvent::Bound` follows once the broker has it. Wanting it twice is wanting it once.
    fn bind(&self, key: BindingKey);

    /// Wants it no longer. `BusEvent::Unbound` follows once the broker dropped it.
    fn unbind(&self, key: BindingKey);
}

/// What a gateway's queue can be bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindingKey {
    /// One room: `room.<name>.<shard>`.
    Room(RoomName),
    /// All rooms of a shard: `room.*.<shard>`.
    Shard(Shard),
}

/// What is handed to the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// To the gateways that hold members of the room: topic exchange `chat_events`.
    Room(RoomEvent),
    /// To all gateways: fanout exchange `chat_system`.
    System(SystemEvent),
    /// To one gateway: direct exchange `chat_direct`, key `gateway.<id>`.
    Direct(GatewayId, DirectEvent),
}

/// What concerns one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectEvent {
    /// Close one connection; the client may come back.
    Disconnect {
        /// Which.
        connection: ConnectionId,
        /// Shown to the client. May be empty.
        reason: String,
    },
    /// Drain this gateway as on SIGTERM.
    Drain,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// Connected, and every wanted binding stands again: what came meanwhile must be looked for.
    Up,
    /// The connection or the queue was lost. Nothing comes until `Up`.
    Down,
    /// A wanted binding stands.
    Bound(BindingKey),
    /// A binding is gone as wanted.
    Unbound(BindingKey),
    /// Traffic of a room; of any room of the shard under a shard binding.
    Room(RoomEvent),
    /// For all gateways.
    System(SystemEvent),
    /// For this gateway.
    Direct(DirectEvent),
}

/// Whether the broker can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusHealth {
    /// It can.
    Up,
    /// It cannot, or it blocks publishers (an alarm).
    Down,
}

impl BindingKey {
    /// The routing key on `chat_events`: at most 137 bytes, so always an AMQP short string.
    pub fn routing_key(&self) -> String {
        match self {
            Self::Room(room) => format!("room.{room}.{}", room.shard().0),
            Self::Shard(shard) => format!("room.*.{}", shard.0),
        }
    }
}
