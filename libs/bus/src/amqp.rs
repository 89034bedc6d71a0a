//! The bus over RabbitMQ.
//!
//! Two connections, each under a supervisor task that opens it, lives with it and opens it again for
//! ever: one publishes, one consumes. The client library recovers nothing, is unsafe under concurrent
//! or cancelled calls on one channel, and waits for ever on a silent broker: so one task owns each
//! channel, a call that gets no answer in time costs the whole connection, and each connection
//! asks for signs of life.
mod binder;
mod confirms;
mod consumer;
mod intake;
mod link;
mod publisher;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{GatewayId, Incarnation};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::buffer::Buffer;
use crate::config::Brokers;
use crate::wishes::Wishes;
use crate::{Bus, BusConfig, BusHealth, Consumer, Outbound, encode, metrics};

/// Longest a close may take: flush, unbind, say goodbye.
const CLOSE: Duration = Duration::from_secs(8);

/// The bus over RabbitMQ. Its tasks live on the runtime that it was made in.
pub struct AmqpBus {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// What both supervisors need.
struct Shared {
    config: BusConfig,
    brokers: Brokers,
    names: Names,
    buffer: Buffer<Outbound>,
    health: Health,
    closing: CancellationToken,
}

/// The exchanges.
struct Names {
    /// Topic, `room.<name>.<shard>`.
    events: String,
    /// Fanout.
    system: String,
    /// Direct, `gateway.<id>`.
    direct: String,
}

/// Up when the publisher's broker confirms and, in a process that consumes, the queue is consumed.
struct Health {
    tell: watch::Sender<BusHealth>,
    sides: Mutex<Sides>,
}

#[derive(Default)]
struct Sides {
    publish: bool,
    /// `None` in a process that does not consume.
    consume: Option<bool>,
}

impl AmqpBus {
    pub(crate) fn new(config: &BusConfig, brokers: Brokers) -> Self {
        let name = |exchange: &str| format!("{}{exchange}", config.prefix);
        let shared = Arc::new(Shared {
            config: config.clone(),
            brokers,
            names: Names {
                events: name("chat_events"),
                system: name("chat_system"),
                direct: name("chat_direct"),
            },
            buffer: Buffer::new(config.buffer_messages_max, config.buffer_bytes_max),
            health: Health {
                tell: watch::Sender::new(BusHealth::Down),
                sides: Mutex::new(Sides::default()),
            },
            closing: CancellationToken::new(),
        });
        let tasks = TaskTracker::new();
        metrics::begin("publish");
        tasks.spawn(publisher::run(shared.clone()));
        Self { shared, tasks }
    }
}

#[async_trait]
impl Bus for AmqpBus {
    fn publish(&self, out: Outbound) {
        let bytes = encode::weight(&out);
        metrics::dropped("publish", self.shared.buffer.push(out, bytes));
    }

    fn health(&self) -> watch::Receiver<BusHealth> {
        self.shared.health.tell.subscribe()
    }

    async fn consume(&self, gateway: GatewayId, incarnation: Incarnation) -> Consumer {
        let (events, received) = mpsc::channel(self.shared.config.events_max);
        let wishes = Arc::new(Wishes::default());
        metrics::begin("consume");
        self.shared.health.consume(false);
        let consumption = consumer::Consumption {
            shared: self.shared.clone(),
            gateway,
            incarnation,
            wishes: wishes.clone(),
            events,
        };
        self.tasks.spawn(consumption.run());
        Consumer { bindings: wishes, events: received }
    }

    async fn close(&self) {
        self.shared.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(CLOSE, self.tasks.wait()).await.is_err() {
            tracing::warn!("the bus did not close in time");
        }
    }
}

/// A bus that is dropped without a close ends its tasks, too.
impl Drop for AmqpBus {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl Health {
    fn publish(&self, up: bool) {
        self.set("publish", up, |sides| sides.publish = up);
    }

    fn consume(&self, up: bool) {
        self.set("consume", up, |sides| sides.consume = Some(up));
    }

    fn set(&self, side: &'static str, up: bool, change: impl FnOnce(&mut Sides)) {
        metrics::connected(side, up);
        let mut sides = self.sides.lock();
        change(&mut sides);
        let all = sides.publish && sides.consume.unwrap_or(true);
        let health = if all { BusHealth::Up } else { BusHealth::Down };
        self.tell.send_if_modified(|told| std::mem::replace(told, health) != health);
    }
}
