//! What admins change: the change and its audit row in one transaction, in either database.
//!
//! Decides what an act writes and in which order; whether it may be done was decided before. Each
//! database begins a transaction in its own way and hands that in as `begin`. The statements in
//! which they differ are methods of [`Statements`]; all others stand here.
use domain::{Epoch, Error, ErrorReason, Order, OrderAct, Position, Result, RoomName};
use sqlx::{Database, Transaction};

use super::encoding::order_bytes;
use super::statements::Value::{Bytes, Number, Text};
use super::statements::{Statements, Step};
use super::{Act, Along, Audit, Done, Expel, RoomRow, bounded, no_such_room};
use crate::clock::now_ms;

pub(super) async fn ensure_room<'c, DB>(
    begin: impl Future<Output = Step<Transaction<'c, DB>>>,
    room: &RoomName,
) -> Step<()>
where
    DB: Database<Connection: Statements>,
{
    let mut tx = begin.await?;
    insert_room(&mut *tx, room, "", now_ms()).await?;
    tx.commit().await
}

/// The database's failure outside, the refusal inside.
pub(super) async fn act<'c, DB>(
    begin: impl Future<Output = Step<Transaction<'c, DB>>>,
    act: &Act,
    audit: &Audit,
) -> Step<Result<Done>>
where
    DB: Database<Connection: Statements>,
{
    let time_ms = now_ms();
    let mut tx = begin.await?;
    let done = perform(&mut *tx, act, time_ms).await?;
    let outcome = match (&done, act) {
        (Err(error), _) => error.reason.word(),
        (Ok(_), Act::Note { outcome }) => outcome,
        (Ok(_), _) => "ok",
    };
    note(&mut *tx, audit, outcome, time_ms).await?;
    tx.commit().await?;
    Ok(done)
}

pub(super) async fn renew_if_behind<'c, DB>(
    begin: impl Future<Output = Step<Transaction<'c, DB>>>,
    room: &RoomName,
    claimed: &Position,
) -> Step<bool>
where
    DB: Database<Connection: Statements>,
{
    let mut tx = begin.await?;
    let epoch = Epoch::random();
    let renewed = tx
        .change(
            "UPDATE room SET epoch = $2 WHERE name = $1 AND epoch = $3 AND head < $4",
            &[
                Text(room.as_str()),
                Text(epoch.as_str()),
                Text(claimed.epoch.as_str()),
                Number(bounded(claimed.offset)),
            ],
        )
        .await?;
    tx.commit().await?;
    Ok(renewed == 1)
}

/// What a new item brings with it, in the item's transaction.
pub(super) async fn along(
    tx: &mut impl Statements,
    room: i64,
    along: &[Along],
    time_ms: i64,
) -> Step<()> {
    for along in along {
        match along {
            Along::Expel(gone) => expel(tx, room, gone, time_ms).await?,
            Along::Audit(audit) => note(tx, audit, "ok", time_ms).await?,
        }
    }
    Ok(())
}

async fn perform(tx: &mut impl Statements, act: &Act, time_ms: i64) -> Step<Result<Done>> {
    match act {
        Act::CreateRoom { room, title } => create(tx, room, title, time_ms).await,
        Act::Order(order) => Ok(Ok(Done::Order(give(tx, order.clone(), time_ms).await?))),
        Act::RenewEpochs { room: None } => Ok(Ok(Done::Renewed(tx.renew_all().await?))),
        Act::Note { .. } => Ok(Ok(Done::Nothing)),
        Act::AddMember { room, .. }
        | Act::RemoveMember { room, .. }
        | Act::Expel { room, .. }
        | Act::Unban { room, .. }
        | Act::RenewEpochs { room: Some(room) } => match tx.lock_room(room).await? {
            Some(id) => Ok(Ok(in_room(tx, id, act, time_ms).await?)),
            None => Ok(Err(no_such_room())),
        },
    }
}

/// The acts that need a room which exists.
async fn in_room(tx: &mut impl Statements, id: i64, act: &Act, time_ms: i64) -> Step<Done> {
    match act {
        Act::AddMember { member, .. } => {
            tx.change(
                "INSERT INTO member (room, issuer, subject, since_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                &[Number(id), Text(&member.issuer), Text(&member.subject), Number(time_ms)],
            )
            .await?;
            Ok(Done::Nothing)
        }
        Act::RemoveMember { room, member } => {
            let gone =
                Expel { target: member.clone(), reason: "membership ended".into(), ban: false };
            expel(tx, id, &gone, time_ms).await?;
            Ok(Done::Order(give(tx, unsubscribe(room, &gone), time_ms).await?))
        }
        Act::Expel { room, expel: gone } => {
            expel(tx, id, gone, time_ms).await?;
            Ok(Done::Order(give(tx, unsubscribe(room, gone), time_ms).await?))
        }
        Act::Unban { target, .. } => {
            tx.change(
                "DELETE FROM ban WHERE room = $1 AND issuer = $2 AND subject = $3",
                &[Number(id), Text(&target.issuer), Text(&target.subject)],
            )
            .await?;
            Ok(Done::Nothing)
        }
        Act::RenewEpochs { .. } => {
            let epoch = Epoch::random();
            tx.change(
                "UPDATE room SET epoch = $2 WHERE id = $1",
                &[Number(id), Text(epoch.as_str())],
            )
            .await?;
            Ok(Done::Renewed(1))
        }
        Act::CreateRoom { .. } | Act::Order(_) | Act::Note { .. } => Ok(Done::Nothing),
    }
}

fn unsubscribe(room: &RoomName, gone: &Expel) -> OrderAct {
    OrderAct::Unsubscribe {
        target: gone.target.clone(),
        room: room.clone(),
        reason: gone.reason.clone(),
    }
}

async fn create(
    tx: &mut impl Statements,
    room: &RoomName,
    title: &str,
    created_at_ms: i64,
) -> Step<Result<Done>> {
    let Some(epoch) = insert_room(tx, room, title, created_at_ms).await? else {
        return Ok(Err(Error::new(ErrorReason::AlreadyExists, "there is such a room")));
    };
    Ok(Ok(Done::Room(RoomRow {
        room: room.clone(),
        title: title.to_owned(),
        head: Position { epoch, offset: 0 },
        created_at_ms,
        oldest: 0,
        items: 0,
    })))
}

/// The epoch of the room that was made; `None` if there was one.
async fn insert_room(
    tx: &mut impl Statements,
    room: &RoomName,
    title: &str,
    time_ms: i64,
) -> Step<Option<Epoch>> {
    let epoch = Epoch::random();
    let made = tx
        .change(
            "INSERT INTO room (name, kind, title, epoch, created_at_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
            &[
                Text(room.as_str()),
                Text(room.kind()),
                Text(title),
                Text(epoch.as_str()),
                Number(time_ms),
            ],
        )
        .await?;
    Ok((made == 1).then_some(epoch))
}

async fn give(tx: &mut impl Statements, act: OrderAct, time_ms: i64) -> Step<Order> {
    let number = tx
        .number("UPDATE order_counter SET last = last + 1 RETURNING last", &[])
        .await?
        .ok_or(sqlx::Error::RowNotFound)?;
    tx.change(
        "INSERT INTO gateway_order (number, time_ms, act) VALUES ($1, $2, $3)",
        &[Number(number), Number(time_ms), Bytes(&order_bytes(&act))],
    )
    .await?;
    Ok(Order { number: number.unsigned_abs(), time_ms, act })
}

/// Ends a membership and, if asked, bans.
async fn expel(tx: &mut impl Statements, room: i64, expel: &Expel, time_ms: i64) -> Step<()> {
    let (issuer, subject) = (Text(&expel.target.issuer), Text(&expel.target.subject));
    tx.change(
        "DELETE FROM member WHERE room = $1 AND issuer = $2 AND subject = $3",
        &[Number(room), issuer, subject],
    )
    .await?;
    if expel.ban {
        tx.change(
            "INSERT INTO ban (room, issuer, subject, since_ms, reason) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
            &[Number(room), issuer, subject, Number(time_ms), Text(&expel.reason)],
        )
        .await?;
    }
    Ok(())
}

/// Leaves an audit row.
async fn note(tx: &mut impl Statements, audit: &Audit, outcome: &str, time_ms: i64) -> Step<()> {
    tx.change(
        "INSERT INTO audit (time_ms, by_issuer, by_subject, act, target, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            Number(time_ms),
            Text(&audit.by.issuer),
            Text(&audit.by.subject),
            Text(audit.act),
            Text(&audit.target),
            Text(outcome),
        ],
    )
    .await?;
    Ok(())
}
