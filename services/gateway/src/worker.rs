//! One worker: the sockets of one thread, the rooms that they read, and their clocks.
//!
//! Everything here stays on its thread, so nothing is locked. A room's news cross to the worker
//! once; it reads the ring once and walks its own members.
pub mod inbox;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{ConnectionId, PrincipalId, RoomName};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::CloseCode;

use crate::app::Gateway;
use crate::command::server_side;
use crate::connection::Connection;
use crate::connection::timer::{Clock, TICK, Wheel};
use crate::connection::writer::Drained;
use crate::room::Room;
use crate::room::item::RingItem;
use crate::room::member::{Feed, Member};
use crate::room::reader::Next;
use crate::room::ring::After;
use crate::room::table::Seated;
use inbox::{Control, Inbox, Live};

/// Rooms walked before the sockets get their turn.
const ROOMS_PER_TURN: usize = 64;
/// Between two groups of a drain's closes.
const DRAIN_STEP: Duration = Duration::from_millis(100);

/// See the file's head.
pub struct Worker {
    gateway: Arc<Gateway>,
    inbox: Arc<Inbox>,
    drained: Rc<Drained>,
    connections: RefCell<HashMap<ConnectionId, Rc<Connection>>>,
    rooms: RefCell<HashMap<RoomName, Rc<LocalRoom>>>,
    wheel: RefCell<Wheel>,
}

/// A room's members at this worker.
struct LocalRoom {
    room: Arc<Room>,
    told: Arc<AtomicBool>,
    members: RefCell<Vec<Rc<Member>>>,
    /// While it is walked its members are taken out of the list.
    walking: Cell<bool>,
    /// How far it was walked, and in which generation.
    walked: Cell<u64>,
    generation: Cell<u64>,
}

/// A worker that is made when its thread gets its first socket.
pub struct WorkerSlot {
    gateway: Arc<Gateway>,
    worker: std::cell::OnceCell<Rc<Worker>>,
}

impl WorkerSlot {
    /// A slot for the calling thread.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, worker: std::cell::OnceCell::new() }
    }

    /// The worker; its loops start with it.
    pub fn worker(&self) -> Rc<Worker> {
        self.worker.get_or_init(|| Worker::start(self.gateway.clone())).clone()
    }
}

impl Worker {
    fn start(gateway: Arc<Gateway>) -> Rc<Self> {
        let (inbox, orders) = Inbox::new();
        gateway.hub().enroll(inbox.clone());
        let worker = Rc::new(Self {
            gateway,
            inbox,
            drained: Rc::default(),
            connections: RefCell::default(),
            rooms: RefCell::default(),
            wheel: RefCell::new(Wheel::new(Instant::now())),
        });
        actix_web::rt::spawn(worker.clone().read_inbox());
        actix_web::rt::spawn(worker.clone().read_orders(orders));
        actix_web::rt::spawn(worker.clone().resume());
        actix_web::rt::spawn(worker.clone().tick());
        worker
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Where its writers tell that their feed may go on.
    pub fn drained(&self) -> &Rc<Drained> {
        &self.drained
    }

    /// Takes a connection in.
    pub fn add(&self, connection: Rc<Connection>) {
        self.connections.borrow_mut().insert(connection.id(), connection);
    }

    /// Lets a connection go.
    pub fn remove(&self, id: ConnectionId) {
        self.connections.borrow_mut().remove(&id);
    }

    /// Sets a clock of a connection.
    pub fn set_clock(&self, after: Duration, id: ConnectionId, clock: Clock) {
        self.wheel.borrow_mut().set(Instant::now() + after, id, clock);
    }

    /// Seats a member of this worker in a room; `None` if no more rooms may be held.
    pub fn sit(
        &self,
        name: &RoomName,
        settings: domain::RoomSettings,
        head: &domain::Position,
    ) -> Option<Seated> {
        let seated = self.gateway.rooms().sit(name, settings, head, &self.inbox)?;
        if seated.first {
            self.gateway.bindings().joined(&seated.room);
        }
        Some(seated)
    }

    /// A member that was seated goes.
    pub fn rise(&self, name: &RoomName) {
        if self.gateway.rooms().rise(name, &self.inbox) {
            self.gateway.bindings().left(name);
        }
    }

    /// Puts a seated member on its room's list.
    pub fn register(&self, seated: &Seated, member: Rc<Member>) {
        let mut rooms = self.rooms.borrow_mut();
        let name = member.room.name();
        // News that came after the seat was taken found no list here and must be told again.
        seated.told.store(false, Ordering::Release);
        // A room that was closed and made anew is another one: its old members are gone.
        let known = rooms.get(name).filter(|local| Arc::ptr_eq(&local.room, &seated.room));
        let local = known.cloned().unwrap_or_else(|| {
            let (position, generation) = seated.room.position();
            let local = Rc::new(LocalRoom {
                room: seated.room.clone(),
                told: seated.told.clone(),
                members: RefCell::default(),
                walking: Cell::new(false),
                walked: Cell::new(position.offset),
                generation: Cell::new(generation),
            });
            rooms.insert(name.clone(), local.clone());
            local
        });
        local.members.borrow_mut().push(member);
    }

    /// Takes a member off its room's list and out of its seat.
    pub fn unregister(&self, member: &Rc<Member>) {
        member.end();
        let name = member.room.name();
        let local = self.rooms.borrow().get(name).cloned();
        if let Some(local) = local {
            local.members.borrow_mut().retain(|other| !Rc::ptr_eq(other, member));
            if !local.walking.get() && local.members.borrow().is_empty() {
                self.rooms.borrow_mut().remove(name);
            }
        }
        self.rise(name);
    }

    async fn read_inbox(self: Rc<Self>) {
        loop {
            let (news, live) = self.inbox.next().await;
            for signal in live {
                self.show(&signal);
            }
            for (count, room) in news.into_iter().enumerate() {
                self.walk(&room);
                if count % ROOMS_PER_TURN == ROOMS_PER_TURN - 1 {
                    tokio::task::yield_now().await;
                }
            }
            // The sockets are written before the next news are looked at: what comes meanwhile
            // goes out together.
            tokio::task::yield_now().await;
        }
    }

    async fn resume(self: Rc<Self>) {
        loop {
            for id in self.drained.next().await {
                let connection = self.connections.borrow().get(&id).cloned();
                if let Some(connection) = connection {
                    connection.pump_all();
                }
            }
        }
    }

    async fn tick(self: Rc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let due = self.wheel.borrow_mut().due(Instant::now());
            for (id, clock) in due {
                let connection = self.connections.borrow().get(&id).cloned();
                if let Some(connection) = connection {
                    connection.rang(clock);
                }
            }
        }
    }

    async fn read_orders(self: Rc<Self>, mut orders: mpsc::Receiver<Control>) {
        while let Some(order) = orders.recv().await {
            match order {
                Control::Disconnect { target, before_ms, code, reason } => {
                    for connection in self.of(&target, before_ms) {
                        connection.close(code, &reason);
                    }
                }
                Control::Close { connection, reason } => {
                    let found = self.connections.borrow().get(&connection).cloned();
                    if let Some(connection) = found {
                        connection.close(CloseCode::ForceReconnect, &reason);
                    }
                }
                Control::Unsubscribe { target, room, number, before_ms, push } => {
                    for connection in self.of(&target, i64::MAX) {
                        if connection.subscribed_before(&room, number, before_ms) {
                            connection.end_subscription(&room, &push);
                        }
                    }
                }
                Control::Subscribe { target, before_ms, ordered } => {
                    for connection in self.of(&target, before_ms) {
                        server_side::obey(&connection, &ordered);
                    }
                }
                Control::System(push) => {
                    let all: Vec<_> = self.connections.borrow().values().cloned().collect();
                    for connection in all.iter().filter(|connection| connection.ready()) {
                        connection.show(&push);
                    }
                }
                Control::Drain { window_ms } => {
                    actix_web::rt::spawn(self.clone().drain(Duration::from_millis(window_ms)));
                }
            }
        }
    }

    /// Closes all connections in equal groups over `window`.
    async fn drain(self: Rc<Self>, window: Duration) {
        let steps = (window.as_millis() / DRAIN_STEP.as_millis()).max(1) as usize;
        for step in (0..steps).rev() {
            let open = |connection: &&Rc<Connection>| !connection.asked_to_end();
            let left: Vec<_> = self.connections.borrow().values().filter(open).cloned().collect();
            let group = left.len().div_ceil(step + 1);
            for connection in left.iter().take(group) {
                connection.close_when_answered(CloseCode::Shutdown);
            }
            if step > 0 {
                tokio::time::sleep(DRAIN_STEP).await;
            }
        }
    }

    /// Connections of a principal that were authenticated before a moment.
    fn of(&self, target: &PrincipalId, before_ms: i64) -> Vec<Rc<Connection>> {
        let connections = self.connections.borrow();
        let concerned = |c: &&Rc<Connection>| c.is_of(target) && c.authenticated_ms() < before_ms;
        connections.values().filter(concerned).cloned().collect()
    }

    fn show(&self, live: &Live) {
        let local = self.rooms.borrow().get(&live.room).cloned();
        let Some(local) = local else { return };
        let members: Vec<_> = local.members.borrow().clone();
        for member in members {
            let wanted = !live.join_leave || member.joined.join_leave;
            if wanted && !matches!(member.feed(), Feed::Joining | Feed::Ended) {
                member.show(&live.push);
            }
        }
    }

    /// Brings a room's news to its members here.
    fn walk(&self, name: &RoomName) {
        let local = self.rooms.borrow().get(name).cloned();
        let Some(local) = local else { return };
        // Before the ring is read: news that come from now on are told again.
        local.told.store(false, Ordering::Release);
        local.walking.set(true);
        let members = std::mem::take(&mut *local.members.borrow_mut());
        loop {
            match local.room.after(local.generation.get(), local.walked.get()) {
                Next::In(After::Head) => break,
                Next::In(After::Items(items)) => {
                    deliver(name, &items, &members);
                    local.walked.set(items.last().map_or(u64::MAX, |item| item.offset()));
                }
                Next::In(After::Behind) | Next::Gone => {
                    let (position, generation) = local.room.position();
                    local.walked.set(position.offset);
                    local.generation.set(generation);
                    members.iter().for_each(|member| member.pump());
                }
            }
        }
        local.walking.set(false);
        let mut list = local.members.borrow_mut();
        list.extend(members.into_iter().filter(|member| member.feed() != Feed::Ended));
        if list.is_empty() {
            self.rooms.borrow_mut().remove(name);
        }
    }
}

fn deliver(name: &RoomName, items: &[Arc<RingItem>], members: &[Rc<Member>]) {
    let traced = items.iter().find_map(|item| item.item().trace.as_deref());
    let span = traced.map(|trace| {
        let span = tracing::info_span!("deliver", room = %name, members = members.len());
        runtime::trace::follow(&span, trace);
        for other in items.iter().filter_map(|item| item.item().trace.as_deref()).skip(1) {
            runtime::trace::link(&span, other);
        }
        span
    });
    let _entered = span.as_ref().map(tracing::Span::enter);
    for member in members {
        member.offer(items);
    }
    let deliveries = (items.len() * members.len()) as u64;
    metrics::counter!("roomcast_gateway_deliveries_total").increment(deliveries);
}
