//! The publish transaction in SQLite.
//!
//! BEGIN IMMEDIATE takes the file's one write lock, so everything read after it is what the locks
//! of a larger database would show; rows are written one by one, which in one process costs no
//! round trip.
use std::collections::HashMap;

use domain::{Epoch, Result, RoomName};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use super::BEGIN;
use crate::clock::now_ms;
use crate::store::encoding::BodyColumns;
use crate::store::plan::{Locked, Plan, Seen, plan};
use crate::store::{Append, AppendError, Appended, act};

/// What a step of the transaction brings.
type Step<T> = std::result::Result<T, sqlx::Error>;

/// See the trait. An item that comes too late while others are written sends the batch back once
/// more without it.
pub(super) async fn append(
    writer: &SqlitePool,
    batch: &[Append],
) -> std::result::Result<Vec<Result<Appended>>, AppendError> {
    let storable = |item: &Append| {
        let owner = [&item.owner.issuer, &item.owner.subject];
        BodyColumns::storable(&item.body) && !owner.iter().any(|text| text.contains('\0'))
    };
    if !batch.iter().all(storable) {
        return Err(AppendError::Data("a text holds U+0000".into()));
    }
    loop {
        if let Some(results) = attempt(writer, batch).await.map_err(|e| classify(&e))? {
            return Ok(results);
        }
    }
}

async fn attempt(writer: &SqlitePool, batch: &[Append]) -> Step<Option<Vec<Result<Appended>>>> {
    let mut tx = writer.begin_with(BEGIN).await?;
    let rooms = locked(&mut tx, batch).await?;
    let mut seen = Vec::with_capacity(batch.len());
    for item in batch {
        seen.push(match rooms.get(&item.room) {
            Some(room) => look_up(&mut tx, room.id, item).await?,
            None => Seen::default(),
        });
    }
    let time_ms = now_ms();
    let plan = plan(batch, &rooms, &seen, time_ms);
    if plan.writes.is_empty() {
        tx.rollback().await?;
        return Ok(Some(plan.results));
    }
    write(&mut tx, batch, &plan, time_ms).await?;
    // The wait for the write lock lies behind; only a stall in between can still make one late.
    if plan.writes.iter().any(|write| batch[write.index].deadline.passed()) {
        tx.rollback().await?;
        return Ok(None);
    }
    #[cfg(feature = "failpoints")]
    crate::failpoint::pass(crate::failpoint::BEFORE_COMMIT);
    tx.commit().await?;
    Ok(Some(plan.results))
}

async fn locked(tx: &mut SqliteConnection, batch: &[Append]) -> Step<HashMap<RoomName, Locked>> {
    let mut rooms = HashMap::new();
    for item in batch {
        if rooms.contains_key(&item.room) {
            continue;
        }
        let row: Option<(i64, String, i64)> =
            sqlx::query_as("SELECT id, epoch, head FROM room WHERE name = $1")
                .bind(item.room.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        if let Some((id, epoch, head)) = row {
            let locked = Locked { id, epoch: Epoch::new(epoch), head: head.unsigned_abs() };
            rooms.insert(item.room.clone(), locked);
        }
    }
    Ok(rooms)
}

async fn look_up(tx: &mut SqliteConnection, room: i64, item: &Append) -> Step<Seen> {
    let earlier: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT item_offset, time_ms, digest FROM message_id \
         WHERE room = $1 AND issuer = $2 AND subject = $3 AND message_id = $4",
    )
    .bind(room)
    .bind(&*item.owner.issuer)
    .bind(&*item.owner.subject)
    .bind(item.message_id.as_str())
    .fetch_optional(&mut *tx)
    .await?;
    let (banned, member): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM ban WHERE room = $1 AND issuer = $2 AND subject = $3), \
                EXISTS (SELECT 1 FROM member WHERE room = $1 AND issuer = $2 AND subject = $3)",
    )
    .bind(room)
    .bind(&*item.owner.issuer)
    .bind(&*item.owner.subject)
    .fetch_one(&mut *tx)
    .await?;
    let earlier = earlier.map(|(offset, time_ms, digest)| (offset.unsigned_abs(), time_ms, digest));
    Ok(Seen { earlier, banned, member })
}

async fn write(tx: &mut SqliteConnection, batch: &[Append], plan: &Plan, time_ms: i64) -> Step<()> {
    for write in &plan.writes {
        let item = &batch[write.index];
        insert(tx, item, write.room, write.offset.cast_signed(), time_ms).await?;
        act::along(tx, write.room, &item.along, time_ms).await?;
    }
    for (room, head) in &plan.heads {
        sqlx::query("UPDATE room SET head = $2 WHERE id = $1")
            .bind(room)
            .bind(head.cast_signed())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn insert(
    tx: &mut SqliteConnection,
    item: &Append,
    room: i64,
    offset: i64,
    time_ms: i64,
) -> Step<()> {
    let body = BodyColumns::of(&item.body);
    sqlx::query(
        "INSERT INTO item (room, item_offset, message_id, time_ms, kind, sender_issuer, \
         sender_subject, sender_name, sender_connection, sender_info, sender_room_info, gateway, \
         tags, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(room)
    .bind(offset)
    .bind(item.message_id.as_str())
    .bind(time_ms)
    .bind(body.kind)
    .bind(body.sender_issuer)
    .bind(body.sender_subject)
    .bind(body.sender_name)
    .bind(body.sender_connection)
    .bind(body.sender_info)
    .bind(body.sender_room_info)
    .bind(body.gateway)
    .bind(body.tags)
    .bind(body.data)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO message_id (room, issuer, subject, message_id, item_offset, time_ms, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(room)
    .bind(&*item.owner.issuer)
    .bind(&*item.owner.subject)
    .bind(item.message_id.as_str())
    .bind(offset)
    .bind(time_ms)
    .bind(item.digest.as_slice())
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Busy or without a free connection: again. A constraint: one by one. The rest, as a full disk:
/// failed.
fn classify(error: &sqlx::Error) -> AppendError {
    let text = error.to_string();
    match error {
        sqlx::Error::PoolTimedOut => AppendError::Again(text),
        sqlx::Error::Database(database) => {
            // The low byte is the primary code: 5 BUSY, 6 LOCKED, 19 CONSTRAINT, 18 TOOBIG, 20
            // MISMATCH.
            match database.code().and_then(|code| code.parse::<u32>().ok()).map(|c| c & 0xff) {
                Some(5 | 6) => AppendError::Again(text),
                Some(18..=20) => AppendError::Data(text),
                _ => AppendError::Failed(text),
            }
        }
        _ => AppendError::Failed(text),
    }
}
