//! `subscribe`: authorise and read the head in one call, put the cursor there, then bind.
//!
//! The answer precedes every push of the room. What a client missed is in the answer or follows
//! it, in order and from the same cursor; or the answer says honestly that it was not recovered.
use std::rc::Rc;

use domain::{Error, JoinLeave, Position, PresenceChange, RoomName, RoomSettings};
use rpc::rooms::Joined;
use wire::{CloseCode, ErrorBody, ErrorCode, ReplyBody, SubscribeRequest, SubscribeResult};

use super::room_or_refuse;
use crate::clock::now_ms;
use crate::connection::{Connection, Identity};
use crate::room::member::{self, Member};
use crate::room::recovery::{self, Start};
use crate::room::table::Seated;

/// Wants error 112 rather than `recovered: false`.
const FLAG_ERROR_IF_UNRECOVERABLE: i64 = 2;
/// Reads of a room whose epoch is in doubt before the client is asked to come again.
const SETTLES_MAX: u32 = 20;
const SETTLE_STEP: std::time::Duration = std::time::Duration::from_millis(100);

/// Answers the command, and from then on feeds the connection.
pub async fn run(
    connection: &Rc<Connection>,
    identity: &Identity,
    id: u32,
    request: SubscribeRequest,
) {
    let Some(room) = room_or_refuse(connection, id, &request.channel) else { return };
    if let Err(refusal) = check(connection, &request, &room) {
        return match refusal {
            Refusal::Error(error) => connection.refuse(id, error),
            Refusal::Close(reason) => connection.close(CloseCode::BadRequest, reason),
        };
    }
    if !connection.begin_subscription(&room) {
        return connection.refuse(id, ErrorCode::AlreadySubscribed.body());
    }
    if let Err(error) = join(connection, identity, id, &request, &room).await {
        connection.abandon_subscription(&room);
        connection.refuse(id, error);
    }
}

enum Refusal {
    Error(ErrorBody),
    Close(&'static str),
}

fn check(
    connection: &Connection,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<(), Refusal> {
    if !matches!(request.delta.as_str(), "" | "fossil") {
        return Err(Refusal::Close("unknown delta"));
    }
    let error = if request.kind != 0 {
        ErrorCode::NotAvailable
    } else if room.is_reserved() {
        ErrorCode::PermissionDenied
    } else if connection.subscriptions() >= connection.settings().subscriptions_max
        && connection.member(room).is_none()
    {
        ErrorCode::LimitExceeded
    } else {
        return Ok(());
    };
    Err(Refusal::Error(error.body()))
}

async fn join(
    connection: &Rc<Connection>,
    identity: &Identity,
    id: u32,
    request: &SubscribeRequest,
    room: &RoomName,
) -> Result<(), ErrorBody> {
    let authorised_ms = now_ms();
    let principal = &identity.principal;
    let joined = connection.gateway().peers().join(principal.clone(), room.clone()).await;
    let joined = joined.map_err(|error| wire::error_of(&error))?;
    connection.gateway().learn_settings(room, joined.settings);
    if connection.retired() {
        return Ok(());
    }
    let seated = connection.worker().sit(room, joined.settings, &joined.head);
    let started = start(connection, request, &seated, &joined).await;
    // An order may have come meanwhile that ends what was authorised before it.
    let revoked = connection.gateway().orders().unsubscribes(&principal.id, room, authorised_ms);
    let (start, generation) = match started {
        Ok(started) if !connection.retired() && revoked.is_none() => started,
        other => {
            connection.worker().rise(room);
            return match (other, revoked) {
                (Err(error), _) => Err(error),
                (Ok(_), Some(_)) => Err(ErrorCode::PermissionDenied.body()),
                (Ok(_), None) => Ok(()),
            };
        }
    };
    let place = member::Joined {
        start: start.place.clone(),
        generation,
        authorised_at: joined.head.offset,
        authorised_ms,
        rights: joined.rights,
        join_leave: request.join_leave && joined.settings.join_leave != JoinLeave::Off,
    };
    let member = Rc::new(Member::new(connection.clone(), seated.room.clone(), place));
    connection.worker().register(&seated, member.clone());
    connection.complete_subscription(member.clone());
    announce(connection, identity, room, joined.settings);
    // From here to the first push nothing is awaited: the answer is queued before it.
    let result = result(request, &joined, start);
    connection.reply(id, ReplyBody::Subscribe(result));
    member.go_live();
    Ok(())
}

/// Where the member starts, and in which generation of the room's reader.
async fn start(
    connection: &Connection,
    request: &SubscribeRequest,
    seated: &Seated,
    joined: &Joined,
) -> Result<(Start, u64), ErrorBody> {
    let gateway = connection.gateway();
    if !joined.settings.stored {
        let (_, generation) = seated.room.position();
        let place = Position::default();
        return Ok((Start { place, recovered: false, publications: Vec::new() }, generation));
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
    let start = started.await.map_err(|error| wire::error_of(&error))?;
    let strict = request.flag & FLAG_ERROR_IF_UNRECOVERABLE != 0;
    if request.recover && !start.recovered && strict {
        return Err(ErrorCode::UnrecoverablePosition.body());
    }
    Ok((start, generation))
}

async fn settle(seated: &Seated, head: &Position) -> Result<u64, ErrorBody> {
    for _ in 0..SETTLES_MAX {
        let (position, generation) = seated.room.position();
        if position.epoch == head.epoch {
            return Ok(generation);
        }
        tokio::time::sleep(SETTLE_STEP).await;
    }
    Err(wire::error_of(&Error::unavailable("the room's log is being looked at")))
}

fn announce(connection: &Connection, identity: &Identity, room: &RoomName, kind: RoomSettings) {
    if kind.presence || kind.join_leave != JoinLeave::Off {
        connection.gateway().roster().push(PresenceChange::Entered {
            room: room.clone(),
            who: connection.who(identity),
            join_leave: kind.join_leave,
        });
    }
}

fn result(request: &SubscribeRequest, joined: &Joined, start: Start) -> SubscribeResult {
    let stored = joined.settings.stored;
    let offset = if start.recovered { request.offset } else { joined.head.offset };
    SubscribeResult {
        recoverable: stored,
        positioned: stored,
        epoch: joined.head.epoch.as_str().to_owned(),
        offset,
        publications: start.publications,
        recovered: start.recovered,
        was_recovering: request.recover,
        ..SubscribeResult::default()
    }
}
