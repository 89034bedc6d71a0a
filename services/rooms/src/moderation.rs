//! Kicks, bans and orders to gateways.
//!
//! A kick is an item of the room's log, so that every member sees it at the same place; where there
//! is no log it is an order. An order is a numbered row first and a hint on the bus afterwards.
//! Each act leaves its audit row in its own transaction, and a refused one leaves one too.
use std::sync::Arc;

use domain::{
    Body, Error, ErrorReason, Event, INFO_BYTES_MAX, MessageId, OrderAct, Position, Principal,
    PrincipalId, Result, RoomName,
};
use rpc::admin::Kick;
use rpc::rooms::{Disconnect, Subscribe, Unsubscribe};
use rpc::{Call, Deadline};
use tokio_util::task::TaskTracker;

use crate::digest::digest_of;
use crate::dispatch::Dispatch;
use crate::heads::Heads;
use crate::kinds::{Access, Kinds};
use crate::log::Log;
use crate::membership::Membership;
use crate::store::{Act, Along, Append, Audit, Done, Expel, Needs, Store, no_such_room};

/// Longest reason that is shown to a client, bytes.
const REASON_BYTES_MAX: usize = 120;

/// Does what only admins may.
pub(crate) struct Moderation {
    pub store: Arc<dyn Store>,
    pub kinds: Arc<Kinds>,
    pub membership: Arc<Membership>,
    pub log: Arc<Log>,
    pub dispatch: Arc<Dispatch>,
    pub heads: Arc<Heads>,
    pub tasks: TaskTracker,
}

impl Moderation {
    /// Lets only admins pass. A refusal leaves an audit row.
    pub(crate) async fn admins_only(&self, by: &Principal, audit: &Audit) -> Result<()> {
        if by.is_admin() {
            return Ok(());
        }
        let refused = Error::denied();
        self.note(audit, &refused).await;
        Err(refused)
    }

    /// Leaves the audit row of an act that was refused before it came to the store.
    pub(crate) async fn note(&self, audit: &Audit, refused: &Error) {
        let note = Act::Note { outcome: refused.reason.word() };
        // Logged by the store. The refusal stands whether or not it could be noted.
        let _ = self.store.act(&note, audit).await;
    }

    /// Does one act; an order that comes of it is handed to the bus. Goes on if the caller goes
    /// away.
    pub(crate) async fn act(&self, act: Act, audit: Audit) -> Result<Done> {
        let store = self.store.clone();
        let done = self.tasks.spawn(async move { store.act(&act, &audit).await });
        let done = done.await.map_err(|_| Error::unavailable("this pod is going"))??;
        if let Done::Order(order) = &done {
            self.dispatch.order(order.clone());
            self.heads.hasten();
        }
        Ok(done)
    }

    /// See `rpc::rooms::Rooms::disconnect`.
    pub(crate) async fn disconnect(&self, request: Disconnect) -> Result<()> {
        let Disconnect { by, target, reason, reconnect } = request;
        let audit = audit(&by.id, "disconnect", format!("target={}", shown(&target)));
        self.admins_only(&by, &audit).await?;
        self.short(&reason, &audit).await?;
        let order = OrderAct::Disconnect { target, reason, reconnect };
        self.act(Act::Order(order), audit).await.map(drop)
    }

    /// See `rpc::rooms::Rooms::unsubscribe`.
    pub(crate) async fn unsubscribe(&self, request: Unsubscribe) -> Result<()> {
        let Unsubscribe { by, target, room, reason } = request;
        let on = format!("room={room} target={}", shown(&target));
        let audit = audit(&by.id, "unsubscribe", on);
        self.admins_only(&by, &audit).await?;
        self.short(&reason, &audit).await?;
        let order = OrderAct::Unsubscribe { target, room, reason };
        self.act(Act::Order(order), audit).await.map(drop)
    }

    /// See `rpc::rooms::Rooms::subscribe`.
    pub(crate) async fn subscribe(&self, request: Subscribe) -> Result<()> {
        let Subscribe { by, target, room, data } = request;
        let on = format!("room={room} target={}", shown(&target));
        let audit = audit(&by.id, "subscribe", on);
        self.admins_only(&by, &audit).await?;
        let checked = match readable(&data) {
            Ok(()) => self.may_be_subscribed(&room, &target).await,
            unreadable => unreadable,
        };
        if let Err(refused) = checked {
            self.note(&audit, &refused).await;
            return Err(refused);
        }
        let order = OrderAct::Subscribe { target, room, data };
        self.act(Act::Order(order), audit).await.map(drop)
    }

    /// Whether a room would take somebody in whom an admin brings, as far as can be told here: roles
    /// stand in the tokens of the connections.
    async fn may_be_subscribed(&self, room: &RoomName, target: &PrincipalId) -> Result<()> {
        let refuse = |text| Err(Error::new(ErrorReason::PermissionDenied, text));
        let kind = self.kinds.of(room).map_err(|_| no_such_room())?;
        match self.membership.view(room, target).await? {
            Some(view) if view.banned => refuse("the principal is banned from the room"),
            Some(view) if kind.join == Access::Members && !view.member => {
                refuse("the principal is no member of the room")
            }
            None if !kind.auto_create || kind.join == Access::Members => Err(no_such_room()),
            _ => Ok(()),
        }
    }

    /// See `rpc::admin::Admin::kick`.
    pub(crate) async fn kick(&self, call: Call, by: &Principal, kick: Kick) -> Result<Position> {
        let on = format!("room={} target={} ban={}", kick.room, shown(&kick.target), kick.ban);
        let audit = audit(&by.id, "kick", on);
        self.admins_only(by, &audit).await?;
        self.short(&kick.reason, &audit).await?;
        let kind = self.kinds.of(&kick.room).map_err(|_| no_such_room());
        let exists = self.membership.view(&kick.room, &kick.target).await?.is_some();
        let kind = match kind {
            Ok(kind) if exists => kind,
            _ => {
                let refused = no_such_room();
                self.note(&audit, &refused).await;
                return Err(refused);
            }
        };
        let Kick { room, target, reason, ban } = kick;
        let expel = Expel { target: target.clone(), reason: reason.clone(), ban };
        if !kind.stored {
            self.act(Act::Expel { room, expel }, audit).await?;
            return Ok(Position::default());
        }
        let event = Event::Kick { target, by: by.id.clone(), reason };
        let along = vec![Along::Expel(expel), Along::Audit(audit)];
        self.append_event(call.deadline, &by.id, room, event, along).await
    }

    async fn append_event(
        &self,
        deadline: Deadline,
        by: &PrincipalId,
        room: RoomName,
        event: Event,
        along: Vec<Along>,
    ) -> Result<Position> {
        let body = Body::Event(event);
        let item = Append {
            room,
            make_room: false,
            owner: by.clone(),
            needs: Needs::Nothing,
            message_id: MessageId::random(),
            digest: digest_of(&body),
            body,
            deadline,
            along,
        };
        Ok(self.log.append(item, runtime::trace::current()).await?.position)
    }

    /// Refuses a reason that no close frame could carry.
    async fn short(&self, reason: &str, audit: &Audit) -> Result<()> {
        if reason.len() <= REASON_BYTES_MAX {
            return Ok(());
        }
        let text = format!("a reason has {REASON_BYTES_MAX} bytes at most");
        let refused = Error::new(ErrorReason::LimitExceeded, text);
        self.note(audit, &refused).await;
        Err(refused)
    }
}

/// Refuses what is told with a subscription if JSON clients could not read it.
fn readable(data: &[u8]) -> Result<()> {
    if data.len() > INFO_BYTES_MAX {
        let text = format!("the data has {INFO_BYTES_MAX} bytes at most");
        return Err(Error::new(ErrorReason::LimitExceeded, text));
    }
    let json = data.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
    // A newline between two values would end a client's message.
    if json && !data.contains(&b'\n') && !data.contains(&b'\r') {
        Ok(())
    } else {
        Err(Error::invalid("the data must be one JSON value without newlines"))
    }
}

/// An audit row; the target is cut where it would be absurdly long.
pub(crate) fn audit(by: &PrincipalId, act: &'static str, mut target: String) -> Audit {
    target.truncate(target.floor_char_boundary(1_024));
    // U+0000 is the one character that PostgreSQL's texts refuse; the row must be left in any case.
    Audit { by: by.clone(), act, target: target.replace('\0', "\u{fffd}") }
}

/// A principal in an audit row.
pub(crate) fn shown(id: &PrincipalId) -> String {
    format!("{}|{}", id.issuer, id.subject)
}
