//! `subscribe`: authorise and read the head in one call, put the cursor there, then bind. Only a room
//! with traffic that no log holds is answered no sooner than it is bound.
//!
//! A token, if there is one, is proved before: it may open the room, and says when the subscription
//! ends. Without one auth may have to be asked, which asks the operator's backend. The answer precedes every push of the room. What a client missed is in the answer or
//! follows it, in order and from the same cursor; or the answer says honestly that it was not
//! recovered.
use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use domain::{
    Decision, Error, ErrorReason, Grant, JoinLeave, Position, Principal, PrincipalId, RoomName,
    RoomSettings,
};
use rpc::rooms::Joined;
use wire::{
    CloseCode, ErrorBody, ErrorCode, Publication, ReplyBody, SubscribeRequest, SubscribeResult,
};

use super::connect::ttl_of;
use super::room_or_refuse;
use crate::clock::now_ms;
use crate::connection::subscription::Terms;
use crate::connection::{Connection, Identity};
use crate::limit::Limit;
use crate::order::{self, Origin};
use crate::room::member::{self, Member};
use crate::room::recovery::{self, Start};
use crate::room::table::Seated;
use crate::room::view::{Shown, View};
use crate::translate::beside_bytes;

/// Wants error 112 rather than `recovered: false`.
const FLAG_ERROR_IF_UNRECOVERABLE: i64 = 2;
/// Reads of a room whose epoch is in doubt before the client is asked to come again.
const SETTLES_MAX: u32 = 20;
const SETTLE_STEP: std::time::Duration = std::time::Duration::from_millis(100);
/// How long a subscribe waits for its room's binding.
const HEARD_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);
/// What a publication in an answer costs beside its payload, roughly, in bytes.
const PUBLICATION_OVERHEAD_BYTES: usize = 512;

/// Why a subscribe is not answered with a result.
enum Refusal {
    Error(ErrorBody),
    Close(CloseCode, String),
}

/// How a connection comes into a room.
pub(super) struct Entry<'a> {
    /// As whom; a grant is not in it yet.
    pub principal: &'a Principal,
    /// What a token says of the room, or auth without one.
    pub grant: Option<Grant>,
    /// Whether the grant came with a token, which its client may renew.
    pub refreshable: bool,
    /// Whether the server wants it, not the client.
    pub by_server: bool,
    /// The number of the order that wants it, if one does.
    pub ordered: Option<u64>,
    /// What is left of the bytes that may stand in the answer.
    pub bytes_left: &'a Cell<usize>,
}

/// A subscription that is complete, but not fed yet.
pub(super) struct Entered {
    /// The reader.
    pub member: Rc<Member>,
    /// On what terms.
    pub terms: Rc<Terms>,
    /// What the client is told.
    pub result: SubscribeResult,
}

/// Answers the command, and from then on feeds the connection.
pub async fn run(
    connection: &Rc<Connection>,
    identity: &Identity,
    id: u32,
    request: SubscribeRequest,
) {
    let Some(room) = room_or_refuse(connection, id, &request.channel) else { return };
    match subscribe(connection, identity, &request, &room).await {
        Ok(Some(entered)) => {
            connection.announce(identity, &entered.member, &entered.terms);
            // From here to the first push nothing is awaited: the answer is queued before it.
            connection.reply(id, ReplyBody::Subscribe(entered.result));
            entered.member.go_live();
        }
        Ok(None) => {}
        Err(Refusal::Error(error)) => connection.refuse(id, error),
        Err(Refusal::Close(code, reason)) => connection.close(code, &reason),
    }
}

async fn subscribe(
    connection: &Rc<Connection>,
    identity: &Identity,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<Option<Entered>, Refusal> {
    check(connection, request, room)?;
    if !connection.begin_subscription(room) {
        return Err(Refusal::Error(ErrorCode::AlreadySubscribed.body()));
    }
    let joined = join(connection, identity, request, room).await;
    if !matches!(joined, Ok(Some(_))) {
        connection.abandon_subscription(room);
    }
    joined
}

fn check(
    connection: &Connection,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<(), Refusal> {
    if !matches!(request.delta.as_str(), "" | "fossil") {
        return Err(Refusal::Close(CloseCode::BadRequest, "unknown delta".to_owned()));
    }
    let error = if request.kind != 0 {
        ErrorCode::NotAvailable
    } else if room.is_reserved() {
        ErrorCode::PermissionDenied
    } else if connection.subscriptions() >= connection.limits().subscriptions_max
        && connection.member(room).is_none()
    {
        Limit::Subscriptions.bites();
        ErrorCode::LimitExceeded
    } else {
        return Ok(());
    };
    Err(Refusal::Error(error.body()))
}

async fn join(
    connection: &Rc<Connection>,
    identity: &Identity,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<Option<Entered>, Refusal> {
    let grant = grant(connection, identity, request, room).await?;
    let (principal, bytes_left) = (&identity.principal, &Cell::new(usize::MAX));
    let (refreshable, ordered) = (!request.token.is_empty(), None);
    let entry = Entry { principal, grant, refreshable, by_server: false, ordered, bytes_left };
    enter(connection, request, room, entry)
        .await
        .map_err(|error| Refusal::Error(wire::error_of(&error)))
}

/// What is said of a room whose kind is guarded to somebody without a token for it.
async fn authorise(
    connection: &Connection,
    identity: &Identity,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<Grant, Refusal> {
    let peers = connection.gateway().peers();
    let principal = Principal { info: Bytes::new(), ..identity.principal.clone() };
    match peers.authorise(principal, room.clone(), request.data.clone()).await {
        Ok(Decision::Granted(grant)) => Ok(grant),
        Ok(Decision::Refused(domain::Refusal::Error { code, message, temporary })) => {
            Err(Refusal::Error(ErrorBody { code, message, temporary }))
        }
        Ok(Decision::Refused(domain::Refusal::Disconnect { reason, reconnect })) => {
            Err(Refusal::Close(order::code_of(reconnect), reason))
        }
        Err(error) => Err(Refusal::Error(wire::error_of(&error))),
    }
}

/// What the request's token proves.
async fn grant(
    connection: &Connection,
    identity: &Identity,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<Option<Grant>, Refusal> {
    if request.token.is_empty() {
        return match identity.guarded_kinds.iter().any(|kind| kind == room.kind()) {
            true => authorise(connection, identity, request, room).await.map(Some),
            false => Ok(None),
        };
    }
    let (peers, who) = (connection.gateway().peers(), identity.principal.id.clone());
    match peers.verify_subscription(who, room.clone(), request.token.clone()).await {
        Ok(grant) => Ok(Some(grant)),
        Err(error) => Err(match error.reason {
            ErrorReason::InvalidCredential => Refusal::Error(ErrorCode::PermissionDenied.body()),
            ErrorReason::PermissionDenied => Refusal::Close(CloseCode::InvalidToken, String::new()),
            _ => Refusal::Error(wire::error_of(&error)),
        }),
    }
}

/// Takes a connection into a room, whose subscription must have been begun; one that fails is to
/// be abandoned by the caller. `None` if there is nobody any more who could be told.
///
/// It must run to its end once it has begun: it may hold a seat in the room.
pub(super) async fn enter(
    connection: &Rc<Connection>,
    request: &SubscribeRequest,
    room: &RoomName,
    entry: Entry<'_>,
) -> Result<Option<Entered>, Error> {
    let origin = entry.ordered.map_or_else(|| Origin::Asked(now_ms()), Origin::Ordered);
    let terms = Rc::new(Terms::new(entry.by_server, entry.refreshable, entry.grant.as_ref()));
    let grants = terms.granted.then(|| room.clone()).into_iter().collect();
    let principal = Principal { grants, info: Bytes::new(), ..entry.principal.clone() };
    let id = principal.id.clone();
    let joined = connection.gateway().peers().join(principal, room.clone()).await?;
    connection.gateway().learn_settings(room, joined.settings);
    if connection.retired() {
        return Ok(None);
    }
    let numbers = connection.settings().room_numbers.given(connection.carrier().format());
    let mut view = View::agree(request, joined.settings, numbers)?;
    let Some(seated) = connection.worker().sit(room, joined.settings, &joined.head) else {
        Limit::Rooms.bites();
        return Err(Error::new(ErrorReason::RateLimited, "this gateway holds too many rooms"));
    };
    // A room that is held since before its kind allowed patches has none.
    view.patched &= seated.room.handle().patched;
    hear(connection, room, joined.settings).await;
    let started = start(connection, request, &seated, &joined).await;
    // An order may have come meanwhile that ends what was authorised before it.
    let revoked = revoked(connection, &id, room, origin);
    let (start, generation) = match started {
        Ok(started) if !connection.retired() && !revoked => started,
        other => {
            connection.worker().rise(room);
            return match (other, revoked) {
                (Err(error), _) => Err(error),
                (Ok(_), true) => Err(Error::denied()),
                (Ok(_), false) => Ok(None),
            };
        }
    };
    let shown = fit(&start, connection, &view, entry.bytes_left);
    let position = Position { offset: shown.until, ..start.place.clone() };
    let (base, mut result) = (shown.base, result(request, &joined, &start, shown));
    if view.numbered {
        result.id = seated.room.handle().number;
    }
    result.delta = view.patched;
    let place = member::Joined {
        start: position,
        generation,
        authorised_at: joined.head.offset,
        origin,
        rights: joined.rights,
        join_leave: terms.told(joined.settings, request.join_leave),
        view,
        base,
    };
    let member = Rc::new(Member::new(connection.clone(), seated.room.clone(), place));
    connection.worker().register(&seated, member.clone());
    connection.complete_subscription(member.clone(), terms.clone());
    let data = entry.grant.map(|grant| grant.data).unwrap_or_default();
    // Whose grant came without a token has none to renew, and asks again when it is told of the end.
    let told = terms.until_ms.get().filter(|_| terms.refreshable);
    let (expires, ttl) = ttl_of(told, now_ms());
    let result = SubscribeResult { expires, ttl, data, ..result };
    Ok(Some(Entered { member, terms, result }))
}

/// Waits until a room can be heard here, if it has traffic that cannot be fetched later: joins,
/// leaves, and everything where there is no log. Messages of a log need no wait.
async fn hear(connection: &Connection, room: &RoomName, kind: RoomSettings) {
    let gateway = connection.gateway();
    let unpositioned = kind.join_leave != JoinLeave::Off || !kind.stored;
    if unpositioned && !gateway.degraded() {
        gateway.bindings().stand(room, HEARD_WITHIN).await;
    }
}

/// Whether an order has come that ends a subscription of that origin to `room`.
pub(super) fn revoked(
    connection: &Connection,
    id: &PrincipalId,
    room: &RoomName,
    origin: Origin,
) -> bool {
    let orders = connection.gateway().orders();
    let ends = |target: &PrincipalId| orders.unsubscribes(target, room, origin).is_some();
    ends(id) || id.is_anonymous() && ends(&id.seen())
}

/// What was missed, as the member sees it and as far as the answer has room for it. The rest is left
/// to the cursor: it follows as pushes.
fn fit(start: &Start, connection: &Connection, view: &View, bytes_left: &Cell<usize>) -> Shown {
    let (after, carrier) = (start.place.offset, connection.carrier());
    let bytes_max = connection.gateway().config().room.recovery_bytes;
    let cost = |publication: &Publication| {
        publication.data.len() + beside_bytes(publication) + PUBLICATION_OVERHEAD_BYTES
    };
    let mut shown = view.show(start.items.iter().map(AsRef::as_ref), after, carrier, bytes_max);
    let bytes: usize = shown.publications.iter().map(cost).sum();
    match bytes_left.get().checked_sub(bytes) {
        Some(left) => bytes_left.set(left),
        None => shown = view.show([], after, carrier, 0),
    }
    shown
}

/// Where the member starts, and in which generation of the room's reader.
async fn start(
    connection: &Connection,
    request: &SubscribeRequest,
    seated: &Seated,
    joined: &Joined,
) -> Result<(Start, u64), Error> {
    let gateway = connection.gateway();
    if !joined.settings.stored {
        let (_, generation) = seated.room.position();
        let place = Position::default();
        return Ok((Start::at(&place, false), generation));
    }
    // The answer may be ahead of the reader, or of another life of the log than it believes in:
    // then a read of the log decides before anything is promised.
    let need = seated.room.note_head(&joined.head);
    gateway.filler().see_to(&seated.room, need);
    let generation = settle(seated, &joined.head).await?;
    let started = recovery::start(
        request,
        &joined.head,
        generation,
        &seated.room,
        gateway.pages(),
        &gateway.config().room,
    );
    let start = started.await?;
    let strict = request.flag & FLAG_ERROR_IF_UNRECOVERABLE != 0;
    if request.recover && !start.recovered && strict {
        let text = "the position cannot be recovered";
        return Err(Error::new(ErrorReason::PositionUnrecoverable, text));
    }
    Ok((start, generation))
}

async fn settle(seated: &Seated, head: &Position) -> Result<u64, Error> {
    for _ in 0..SETTLES_MAX {
        let (position, generation) = seated.room.position();
        if position.epoch == head.epoch {
            return Ok(generation);
        }
        tokio::time::sleep(SETTLE_STEP).await;
    }
    Err(Error::unavailable("the room's log is being looked at"))
}

fn result(
    request: &SubscribeRequest,
    joined: &Joined,
    start: &Start,
    shown: Shown,
) -> SubscribeResult {
    let stored = joined.settings.stored;
    let empty = shown.publications.is_empty();
    SubscribeResult {
        recoverable: stored,
        positioned: stored,
        epoch: joined.head.epoch.as_str().to_owned(),
        // Where nothing is shown, a client need not ask for the same again.
        offset: if empty { shown.until } else { start.place.offset },
        publications: shown.publications,
        recovered: start.recovered,
        was_recovering: request.recover,
        ..SubscribeResult::default()
    }
}
