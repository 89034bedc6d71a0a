//! One client's socket on its worker: who it is, what it is subscribed to, what it waits for.
//!
//! The reader takes frames in, commands answer, the writer takes frames out. A connection ends
//! in one place, the reader's task; everything else only asks for it by [`Connection::close`].
pub mod carrier;
pub mod frame;
pub mod frames;
pub mod guard;
pub mod handshake;
mod lane;
mod pulse;
pub mod reader;
pub mod source;
pub mod subscription;
pub mod timer;
pub mod writer;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Admitted, ConnectionId, Departure, PresenceChange, Principal, PrincipalId, RoomName, Session,
};
use tokio::sync::Notify;
use wire::{CloseCode, ErrorBody, Reply, ReplyBody, Uncarried};

use crate::app::Gateway;
use crate::config::ConnectionConfig;
use crate::limit::LimitsConfig;
use crate::rate::Rates;
use crate::room::item::RingItem;
use crate::worker::Worker;
use carrier::Carrier;
use frames::{Shape, SharedPush};
use lane::Lanes;
use subscription::Subscription;
use writer::{Pushed, Writer};

pub use handshake::{open, open_stream};

/// Whom a connection acts for, once auth has said so.
#[derive(Debug)]
pub struct Identity {
    /// The principal.
    pub principal: Principal,
    /// When auth was asked, Unix milliseconds: orders given since concern it.
    pub authenticated_ms: i64,
    /// When its credential ends, Unix milliseconds.
    pub expires_at_ms: Cell<Option<i64>>,
    /// Whether it showed a token, which it may renew before the end.
    pub refreshable: bool,
    /// Kinds of rooms that a subscribe without a token needs auth's word for.
    pub guarded_kinds: Vec<String>,
}

/// How far a connection has come.
#[derive(Debug, Clone)]
pub enum Stage {
    /// No connect yet.
    Fresh,
    /// Auth is asked.
    Connecting,
    /// It may act.
    Ready(Rc<Identity>),
    /// The connect was answered with an error.
    Failed {
        /// Whether the error was transient: then no terminal code may follow.
        transient: bool,
    },
}

/// Why and how a connection is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    code: CloseCode,
    reason: String,
    /// First wait for the answers that are under way.
    when_answered: bool,
}

/// How a connection is spoken on, from its first byte to its last.
struct Manner {
    carrier: Carrier,
    /// Whether it is pinged by native frames rather than by the protocol's.
    native_pings: bool,
    /// What names it in requests beside its stream; a socket needs none.
    session: Option<Session>,
    /// The caller's address, if it is known.
    address: Option<IpAddr>,
}

/// See the file's head.
pub struct Connection {
    id: ConnectionId,
    worker: Rc<Worker>,
    writer: Rc<Writer>,
    manner: Manner,
    stage: RefCell<Stage>,
    subscriptions: RefCell<HashMap<RoomName, Subscription>>,
    lanes: Lanes,
    rates: RefCell<Rates>,
    /// The number of the last ping, and of the last one that was answered.
    pings: Cell<(u32, u32)>,
    slow_armed: Cell<bool>,
    /// When the next look at its credential and at its subscriptions' tokens is due, Unix milliseconds.
    expiry_look: Cell<Option<i64>>,
    subscriptions_look: Cell<Option<i64>>,
    retired: Cell<bool>,
    ending: RefCell<Option<Ending>>,
    ended: Notify,
}

impl Connection {
    fn new(id: ConnectionId, worker: Rc<Worker>, writer: Rc<Writer>, manner: Manner) -> Self {
        let limits = &worker.gateway().config().limits;
        let rates = Rates::new(limits);
        let lanes = Lanes::new(limits.commands_in_flight_max);
        Self {
            id,
            worker,
            writer,
            manner,
            stage: RefCell::new(Stage::Fresh),
            subscriptions: RefCell::default(),
            lanes,
            rates: RefCell::new(rates),
            pings: Cell::new((0, 0)),
            slow_armed: Cell::new(false),
            expiry_look: Cell::new(None),
            subscriptions_look: Cell::new(None),
            retired: Cell::new(false),
            ending: RefCell::new(None),
            ended: Notify::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Its gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        self.worker.gateway()
    }

    /// Its worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// What waits for its socket.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// How messages travel to it.
    pub fn carrier(&self) -> Carrier {
        self.manner.carrier
    }

    /// Whether it is pinged by native frames rather than by the protocol's.
    pub fn native_pings(&self) -> bool {
        self.manner.native_pings
    }

    /// What names it in requests beside its stream.
    pub fn session(&self) -> Option<Session> {
        self.manner.session
    }

    /// The caller's address, if it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.manner.address
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Sets how far it has come.
    pub fn set_stage(&self, stage: Stage) {
        *self.stage.borrow_mut() = stage;
    }

    /// Whom it acts for, if it may act.
    pub fn identity(&self) -> Option<Rc<Identity>> {
        match &*self.stage.borrow() {
            Stage::Ready(identity) => Some(identity.clone()),
            _ => None,
        }
    }

    /// Whether it may act.
    pub fn ready(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Ready(_))
    }

    /// Whether it acts for that principal. All who did not sign in may be meant at once.
    pub fn is_of(&self, id: &PrincipalId) -> bool {
        let is = |own: &PrincipalId| own == id || own.is_anonymous() && &own.seen() == id;
        matches!(&*self.stage.borrow(), Stage::Ready(own) if is(&own.principal.id))
    }

    /// When auth was asked, Unix milliseconds.
    pub fn authenticated_ms(&self) -> i64 {
        self.identity().map_or(i64::MAX, |own| own.authenticated_ms)
    }

    /// Takes a fresh credential of the same user: its roles and its end count from now on.
    pub fn renew(&self, admitted: Admitted) {
        let Some(old) = self.identity() else { return };
        let verified = admitted.verified;
        let mut principal = verified.principal;
        if principal.id.is_anonymous() {
            // Nobody in particular, but the same nobody as before.
            principal.id = old.principal.id.clone();
        }
        let identity = Rc::new(Identity {
            principal,
            authenticated_ms: old.authenticated_ms,
            expires_at_ms: Cell::new(verified.expires_at_ms),
            refreshable: true,
            guarded_kinds: admitted.guarded_kinds,
        });
        self.set_stage(Stage::Ready(identity.clone()));
        self.arm_expiry(&identity);
    }

    /// Answers a command.
    pub fn reply(&self, id: u32, body: ReplyBody) {
        let message = self.carrier().format().encode_reply(&Reply { id, body });
        if let Some(message) = self.carried(message) {
            self.push_reply(self.carrier().wrap(&message));
        }
    }

    /// Answers a command with a failure.
    pub fn refuse(&self, id: u32, error: ErrorBody) {
        self.reply(id, ReplyBody::Error(error));
    }

    /// Queues an unpositioned push that names its channel.
    pub fn show(&self, push: &SharedPush) {
        self.show_as(push, Shape::named(self.carrier()));
    }

    /// Queues an unpositioned push to a member of that shape.
    pub fn show_as(&self, push: &SharedPush, shape: Shape) {
        if let Some(frame) = self.carried(push.frame(shape)) {
            self.push_reply(frame);
        }
    }

    /// Queues a positioned push. False if its format cannot carry it: then the connection closes.
    pub fn feed(&self, item: &RingItem, shape: Shape) -> bool {
        let Some(frame) = self.carried(item.frame(shape)) else { return false };
        let pushed = self.writer.feed(frame);
        self.after_push(pushed);
        true
    }

    fn push_reply(&self, frame: Bytes) {
        let pushed = self.writer.reply(frame);
        self.after_push(pushed);
    }

    /// What its format can carry; a connection that cannot be told everything is closed instead.
    fn carried(&self, encoded: Result<Bytes, Uncarried>) -> Option<Bytes> {
        if encoded.is_err() {
            self.close(CloseCode::InappropriateProtocol, "");
        }
        encoded.ok()
    }

    /// Asks for its end. The first wish counts.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.ask_to_end(Ending {
            code,
            reason: if reason.is_empty() { code.text() } else { reason }.to_owned(),
            when_answered: false,
        });
    }

    /// Asks for its end once the commands under way are answered.
    pub fn close_when_answered(&self, code: CloseCode) {
        self.ask_to_end(Ending { code, reason: code.text().to_owned(), when_answered: true });
    }

    /// Whether its end was asked for.
    pub fn asked_to_end(&self) -> bool {
        self.ending.borrow().is_some()
    }

    /// What it may do.
    pub fn limits(&self) -> &LimitsConfig {
        &self.gateway().config().limits
    }

    /// What it is given, and its clocks.
    pub fn settings(&self) -> &ConnectionConfig {
        &self.gateway().config().connection
    }

    fn after_push(&self, pushed: Pushed) {
        match pushed {
            Pushed::Queued => self.arm_slow(),
            Pushed::Dropped => {}
            Pushed::Overflow => self.close(CloseCode::Slow, ""),
        }
    }

    fn ask_to_end(&self, ending: Ending) {
        let mut wish = self.ending.borrow_mut();
        // A wish to wait for answers gives way to one that does not wait.
        if wish.as_ref().is_none_or(|old| old.when_answered && !ending.when_answered) {
            *wish = Some(ending);
            self.ended.notify_one();
        }
    }

    /// Whether it was taken out of everything: nothing may be put in any more.
    pub fn retired(&self) -> bool {
        self.retired.get()
    }

    /// Takes it out of everything: rooms, presence, counts. To be called once.
    fn retire(&self, departure: Departure) {
        self.retired.set(true);
        let rooms: Vec<RoomName> = self.subscriptions.borrow().keys().cloned().collect();
        for room in &rooms {
            self.leave(room, departure);
        }
        self.subscriptions.borrow_mut().clear();
        if let Some(identity) = self.identity() {
            self.gateway().roster().push(PresenceChange::Disconnected(self.id));
            self.gateway().hub().dismiss(&identity.principal.id);
        }
        self.worker.remove(self.id);
        self.gateway().hub().closed(self.address(), self.ready());
    }
}
