//! What admins change, in PostgreSQL: the change and its audit row in one transaction.
use domain::{Epoch, Error, ErrorReason, Order, OrderAct, Position, Result, RoomName};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::clock::now_ms;
use crate::store::encoding::order_bytes;
use crate::store::{Act, Audit, Done, Expel, RoomRow, no_such_room};

/// What a step of the transaction brings: the database's failure outside, the refusal inside.
type Step<T> = std::result::Result<T, sqlx::Error>;

pub(super) async fn ensure_room(conn: &mut PgConnection, room: &RoomName) -> Step<()> {
    let mut tx = conn.begin().await?;
    insert_room(&mut tx, room, "", now_ms()).await?;
    tx.commit().await
}

pub(super) async fn act(conn: &mut PgConnection, act: &Act, audit: &Audit) -> Step<Result<Done>> {
    let time_ms = now_ms();
    let mut tx = conn.begin().await?;
    let done = perform(&mut tx, act, time_ms).await?;
    let outcome = match (&done, act) {
        (Err(error), _) => error.reason.word(),
        (Ok(_), Act::Note { outcome }) => outcome,
        (Ok(_), _) => "ok",
    };
    note(&mut tx, audit, outcome, time_ms).await?;
    tx.commit().await?;
    Ok(done)
}

async fn perform(tx: &mut PgConnection, act: &Act, time_ms: i64) -> Step<Result<Done>> {
    match act {
        Act::CreateRoom { room, title } => create(tx, room, title, time_ms).await,
        Act::Order(order) => Ok(Ok(Done::Order(give(tx, order.clone(), time_ms).await?))),
        Act::RenewEpochs { room: None } => renew_all(tx).await,
        Act::Note { .. } => Ok(Ok(Done::Nothing)),
        Act::AddMember { room, .. }
        | Act::RemoveMember { room, .. }
        | Act::Expel { room, .. }
        | Act::Unban { room, .. }
        | Act::RenewEpochs { room: Some(room) } => match room_id(tx, room).await? {
            Some(id) => Ok(Ok(in_room(tx, id, act, time_ms).await?)),
            None => Ok(Err(no_such_room())),
        },
    }
}

/// The acts that need a room which exists.
async fn in_room(tx: &mut PgConnection, id: i64, act: &Act, time_ms: i64) -> Step<Done> {
    match act {
        Act::AddMember { member, .. } => {
            sqlx::query(
                "INSERT INTO member (room, issuer, subject, since_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .bind(&*member.issuer)
            .bind(&*member.subject)
            .bind(time_ms)
            .execute(&mut *tx)
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
            sqlx::query("DELETE FROM ban WHERE room = $1 AND issuer = $2 AND subject = $3")
                .bind(id)
                .bind(&*target.issuer)
                .bind(&*target.subject)
                .execute(&mut *tx)
                .await?;
            Ok(Done::Nothing)
        }
        Act::RenewEpochs { .. } => {
            renew(tx, id).await?;
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

/// Locks the room: a publish that is under way has ended, the next one sees the act.
async fn room_id(tx: &mut PgConnection, room: &RoomName) -> Step<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM room WHERE name = $1 FOR UPDATE")
        .bind(room.as_str())
        .fetch_optional(&mut *tx)
        .await
}

async fn create(
    tx: &mut PgConnection,
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
    tx: &mut PgConnection,
    room: &RoomName,
    title: &str,
    time_ms: i64,
) -> Step<Option<Epoch>> {
    let epoch = Epoch::random();
    let made = sqlx::query(
        "INSERT INTO room (name, kind, title, epoch, created_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(room.as_str())
    .bind(room.kind())
    .bind(title)
    .bind(epoch.as_str())
    .bind(time_ms)
    .execute(&mut *tx)
    .await?;
    Ok((made.rows_affected() == 1).then_some(epoch))
}

async fn give(tx: &mut PgConnection, act: OrderAct, time_ms: i64) -> Step<Order> {
    let number: i64 = sqlx::query_scalar("UPDATE order_counter SET last = last + 1 RETURNING last")
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO gateway_order (number, time_ms, act) VALUES ($1, $2, $3)")
        .bind(number)
        .bind(time_ms)
        .bind(order_bytes(&act))
        .execute(&mut *tx)
        .await?;
    Ok(Order { number: number.unsigned_abs(), time_ms, act })
}

async fn renew(tx: &mut PgConnection, room: i64) -> Step<()> {
    sqlx::query("UPDATE room SET epoch = $2 WHERE id = $1")
        .bind(room)
        .bind(Epoch::random().as_str())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// All rooms, locked in the order in which publishes lock them.
async fn renew_all(tx: &mut PgConnection) -> Step<Result<Done>> {
    // It takes as long as there are rooms; nothing else is going on after a restore.
    sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
    let renewed = sqlx::query(
        "WITH locked AS MATERIALIZED (SELECT id FROM room ORDER BY id FOR UPDATE) \
         UPDATE room SET epoch = substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) \
         FROM locked WHERE room.id = locked.id",
    )
    .execute(&mut *tx)
    .await?;
    Ok(Ok(Done::Renewed(renewed.rows_affected())))
}

pub(super) async fn renew_if_behind(
    conn: &mut PgConnection,
    room: &RoomName,
    claimed: &Position,
) -> Step<bool> {
    let mut tx = conn.begin().await?;
    let renewed =
        sqlx::query("UPDATE room SET epoch = $2 WHERE name = $1 AND epoch = $3 AND head < $4")
            .bind(room.as_str())
            .bind(Epoch::random().as_str().to_owned())
            .bind(claimed.epoch.as_str())
            .bind(i64::try_from(claimed.offset).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
    tx.commit().await?;
    Ok(renewed.rows_affected() == 1)
}

/// Ends a membership and, if asked, bans.
pub(super) async fn expel(
    tx: &mut PgConnection,
    room: i64,
    expel: &Expel,
    time_ms: i64,
) -> Step<()> {
    sqlx::query("DELETE FROM member WHERE room = $1 AND issuer = $2 AND subject = $3")
        .bind(room)
        .bind(&*expel.target.issuer)
        .bind(&*expel.target.subject)
        .execute(&mut *tx)
        .await?;
    if expel.ban {
        sqlx::query(
            "INSERT INTO ban (room, issuer, subject, since_ms, reason) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(room)
        .bind(&*expel.target.issuer)
        .bind(&*expel.target.subject)
        .bind(time_ms)
        .bind(&*expel.reason)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Leaves an audit row.
pub(super) async fn note(
    tx: &mut PgConnection,
    audit: &Audit,
    outcome: &str,
    time_ms: i64,
) -> Step<()> {
    sqlx::query(
        "INSERT INTO audit (time_ms, by_issuer, by_subject, act, target, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(time_ms)
    .bind(&*audit.by.issuer)
    .bind(&*audit.by.subject)
    .bind(audit.act)
    .bind(&*audit.target)
    .bind(outcome)
    .execute(&mut *tx)
    .await?;
    Ok(())
}
