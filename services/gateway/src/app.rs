//! The composition root: everything that a gateway is made of, and the order in which it starts.
//!
//! A gateway holds nothing that outlives it: sockets, rings of recent items, bindings and a
//! presence lease, all of which can be made anew elsewhere.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Bus;
use bytes::Bytes;
use domain::{Error, ErrorReason, GatewayId, Incarnation, RoomName, RoomSettings, Session};
use parking_lot::RwLock;
use rpc::Rpc;
use rpc::auth::Auth;
use rpc::presence::Presence;
use rpc::rooms::Rooms;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bindings::Bindings;
use crate::config::GatewayConfig;
use crate::heads::Heads;
use crate::hub::Hub;
use crate::limit::Limit;
use crate::neighbours::Neighbours;
use crate::order::Orders;
use crate::peers::Peers;
use crate::room::filler::Filler;
use crate::room::pages::Pages;
use crate::room::table::RoomTable;
use crate::roster::Roster;
use crate::sessions::{self, Sessions};
use crate::{drain, intake, metrics, notice};

/// Kinds of rooms whose settings are remembered.
const KINDS_MAX: usize = 1_024;
/// Between two rounds of house work.
const HOUSE_WORK: Duration = Duration::from_secs(5);

/// The parts that a gateway needs.
#[derive(Clone)]
pub struct GatewayDeps {
    /// Proves credentials.
    pub auth: Arc<dyn Auth>,
    /// Keeps the logs.
    pub rooms: Arc<dyn Rooms>,
    /// Knows who is here.
    pub presence: Arc<dyn Presence>,
    /// Brings hints.
    pub bus: Arc<dyn Bus>,
    /// How other gateways are called; `None` where there are none.
    pub neighbours: Option<Rpc>,
}

/// One gateway. See the file's head.
pub struct Gateway {
    config: GatewayConfig,
    id: GatewayId,
    incarnation: Incarnation,
    deps: GatewayDeps,
    peers: Arc<Peers>,
    hub: Hub,
    rooms: Arc<RoomTable>,
    heads: Arc<Heads>,
    bindings: Arc<Bindings>,
    filler: Arc<Filler>,
    pages: Pages,
    roster: Arc<Roster>,
    sessions: Arc<Sessions>,
    neighbours: Arc<Neighbours>,
    orders: Orders,
    connects: Semaphore,
    kinds: RwLock<HashMap<Box<str>, RoomSettings>>,
    degraded: AtomicBool,
    rooms_seen: CancellationToken,
    life: Life,
}

/// How far a gateway is on its way out.
pub(crate) struct Life {
    /// It was told to go.
    pub leaving: CancellationToken,
    /// It takes no sockets any more.
    pub closed: CancellationToken,
    /// Its tasks are to end.
    pub stop: CancellationToken,
    /// It is gone: its server may end.
    pub gone: CancellationToken,
    /// Its tasks.
    pub tasks: TaskTracker,
}

/// Starts a gateway; its sockets are served by [`crate::serve`]. It drains when `shutdown` is
/// cancelled. Must be called on the process's multi-thread runtime, which its calls run on.
pub async fn start(
    config: GatewayConfig,
    deps: GatewayDeps,
    shutdown: CancellationToken,
) -> anyhow::Result<Arc<Gateway>> {
    metrics::describe();
    let (id, incarnation) = (config.id(), Incarnation::random());
    let (auth, rooms, presence) = (deps.auth.clone(), deps.rooms.clone(), deps.presence.clone());
    let neighbours = deps.neighbours.clone();
    let neighbours = Neighbours::new(presence.clone(), neighbours, Handle::current());
    let peers = Arc::new(Peers::new(auth, rooms, presence, Handle::current()));
    let table = Arc::new(RoomTable::new(&config.room, config.limits.rooms_max));
    let heads = Arc::<Heads>::default();
    let consumer = deps.bus.consume(id.clone(), incarnation).await;
    let bindings = Bindings::new(&config.room, consumer.bindings, table.clone(), heads.clone());
    let gateway = Arc::new(Gateway {
        id,
        incarnation,
        hub: Hub::new(&config.limits),
        rooms: table,
        heads,
        bindings: Arc::new(bindings),
        filler: Arc::new(Filler::new(Duration::from_millis(config.room.hole_wait_ms))),
        pages: Pages::new(peers.clone(), config.room.page_items),
        roster: Arc::new(Roster::new()),
        sessions: Arc::new(Sessions::new(config.limits.message_bytes_max)),
        neighbours: Arc::new(neighbours),
        orders: Orders::default(),
        connects: Semaphore::new(config.limits.connects_in_flight_max),
        kinds: RwLock::default(),
        degraded: AtomicBool::new(false),
        rooms_seen: CancellationToken::new(),
        life: Life {
            leaving: CancellationToken::new(),
            closed: CancellationToken::new(),
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
            tasks: TaskTracker::new(),
        },
        peers,
        deps,
        config,
    });
    gateway.run(consumer.events, shutdown);
    tracing::info!(gateway = %gateway.id, incarnation = %gateway.incarnation, "the gateway starts");
    Ok(gateway)
}

impl Gateway {
    fn run(
        self: &Arc<Self>,
        events: tokio::sync::mpsc::Receiver<bus::BusEvent>,
        shutdown: CancellationToken,
    ) {
        let (tasks, stop) = (&self.life.tasks, self.life.stop.clone());
        let presence = self.peers.presence().clone();
        let health = self.deps.bus.health();
        tasks.spawn(intake::run(self.clone(), events, stop.clone()));
        tasks.spawn(self.heads.clone().run(self.clone(), stop.clone()));
        tasks.spawn(self.filler.clone().run(self.peers.clone(), stop.clone()));
        tasks.spawn(self.bindings.clone().run(stop.clone()));
        tasks.spawn(notice::watch_bus(self.clone(), health, stop.clone()));
        tasks.spawn(self.clone().house_work(stop.clone()));
        // Where nobody calls, there is nothing to be called by.
        let peer_url = self.deps.neighbours.as_ref().and(self.config.peer_url());
        let own = (self.id.clone(), self.incarnation, peer_url);
        tasks.spawn(self.roster.clone().run(presence, own, stop));
        // Not among the tasks that it waits for itself.
        let gateway = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = gateway.life.leaving.cancelled() => {}
            }
            drain::run(&gateway).await;
        });
    }

    async fn house_work(self: Arc<Self>, stop: CancellationToken) {
        let mut rounds = tokio::time::interval(HOUSE_WORK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = rounds.tick() => {}
            }
            self.hub.counted().forget_idle();
            ::metrics::gauge!("roomcast_gateway_ring_bytes").set(self.rooms.shelf().bytes() as f64);
            let rooms = self.rooms.stored();
            let behind = rooms.iter().map(|room| room.behind()).filter(|items| *items > 0);
            let (count, items) =
                behind.fold((0, 0), |(rooms, sum), items| (rooms + 1, sum + items));
            metrics::behind(count, items);
            if self.rooms.shelf().crowded() {
                // Whose room is quiet is at its head; who comes back reads history.
                rooms.iter().filter(|room| room.idle()).for_each(|room| room.forget_items());
            }
        }
    }

    /// Its config.
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }

    /// Its name.
    pub fn id(&self) -> &GatewayId {
        &self.id
    }

    /// This life of its process.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The product's version.
    pub fn version(&self) -> &'static str {
        runtime::process::VERSION
    }

    /// The parts that it was started with.
    pub fn deps(&self) -> &GatewayDeps {
        &self.deps
    }

    /// The other services.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// All connections.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What presence is told.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The connections whose frames come by requests of their own.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Brings a frame to the connection that it is meant for, here or on another gateway.
    ///
    /// `NotFound` for an unknown gateway or session; otherwise as [`Sessions::deliver`] and
    /// [`Neighbours::emulate`] say.
    pub async fn emulate(&self, node: &str, session: &str, frame: Bytes) -> Result<(), Error> {
        let session = Session::parse(session).ok_or_else(sessions::unknown)?;
        if node == self.id.as_str() {
            return self.sessions.deliver(&session, frame);
        }
        let node = GatewayId::parse(node).map_err(|_| sessions::unknown())?;
        self.neighbours.emulate(node, session, frame).await
    }

    /// Whether the broker is away, so that delivery is late.
    pub fn degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    /// Whether it was told to go.
    pub fn draining(&self) -> bool {
        self.life.leaving.is_cancelled()
    }

    /// Whether it still takes sockets: for a moment after it was told to go it does.
    pub fn accepting(&self) -> bool {
        !self.life.closed.is_cancelled()
    }

    /// Tells it to go.
    pub fn begin_drain(&self) {
        self.life.leaving.cancel();
    }

    /// Waits until it has seen rooms and presence once: before that it could serve nobody.
    pub async fn seen_peers(&self) {
        self.rooms_seen.cancelled().await;
        self.roster.leased().await;
    }

    /// Waits until it is told to go.
    pub async fn draining_began(&self) {
        self.life.leaving.cancelled().await;
    }

    /// Notes that the heads stream was open once.
    pub(crate) fn saw_rooms(&self) {
        self.rooms_seen.cancel();
    }

    /// Waits until it is gone: its sockets are closed and its lease is given back.
    pub async fn drained(&self) {
        self.life.gone.cancelled().await;
    }

    /// What a room's kind is like, if a room of it was seen.
    pub(crate) fn settings_of(&self, room: &RoomName) -> Option<RoomSettings> {
        let here = self.rooms.get(room).map(|room| room.settings());
        here.or_else(|| self.kinds.read().get(room.kind()).copied())
    }

    /// Remembers what a room's kind is like.
    pub(crate) fn learn_settings(&self, room: &RoomName, settings: RoomSettings) {
        if self.kinds.read().get(room.kind()) == Some(&settings) {
            return;
        }
        let mut kinds = self.kinds.write();
        if kinds.len() < KINDS_MAX || kinds.contains_key(room.kind()) {
            kinds.insert(room.kind().into(), settings);
        }
    }

    /// Waits for a turn among those who ask auth.
    pub(crate) async fn connect_turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(turn) = self.connects.try_acquire() {
            return Ok(turn);
        }
        Limit::ConnectsInFlight.bites();
        let turn = self.connects.acquire().await;
        turn.map_err(|_| Error::new(ErrorReason::Unavailable, "the gateway goes"))
    }

    pub(crate) fn set_degraded(&self, degraded: bool) {
        self.degraded.store(degraded, Ordering::Relaxed);
        ::metrics::gauge!("roomcast_gateway_degraded").set(f64::from(degraded));
    }

    pub(crate) fn rooms(&self) -> &RoomTable {
        &self.rooms
    }

    pub(crate) fn heads(&self) -> &Heads {
        &self.heads
    }

    pub(crate) fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    pub(crate) fn filler(&self) -> &Filler {
        &self.filler
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn orders(&self) -> &Orders {
        &self.orders
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }
}
