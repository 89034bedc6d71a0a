//! Subscriptions by the server: the rooms that a token names, joined while its connection connects,
//! and those that an order brings later.
//!
//! Each goes the way of a subscribe, several at a time. A room that refuses is left out of the
//! answer; one that cannot be asked now fails the whole connect, because to the client a room that
//! is left out is one that it has lost. What an order brings is tried again for a minute, and ends
//! with the connection: only the token's rooms are there again after a reconnect.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use domain::{Departure, Error, ErrorReason, Grant, Principal, Result};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use wire::{Push, PushBody, SubscribePush, SubscribeRequest};

use super::subscribe::{self, Entered, Entry};
use crate::connection::frames::SharedPush;
use crate::connection::{Connection, Identity};
use crate::limit::Limit;
use crate::order::OrderedRoom;

/// Rooms that one connect joins at the same time.
const AT_ONCE: usize = 16;
/// How long all of them may take; SDKs give a connect up after 5 s.
const WAIT: Duration = Duration::from_secs(4);
/// How long an order is tried while its room cannot be asked.
const OBEY_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries of an order: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Joins `rooms`, from the client's `positions` where it has one. Those that refuse are left out.
pub(super) async fn join(
    connection: &Rc<Connection>,
    principal: &Principal,
    rooms: Vec<Grant>,
    positions: BTreeMap<String, SubscribeRequest>,
) -> Result<Vec<Entered>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    if rooms.len() > connection.limits().subscriptions_max {
        Limit::Subscriptions.bites();
        let text = "the token subscribes to more rooms than a connection may";
        return Err(Error::new(ErrorReason::LimitExceeded, text));
    }
    // A task of its own, because a connection that ends meanwhile drops whoever waits here, and a
    // join that holds a seat must run to its end.
    let all = join_all(connection.clone(), principal.clone(), rooms, positions);
    match tokio::time::timeout(WAIT, actix_web::rt::spawn(all)).await {
        Ok(Ok(entered)) => entered,
        Ok(Err(_)) => Err(Error::new(ErrorReason::Internal, "the joins broke off")),
        Err(_) => Err(Error::unavailable("the rooms do not answer in time")),
    }
}

async fn join_all(
    connection: Rc<Connection>,
    principal: Principal,
    rooms: Vec<Grant>,
    mut positions: BTreeMap<String, SubscribeRequest>,
) -> Result<Vec<Entered>> {
    let bytes_left = Cell::new(connection.gateway().config().room.recovery_bytes);
    let joins = rooms.into_iter().map(|grant| {
        let position = positions.remove(grant.room.as_str()).unwrap_or_default();
        join_one(&connection, &principal, grant, position, &bytes_left)
    });
    let joins: Vec<_> = joins.collect();
    // All of them run to their end, also behind one that failed.
    let joined: Vec<_> = stream::iter(joins).buffer_unordered(AT_ONCE).collect().await;
    joined.into_iter().filter_map(Result::transpose).collect()
}

async fn join_one(
    connection: &Rc<Connection>,
    principal: &Principal,
    grant: Grant,
    position: SubscribeRequest,
    bytes_left: &Cell<usize>,
) -> Result<Option<Entered>> {
    let room = grant.room.clone();
    if room.is_reserved() || connection.retired() || !connection.begin_subscription(&room) {
        return Ok(None);
    }
    // Of what the client sent the position alone counts.
    let request = SubscribeRequest {
        channel: room.as_str().to_owned(),
        recover: position.recover,
        epoch: position.epoch,
        offset: position.offset,
        ..SubscribeRequest::default()
    };
    let entry = Entry {
        principal,
        grant: Some(grant),
        refreshable: true,
        by_server: true,
        ordered: None,
        bytes_left,
    };
    let entered = subscribe::enter(connection, &request, &room, entry).await;
    if !matches!(entered, Ok(Some(_))) {
        connection.abandon_subscription(&room);
    }
    match entered {
        Err(error) if !error.transient() => Ok(None),
        other => other,
    }
}

/// Whether no order has come since a room was joined that ends the subscription; else it is ended.
pub(super) fn still_holds(connection: &Connection, identity: &Identity, entered: &Entered) -> bool {
    let (room, origin) = (entered.member.room.name(), entered.member.joined.origin);
    let own = &identity.principal.id;
    if subscribe::revoked(connection, own, room, origin) {
        connection.leave(room, Departure::Clean);
        return false;
    }
    // The connection's own task may have let it go meanwhile.
    connection.member(room).is_some_and(|member| Rc::ptr_eq(&member, &entered.member))
}

/// Leaves all rooms that were joined: the connection is not let in.
pub(super) fn undo(connection: &Connection) {
    for (member, _) in connection.live() {
        connection.leave(member.room.name(), Departure::Clean);
    }
}

/// Subscribes a connection to an order's room, in a task of its own.
pub fn obey(connection: &Rc<Connection>, ordered: &Arc<OrderedRoom>) {
    let (connection, ordered) = (connection.clone(), ordered.clone());
    actix_web::rt::spawn(async move {
        let until = Instant::now() + OBEY_WITHIN;
        let mut pause = PAUSE_MIN;
        let outcome = loop {
            match obey_once(&connection, &ordered).await {
                Some(outcome) => break outcome,
                None if Instant::now() + pause > until => break "given_up",
                None => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        };
        metrics::counter!("roomcast_gateway_ordered_subscribes_total", "outcome" => outcome)
            .increment(1);
        if !matches!(outcome, "subscribed" | "there" | "gone") {
            tracing::warn!(order = ordered.number, outcome, "an order subscribed nobody");
        }
    });
}

/// How it ended; `None` if it is to be tried again.
async fn obey_once(connection: &Rc<Connection>, ordered: &OrderedRoom) -> Option<&'static str> {
    let room = &ordered.room;
    let identity = connection.identity().filter(|_| !connection.retired());
    let Some(identity) = identity else { return Some("gone") };
    if connection.member(room).is_some() {
        return Some("there");
    }
    if connection.subscriptions() >= connection.limits().subscriptions_max {
        Limit::Subscriptions.bites();
        return Some("too_many");
    }
    if !connection.begin_subscription(room) {
        // A subscribe is under way: its outcome decides.
        return None;
    }
    let request =
        SubscribeRequest { channel: room.as_str().to_owned(), ..SubscribeRequest::default() };
    let grant = Grant { data: ordered.data.clone(), ..Grant::new(room.clone()) };
    let (principal, bytes_left) = (&identity.principal, &Cell::new(usize::MAX));
    let (grant, ordered) = (Some(grant), Some(ordered.number));
    let entry =
        Entry { principal, grant, refreshable: false, by_server: true, ordered, bytes_left };
    match subscribe::enter(connection, &request, room, entry).await {
        Ok(Some(Entered { member, terms, result })) => {
            connection.announce(&identity, &member, &terms);
            let push = PushBody::Subscribe(SubscribePush {
                recoverable: result.recoverable,
                epoch: result.epoch,
                offset: result.offset,
                positioned: result.positioned,
                data: result.data,
            });
            // From here to the first push nothing is awaited: this one is queued before it.
            connection.show(&SharedPush::new(Push::new(room.as_str(), push)));
            member.go_live();
            Some("subscribed")
        }
        other => {
            connection.abandon_subscription(room);
            match other {
                Err(error) if error.transient() => None,
                Err(_) => Some("refused"),
                Ok(_) => Some("gone"),
            }
        }
    }
}
