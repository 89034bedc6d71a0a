//! A publisher and two gateways on one bus, and what tests say about them.
use std::sync::Arc;
use std::time::Duration;

use bus::{Address, BindingKey, Bus, BusConfig, BusEvent, BusHealth, Consumer, Outbound};
use bytes::Bytes;
use domain::{
    Body, Epoch, GatewayId, Incarnation, Item, MessageId, Notice, NoticeLevel, Order, OrderAct,
    RoomBatch, RoomEvent, RoomName, RoomTraffic, SystemEvent, Tags,
};
use tokio::time::timeout;

/// Longest wait for anything: far beyond what it takes, since machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub publisher: Arc<dyn Bus>,
    pub one: Gateway,
    pub two: Gateway,
}

pub struct Gateway {
    pub id: GatewayId,
    pub bus: Arc<dyn Bus>,
    pub consumer: Consumer,
}

pub fn config(urls: &[&str]) -> BusConfig {
    let addresses = urls.iter().map(|url| Address::new(*url)).collect();
    BusConfig { addresses, retry_max_ms: 1_000, ..BusConfig::default() }
}

impl World {
    /// On one in-process bus.
    pub async fn memory() -> Self {
        let bus = bus::open(&BusConfig::default()).unwrap();
        let one = Gateway::join(bus.clone(), "gw-1").await;
        let two = Gateway::join(bus.clone(), "gw-2").await;
        Self { publisher: bus, one, two }.ready().await
    }

    /// On a broker, each with a bus of its own, as in processes of their own.
    pub async fn broker(url: &str) -> Self {
        let open = || bus::open(&config(&[url])).unwrap();
        let one = Gateway::join(open(), "gw-1").await;
        let two = Gateway::join(open(), "gw-2").await;
        Self { publisher: open(), one, two }.ready().await
    }

    async fn ready(mut self) -> Self {
        self.one.expect(BusEvent::Up).await;
        self.two.expect(BusEvent::Up).await;
        for bus in [&self.publisher, &self.one.bus, &self.two.bus] {
            health(bus, BusHealth::Up).await;
        }
        self
    }
}

impl Gateway {
    pub async fn join(bus: Arc<dyn Bus>, id: &str) -> Self {
        let id = GatewayId::parse(id).unwrap();
        let consumer = bus.consume(id.clone(), Incarnation::random()).await;
        Self { id, bus, consumer }
    }

    pub async fn next(&mut self) -> BusEvent {
        let event = timeout(PATIENCE, self.consumer.events.recv()).await;
        event.expect("an event in time").expect("an open bus")
    }

    pub async fn expect(&mut self, event: BusEvent) {
        assert_eq!(self.next().await, event);
    }

    /// Passes over what comes before an event.
    pub async fn until(&mut self, event: BusEvent) -> Vec<BusEvent> {
        let mut before = Vec::new();
        loop {
            match self.next().await {
                next if next == event => return before,
                next => before.push(next),
            }
        }
    }

    pub async fn bind(&mut self, key: BindingKey) {
        self.consumer.bindings.bind(key.clone());
        self.until(BusEvent::Bound(key)).await;
    }

    pub async fn unbind(&mut self, key: BindingKey) {
        self.consumer.bindings.unbind(key.clone());
        self.until(BusEvent::Unbound(key)).await;
    }

    /// All that comes until a mark that reaches every gateway behind it.
    pub async fn rest(&mut self, publisher: &Arc<dyn Bus>) -> Vec<BusEvent> {
        let mark = mark();
        publisher.publish(Outbound::System(mark.clone()));
        self.until(BusEvent::System(mark)).await
    }
}

pub async fn health(bus: &Arc<dyn Bus>, wanted: BusHealth) {
    let mut health = bus.health();
    let waited = timeout(PATIENCE, health.wait_for(|health| *health == wanted)).await;
    assert!(waited.is_ok(), "the bus was not {wanted:?} in time");
}

/// Polls until a question is answered with true.
pub async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub fn room_key(name: &str) -> BindingKey {
    BindingKey::Room(room(name))
}

pub fn message(room: &RoomName, offset: u64) -> RoomEvent {
    let item = Item {
        offset,
        message_id: MessageId::parse(&format!("message-{offset}")).unwrap(),
        time_ms: 1,
        body: Body::Message {
            sender: None,
            gateway: None,
            tags: Tags::default(),
            data: Bytes::from_static(b"{}"),
        },
        trace: None,
    };
    let batch = RoomBatch { epoch: Epoch::new("epoch"), items: vec![item] };
    RoomEvent { room: room.clone(), traffic: RoomTraffic::Items(batch) }
}

/// The offsets in what came, however it was batched.
pub fn offsets(events: &[BusEvent]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| match event {
            BusEvent::Room(RoomEvent { traffic: RoomTraffic::Items(batch), .. }) => Some(batch),
            _ => None,
        })
        .flat_map(|batch| batch.items.iter().map(|item| item.offset))
        .collect()
}

fn mark() -> SystemEvent {
    let id = MessageId::random().to_string();
    let notice = Notice { id, text: "mark".into(), level: NoticeLevel::Info };
    SystemEvent::Order(Order { number: 1, time_ms: 1, act: OrderAct::Notice(notice) })
}
