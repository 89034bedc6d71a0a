//! A service in this process: on a file, or several on one PostgreSQL, with the in-process bus.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bus as _, BusConfig, BusEvent, MemoryBus};
use bytes::Bytes;
use domain::{
    Body, Credential, Error, ErrorReason, GatewayId, GatewayInfo, Incarnation, Item, LeaseId,
    MessageId, PresenceBatch, PresenceCounts, PresenceEntry, PresenceTotals, Principal,
    PrincipalId, Result, RoomName, Sender, Tags, Verified,
};
use rooms::config::KindConfig;
use rooms::{Deps, RoomsConfig, RoomsService};
use rpc::Call;
use rpc::auth::{Auth, CreatedKey, KeyInfo, NewKey};
use rpc::presence::{Lease, LeaseState, Presence};
use rpc::rooms::{History, HistoryPage, Join, Publish, Published, Rooms as _};
use runtime::config::Secret;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running service; ends when dropped.
pub struct Given {
    pub rooms: Arc<RoomsService>,
    pub bus: Arc<MemoryBus>,
    pub stop: CancellationToken,
    _stopped: DropGuard,
    _folder: Option<tempfile::TempDir>,
}

/// The config of a service on that database.
pub fn config(database: &str) -> RoomsConfig {
    let kinds = BTreeMap::from([
        ("closed".to_owned(), KindConfig { auto_create: false, ..KindConfig::default() }),
        (
            "club".to_owned(),
            KindConfig {
                join: "members".parse().unwrap(),
                publish: "members".parse().unwrap(),
                ..KindConfig::default()
            },
        ),
        (
            "staff".to_owned(),
            KindConfig {
                join: "role:staff".parse().unwrap(),
                publish: "role:staff".parse().unwrap(),
                ..KindConfig::default()
            },
        ),
        (
            "ticket".to_owned(),
            KindConfig {
                join: "token".parse().unwrap(),
                publish: "token".parse().unwrap(),
                ..KindConfig::default()
            },
        ),
        (
            "square".to_owned(),
            KindConfig {
                join: "everyone".parse().unwrap(),
                publish: "everyone".parse().unwrap(),
                ..KindConfig::default()
            },
        ),
        ("live".to_owned(), KindConfig { stored: false, ..KindConfig::default() }),
        ("short".to_owned(), KindConfig { history_items_max: 3, ..KindConfig::default() }),
    ]);
    RoomsConfig {
        database: Some(Secret::new(database)),
        kinds,
        tick_ms: 50,
        janitor_ms: 50,
        lanes: 3,
        publish_connections: 6,
        ..RoomsConfig::default()
    }
}

pub async fn with(config: RoomsConfig, folder: Option<tempfile::TempDir>) -> Given {
    let bus = Arc::new(MemoryBus::new(&BusConfig::default()));
    let deps = Deps { bus: bus.clone(), presence: Arc::new(Away), auth: Arc::new(Away) };
    let stop = CancellationToken::new();
    let rooms = rooms::start(config, deps, stop.clone()).await.unwrap();
    Given { rooms, bus, _stopped: stop.clone().drop_guard(), stop, _folder: folder }
}

/// Starts a service and ends it at once.
pub async fn try_with(config: RoomsConfig, bus: Arc<MemoryBus>) -> anyhow::Result<()> {
    let deps = Deps { bus, presence: Arc::new(Away), auth: Arc::new(Away) };
    let stop = CancellationToken::new();
    let rooms = rooms::start(config, deps, stop.clone()).await?;
    stop.cancel();
    rooms.closed().await;
    Ok(())
}

/// A service on a file of its own.
pub async fn service() -> Given {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&format!("sqlite://{}", folder.path().join("rooms.db").display()));
    with(config, Some(folder)).await
}

/// Two services on one PostgreSQL database of their own.
pub async fn two_on_postgres() -> (Given, Given) {
    let postgres = testkit::parts::shared_postgres().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    (with(config(&address), None).await, with(config(&address), None).await)
}

pub fn call() -> Call {
    Call::within(Duration::from_secs(20))
}

pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub fn who(subject: &str) -> PrincipalId {
    PrincipalId::new("https://issuer", subject)
}

pub fn principal(subject: &str) -> Principal {
    let (name, roles) = (subject.to_owned(), vec!["user".into()]);
    Principal { id: who(subject), name, info: Bytes::new(), roles, grants: Vec::new() }
}

pub fn with_role(subject: &str, role: &str) -> Principal {
    Principal { roles: vec![role.into()], ..principal(subject) }
}

pub fn admin() -> Principal {
    with_role("root", "admin")
}

/// Tags of these pairs.
pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::new(pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect()).unwrap()
}

/// The tags of a message.
pub fn tags_of(item: &Item) -> Tags {
    match &item.body {
        Body::Message { tags, .. } => tags.clone(),
        Body::Event(_) => Tags::default(),
    }
}

/// A publish whose payload is its id.
pub fn publish(name: &str, by: &Principal, id: &str) -> Publish {
    Publish {
        room: room(name),
        principal: by.clone(),
        sender: Some(Sender {
            id: by.id.clone(),
            name: by.name.clone(),
            info: by.info.clone(),
            room_info: Bytes::new(),
            connection: None,
        }),
        message_id: MessageId::parse(id).unwrap(),
        gateway: Some(GatewayId::parse("gateway-1").unwrap()),
        tags: Tags::default(),
        data: Bytes::from(id.to_owned()),
    }
}

impl Given {
    pub async fn publish(&self, name: &str, by: &str, id: &str) -> Result<Published> {
        self.rooms.publish(call(), publish(name, &principal(by), id)).await
    }

    pub async fn fill(&self, name: &str, count: usize) {
        for n in 1..=count {
            self.publish(name, "u", &format!("id-{n:05}")).await.unwrap();
        }
    }

    pub async fn join(&self, name: &str, by: &Principal) -> std::result::Result<u64, ErrorReason> {
        let join = Join { principal: by.clone(), room: room(name) };
        let joined = self.rooms.join(call(), join).await;
        joined.map(|joined| joined.head.offset).map_err(|error| error.reason)
    }

    /// All of a room, read by pages.
    pub async fn log(&self, name: &str) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        loop {
            let page = self.page(name, items.last().map(|item| item.offset)).await.unwrap();
            if page.items.is_empty() {
                return items;
            }
            items.extend(page.items);
        }
    }

    pub async fn page(&self, name: &str, after: Option<u64>) -> Result<HistoryPage> {
        let epoch = domain::Epoch::default();
        let since = after.map(|offset| domain::Position { epoch, offset });
        let (principal, room) = (principal("reader"), room(name));
        let history = History { principal, room, since, limit: 1_000, reverse: false };
        self.rooms.history(call(), history).await
    }

    /// What a gateway that is bound to a room is brought.
    pub async fn bound(&self, name: &str) -> mpsc::Receiver<BusEvent> {
        let gateway = GatewayId::parse("gateway-1").unwrap();
        let mut consumer = self.bus.consume(gateway, Incarnation::random()).await;
        consumer.bindings.bind(bus::BindingKey::Room(room(name)));
        while let Some(event) = consumer.events.recv().await {
            if matches!(event, BusEvent::Bound(_)) {
                break;
            }
        }
        // The wishes end with the consumer's handle; the test ends before that matters.
        std::mem::forget(consumer.bindings);
        consumer.events
    }
}

/// Presence and auth that cannot be reached, which the service must live with.
struct Away;

fn away<T>() -> Result<T> {
    Err(Error::unavailable("away"))
}

#[async_trait]
impl Presence for Away {
    async fn open_lease(
        &self,
        _: Call,
        _: GatewayId,
        _: Incarnation,
        _: Option<String>,
    ) -> Result<Lease> {
        away()
    }
    async fn renew_lease(&self, _: Call, _: LeaseId) -> Result<LeaseState> {
        away()
    }
    async fn close_lease(&self, _: Call, _: LeaseId) -> Result<()> {
        away()
    }
    async fn apply(&self, _: Call, _: LeaseId, _: PresenceBatch) -> Result<LeaseState> {
        away()
    }
    async fn room(&self, _: Call, _: RoomName, _: u32) -> Result<Vec<PresenceEntry>> {
        away()
    }
    async fn room_counts(&self, _: Call, _: RoomName) -> Result<PresenceCounts> {
        away()
    }
    async fn totals(&self, _: Call) -> Result<PresenceTotals> {
        away()
    }
    async fn gateways(&self, _: Call) -> Result<Vec<GatewayInfo>> {
        away()
    }
    async fn connections(&self, _: Call, _: PrincipalId) -> Result<Vec<PresenceEntry>> {
        away()
    }
}

#[async_trait]
impl Auth for Away {
    async fn verify(&self, _: Call, _: Credential) -> Result<Verified> {
        away()
    }
    async fn create_key(&self, _: Call, _: Principal, _: NewKey) -> Result<CreatedKey> {
        away()
    }
    async fn list_keys(&self, _: Call, _: Principal) -> Result<Vec<KeyInfo>> {
        away()
    }
    async fn revoke_key(&self, _: Call, _: Principal, _: String) -> Result<()> {
        away()
    }
}
