//! The bus of one process. Nothing is encoded; bindings filter and buffers drop as the broker's do.
//!
//! Each consumer has a task of its own that makes its wishes true and hands events over, so that a
//! consumer that does not read costs its own oldest events and nobody else anything.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::{GatewayId, Incarnation};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::buffer::Buffer;
use crate::encode::weight;
use crate::wishes::{Step, Wishes};
use crate::{Bus, BusConfig, BusEvent, BusHealth, Consumer, Outbound, metrics};

/// Longest wait of a close for consumers to read what is theirs.
const FLUSH: Duration = Duration::from_secs(1);
const STEPS_MAX: usize = 256;
/// Events handed over before the wishes are looked at again.
const TURN: usize = 64;

/// Carries events between the parts of one process.
pub struct MemoryBus {
    config: BusConfig,
    taps: Mutex<Vec<Arc<Tap>>>,
    health: watch::Sender<BusHealth>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// One consumer's place: its wishes, and what waits for it.
struct Tap {
    gateway: GatewayId,
    wishes: Arc<Wishes>,
    waiting: Buffer<BusEvent>,
    /// Whether the consumer went.
    gone: AtomicBool,
}

impl MemoryBus {
    /// A bus without consumers; up at once. Only the bounds of `config` matter.
    pub fn new(config: &BusConfig) -> Self {
        Self {
            config: config.clone(),
            taps: Mutex::default(),
            health: watch::Sender::new(BusHealth::Up),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn publish(&self, out: Outbound) {
        metrics::published(metrics::exchange(&out));
        let bytes = weight(&out);
        for tap in self.taps.lock().iter() {
            let event = match &out {
                Outbound::Room(event) if tap.wishes.reach(&event.room) => {
                    BusEvent::Room(event.clone())
                }
                Outbound::System(event) => BusEvent::System(event.clone()),
                Outbound::Direct(to, event) if *to == tap.gateway => {
                    BusEvent::Direct(event.clone())
                }
                Outbound::Room(_) | Outbound::Direct(..) => continue,
            };
            metrics::dropped("consume", tap.waiting.push(event, bytes));
        }
    }

    fn health(&self) -> watch::Receiver<BusHealth> {
        self.health.subscribe()
    }

    async fn consume(&self, gateway: GatewayId, _: Incarnation) -> Consumer {
        let (events, received) = mpsc::channel(self.config.events_max);
        let waiting = Buffer::new(self.config.buffer_messages_max, self.config.buffer_bytes_max);
        let wishes = Arc::new(Wishes::default());
        let tap = Arc::new(Tap { gateway, wishes: wishes.clone(), waiting, gone: false.into() });
        {
            let mut taps = self.taps.lock();
            taps.retain(|tap| !tap.gone.load(Ordering::Relaxed));
            taps.push(tap.clone());
        }
        self.tasks.spawn(serve(tap, events, self.closing.clone()));
        Consumer { bindings: wishes, events: received }
    }

    async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.taps.lock().clear();
        self.health.send_replace(BusHealth::Down);
    }
}

/// The consumer dropped its end.
struct Gone;

/// Hands a consumer its events until it goes or the bus closes.
async fn serve(tap: Arc<Tap>, events: mpsc::Sender<BusEvent>, closing: CancellationToken) {
    let work = async {
        events.send(BusEvent::Up).await.map_err(|_| Gone)?;
        loop {
            tokio::select! {
                () = tap.wishes.changed() => answer(&tap.wishes, &events).await?,
                () = tap.waiting.filled() => deliver(&tap, &events).await?,
            }
        }
    };
    let ended: Option<Result<(), Gone>> = closing.run_until_cancelled(work).await;
    tap.gone.store(true, Ordering::Relaxed);
    if ended.is_none() {
        let rest =
            async { while !tap.waiting.is_empty() && deliver(&tap, &events).await.is_ok() {} };
        // Who does not read until then goes without, as when a broker's queue goes.
        let _ = tokio::time::timeout(FLUSH, rest).await;
    }
}

async fn answer(wishes: &Wishes, events: &mpsc::Sender<BusEvent>) -> Result<(), Gone> {
    loop {
        let steps = wishes.take(STEPS_MAX);
        if steps.is_empty() {
            return Ok(());
        }
        for step in steps {
            let event = match step {
                Step::Bind(key) => wishes.did(&key, true),
                Step::Unbind(key) => wishes.did(&key, false),
                Step::Tell(event) => Some(event),
            };
            if let Some(event) = event {
                events.send(event).await.map_err(|_| Gone)?;
            }
        }
        metrics::bindings(wishes.standing());
    }
}

async fn deliver(tap: &Tap, events: &mpsc::Sender<BusEvent>) -> Result<(), Gone> {
    for _ in 0..TURN {
        // A place first, then the event: what waits can still be pushed out by what is newer.
        let place = events.reserve().await.map_err(|_| Gone)?;
        let Some(event) = tap.waiting.pop(|_, next| Some(next)) else { return Ok(()) };
        metrics::delivered(match &event {
            BusEvent::Room(_) => "events",
            BusEvent::System(_) => "system",
            _ => "direct",
        });
        place.send(event);
    }
    Ok(())
}
