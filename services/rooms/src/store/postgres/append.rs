//! The publish transaction in PostgreSQL, READ COMMITTED.
//!
//! The rooms' rows are locked in the order of their ids. Message ids and rights are looked up in a
//! *new statement*, whose snapshot is younger than the locks: in the same statement a duplicate
//! committed while we waited for the lock would be invisible. The locks are held until the end of
//! COMMIT, so a room's commits are ordered as its offsets are, and a rollback gives the offsets
//! back.
use std::collections::HashMap;
use std::time::Duration;

use domain::{Epoch, Result, RoomName};
use sqlx::postgres::{PgConnection, PgPool};

use super::pool::{Lent, bounded};
use crate::clock::now_ms;
use crate::store::encoding::BodyColumns;
use crate::store::plan::{Locked, Plan, Seen, plan};
use crate::store::{Append, AppendError, Appended, act};

type Step<T> = std::result::Result<T, sqlx::Error>;

/// See the trait. An item that comes too late while others are written sends the batch back once
/// more without it.
pub(super) async fn append(
    pool: &PgPool,
    batch: &[Append],
    wait: Duration,
) -> std::result::Result<Vec<Result<Appended>>, AppendError> {
    loop {
        let mut lent = Lent::take(pool).await.map_err(|e| classify(&e))?;
        let got = match bounded(wait, attempt(&mut lent, batch)).await {
            // The server refused something: the transaction must be ended before the connection
            // goes back.
            Err(error @ sqlx::Error::Database(_)) => {
                match bounded(wait, rollback(&mut lent)).await {
                    Ok(()) => lent.back(Err(error)),
                    Err(_) => Err(error),
                }
            }
            got => lent.back(got),
        };
        if let Some(results) = got.map_err(|e| classify(&e))? {
            return Ok(results);
        }
    }
}

/// `None` if an item came too late and nothing was committed.
async fn attempt(conn: &mut PgConnection, batch: &[Append]) -> Step<Option<Vec<Result<Appended>>>> {
    sqlx::raw_sql("BEGIN ISOLATION LEVEL READ COMMITTED").execute(&mut *conn).await?;
    let rooms = lock(conn, batch).await?;
    let seen = look_up(conn, batch, &rooms).await?;
    let time_ms = now_ms();
    let plan = plan(batch, &rooms, &seen, time_ms);
    if plan.writes.is_empty() {
        rollback(conn).await?;
        return Ok(Some(plan.results));
    }
    along(conn, batch, &plan, time_ms).await?;
    write(conn, batch, &plan, time_ms).await?;
    // The wait for the locks lies behind; only a stall in between can still make one late.
    if plan.writes.iter().any(|write| batch[write.index].deadline.passed()) {
        rollback(conn).await?;
        return Ok(None);
    }
    #[cfg(feature = "failpoints")]
    crate::failpoint::pass(crate::failpoint::BEFORE_COMMIT);
    sqlx::raw_sql("COMMIT").execute(&mut *conn).await?;
    Ok(Some(plan.results))
}

async fn rollback(conn: &mut PgConnection) -> Step<()> {
    sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
}

async fn lock(conn: &mut PgConnection, batch: &[Append]) -> Step<HashMap<RoomName, Locked>> {
    let mut names: Vec<&RoomName> = batch.iter().map(|item| &item.room).collect();
    names.sort_unstable();
    names.dedup();
    let texts: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let rows: Vec<(String, i64, String, i64)> = sqlx::query_as(
        "SELECT name, id, epoch, head FROM room WHERE name = ANY ($1) ORDER BY id FOR UPDATE",
    )
    .bind(texts)
    .fetch_all(conn)
    .await?;
    let mut rooms = HashMap::with_capacity(rows.len());
    for (name, id, epoch, head) in rows {
        let at = names.binary_search_by(|probe| probe.as_str().cmp(&name));
        if let Ok(at) = at {
            let locked = Locked { id, epoch: Epoch::new(epoch), head: head.unsigned_abs() };
            rooms.insert(names[at].clone(), locked);
        }
    }
    Ok(rooms)
}

/// The columns of a look-up: offset, time and digest of an earlier item; banned; member.
type SeenColumns = (Option<i64>, Option<i64>, Option<Vec<u8>>, bool, bool);

async fn look_up(
    conn: &mut PgConnection,
    batch: &[Append],
    rooms: &HashMap<RoomName, Locked>,
) -> Step<Vec<Seen>> {
    // No room has the id 0; it finds nothing, and keeps the rows in the order of the batch.
    let ids: Vec<i64> = batch.iter().map(|i| rooms.get(&i.room).map_or(0, |r| r.id)).collect();
    let issuers: Vec<&str> = batch.iter().map(|item| &*item.owner.issuer).collect();
    let subjects: Vec<&str> = batch.iter().map(|item| &*item.owner.subject).collect();
    let message_ids: Vec<&str> = batch.iter().map(|item| item.message_id.as_str()).collect();
    let rows: Vec<SeenColumns> = sqlx::query_as(
        "SELECT e.item_offset, e.time_ms, e.digest, \
         EXISTS (SELECT 1 FROM ban b WHERE b.room = q.room AND b.issuer = q.issuer \
             AND b.subject = q.subject), \
         EXISTS (SELECT 1 FROM member m WHERE m.room = q.room AND m.issuer = q.issuer \
             AND m.subject = q.subject) \
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) \
              WITH ORDINALITY AS q (room, issuer, subject, message_id, place) \
         LEFT JOIN LATERAL (SELECT item_offset, time_ms, digest FROM message_id d \
              WHERE d.room = q.room AND d.issuer = q.issuer AND d.subject = q.subject \
              AND d.message_id = q.message_id LIMIT 1) e ON true \
         ORDER BY q.place",
    )
    .bind(ids)
    .bind(issuers)
    .bind(subjects)
    .bind(message_ids)
    .fetch_all(conn)
    .await?;
    let seen = |(offset, time_ms, digest, banned, member): SeenColumns| {
        let earlier = offset.zip(time_ms).zip(digest);
        let earlier = earlier.map(|((o, t), d)| (o.unsigned_abs(), t, d));
        Seen { earlier, banned, member }
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// What else the new items bring with them.
async fn along(conn: &mut PgConnection, batch: &[Append], plan: &Plan, time_ms: i64) -> Step<()> {
    for write in &plan.writes {
        act::along(conn, write.room, &batch[write.index].along, time_ms).await?;
    }
    Ok(())
}

/// Items, message ids and heads in one statement. It also lifts the statement's time limit for the
/// COMMIT that follows: a cancelled wait for a synchronous standby would look like success.
const WRITE: &str = "WITH new_items AS ( \
        INSERT INTO item (room, item_offset, message_id, time_ms, kind, sender_issuer, \
            sender_subject, sender_name, sender_connection, sender_info, sender_room_info, \
            gateway, tags, data) \
        SELECT room, item_offset, message_id, $1, kind, sender_issuer, sender_subject, \
            sender_name, sender_connection, sender_info, sender_room_info, gateway, tags, data \
        FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[], \
            $7::text[], $8::text[], $9::text[], $10::bytea[], $11::bytea[], $12::text[], \
            $13::bytea[], $14::bytea[]) \
        AS n (room, item_offset, message_id, kind, sender_issuer, sender_subject, sender_name, \
            sender_connection, sender_info, sender_room_info, gateway, tags, data) \
    ), new_ids AS ( \
        INSERT INTO message_id (room, issuer, subject, message_id, item_offset, time_ms, digest) \
        SELECT room, issuer, subject, message_id, item_offset, $1, digest \
        FROM unnest($2::bigint[], $15::text[], $16::text[], $4::text[], $3::bigint[], \
            $17::bytea[]) \
        AS n (room, issuer, subject, message_id, item_offset, digest) \
    ), new_heads AS ( \
        UPDATE room SET head = n.head FROM unnest($18::bigint[], $19::bigint[]) AS n (id, head) \
        WHERE room.id = n.id \
    ) SELECT set_config('statement_timeout', '0', true)";

async fn write(conn: &mut PgConnection, batch: &[Append], plan: &Plan, time_ms: i64) -> Step<()> {
    let items = || plan.writes.iter().map(|write| &batch[write.index]);
    let mut bodies: Vec<BodyColumns> = items().map(|item| BodyColumns::of(&item.body)).collect();
    let take = |pick: fn(&mut BodyColumns) -> Option<String>, bodies: &mut Vec<BodyColumns>| {
        bodies.iter_mut().map(pick).collect::<Vec<Option<String>>>()
    };
    let data: Vec<Vec<u8>> = bodies.iter_mut().map(|b| std::mem::take(&mut b.data)).collect();
    sqlx::query(WRITE)
        .bind(time_ms)
        .bind(plan.writes.iter().map(|w| w.room).collect::<Vec<_>>())
        .bind(plan.writes.iter().map(|w| w.offset.cast_signed()).collect::<Vec<_>>())
        .bind(items().map(|i| i.message_id.as_str()).collect::<Vec<_>>())
        .bind(bodies.iter().map(|b| b.kind).collect::<Vec<_>>())
        .bind(take(|b| b.sender_issuer.take(), &mut bodies))
        .bind(take(|b| b.sender_subject.take(), &mut bodies))
        .bind(take(|b| b.sender_name.take(), &mut bodies))
        .bind(take(|b| b.sender_connection.take(), &mut bodies))
        .bind(bodies.iter_mut().map(|b| b.sender_info.take()).collect::<Vec<_>>())
        .bind(bodies.iter_mut().map(|b| b.sender_room_info.take()).collect::<Vec<_>>())
        .bind(take(|b| b.gateway.take(), &mut bodies))
        .bind(bodies.iter_mut().map(|b| b.tags.take()).collect::<Vec<_>>())
        .bind(data)
        .bind(items().map(|i| &*i.owner.issuer).collect::<Vec<_>>())
        .bind(items().map(|i| &*i.owner.subject).collect::<Vec<_>>())
        .bind(items().map(|i| i.digest.to_vec()).collect::<Vec<_>>())
        .bind(plan.heads.iter().map(|(room, _)| *room).collect::<Vec<_>>())
        .bind(plan.heads.iter().map(|(_, head)| head.cast_signed()).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}

/// Which failures are safe to repeat, and which are a value's fault.
fn classify(error: &sqlx::Error) -> AppendError {
    let text = error.to_string();
    let code = error.as_database_error().and_then(|e| e.code());
    match (error, code.as_deref()) {
        (_, Some(code)) if code.starts_with("22") || code.starts_with("23") => {
            AppendError::Data(text)
        }
        // Connection trouble, lost against another transaction, cancelled, shutting or starting up,
        // too many connections.
        (_, Some(code))
            if ["08", "40", "57"].iter().any(|class| code.starts_with(class))
                || ["55P03", "53300", "25P03"].contains(&code) =>
        {
            AppendError::Again(text)
        }
        (
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed,
            _,
        ) => AppendError::Again(text),
        _ => AppendError::Failed(text),
    }
}
