//! A bus that keeps what it is given, so that a test can say exactly what was told.
use async_trait::async_trait;
use bus::{Bus, BusHealth, Consumer, Outbound};
use domain::{GatewayId, Incarnation, RoomTraffic};
use parking_lot::Mutex;
use presence::store::Told;
use tokio::sync::watch;

pub struct Recorder {
    told: Mutex<Vec<Told>>,
    health: watch::Sender<BusHealth>,
}

impl Recorder {
    pub fn new() -> Self {
        Self { told: Mutex::default(), health: watch::Sender::new(BusHealth::Up) }
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().clone()
    }

    pub fn forget(&self) {
        self.told.lock().clear();
    }
}

#[async_trait]
impl Bus for Recorder {
    fn publish(&self, out: Outbound) {
        let Outbound::Room(event) = out else { panic!("presence speaks to rooms alone: {out:?}") };
        let RoomTraffic::Signals(signals) = event.traffic else {
            panic!("presence publishes signals alone")
        };
        assert!(!signals.is_empty());
        let told = |signal| Told { room: event.room.clone(), signal };
        self.told.lock().extend(signals.into_iter().map(told));
    }

    fn health(&self) -> watch::Receiver<BusHealth> {
        self.health.subscribe()
    }

    async fn consume(&self, _: GatewayId, _: Incarnation) -> Consumer {
        panic!("presence does not consume")
    }

    async fn close(&self) {}
}
