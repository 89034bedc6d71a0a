//! What is no longer kept, in PostgreSQL: always the beginning of a log, in short transactions.
//!
//! Each transaction first tries for one advisory lock, so that of many pods one works and the
//! others pass by.
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::pool::{Lent, bounded};
use super::{PostgresStore, lend, read_error};
use crate::store::Keep;

/// Most rows that one transaction removes: the room's publishers wait meanwhile.
const STEP: i64 = 1_000;
const JANITOR_LOCK: i64 = 0x726f_6f6d_735f_6a61;

type Step<T> = Result<T, sqlx::Error>;

/// A room that may have something to trim: id, head, trimmed.
type Candidate = (i64, i64, i64);

pub(super) async fn items(store: &PostgresStore, keep: &Keep) -> domain::Result<u64> {
    let mut removed = 0;
    let mut after = 0_i64;
    loop {
        let rooms = lend!(store.history, conn => candidates(conn, keep, after))?;
        let Some(last) = rooms.last() else { return Ok(removed) };
        after = last.0;
        for (room, head, mut trimmed) in rooms {
            let until =
                lend!(store.history, conn => trim_until(conn, keep, (room, head, trimmed)))?;
            while trimmed < until {
                let step = until.min(trimmed + STEP);
                match lend!(store.publish, conn => room_items(conn, room, step))? {
                    Some(rows) => removed += rows,
                    None => return Ok(removed),
                }
                trimmed = step;
            }
        }
    }
}

async fn candidates(conn: &mut PgConnection, keep: &Keep, after: i64) -> Step<Vec<Candidate>> {
    sqlx::query_as(
        "SELECT id, head, trimmed FROM room WHERE kind = $1 AND id > $2 AND head > trimmed \
         ORDER BY id LIMIT 500",
    )
    .bind(&*keep.kind)
    .bind(after)
    .fetch_all(conn)
    .await
}

async fn trim_until(
    conn: &mut PgConnection,
    keep: &Keep,
    (room, head, trimmed): Candidate,
) -> Step<i64> {
    let first_kept: Option<i64> = sqlx::query_scalar(
        "SELECT item_offset FROM item WHERE room = $1 AND item_offset > $2 AND time_ms >= $3 \
         ORDER BY item_offset LIMIT 1",
    )
    .bind(room)
    .bind(trimmed)
    .bind(keep.since_ms)
    .fetch_optional(conn)
    .await?;
    let by_age = first_kept.map_or(head, |offset| offset - 1);
    let by_count = head.saturating_sub(i64::try_from(keep.items_max).unwrap_or(i64::MAX));
    Ok(by_age.max(by_count))
}

/// `None` while another pod's janitor works.
async fn room_items(conn: &mut PgConnection, room: i64, until: i64) -> Step<Option<u64>> {
    let mut tx = conn.begin().await?;
    if !alone(&mut tx).await? {
        return Ok(None);
    }
    sqlx::query("UPDATE room SET trimmed = $2 WHERE id = $1 AND trimmed < $2")
        .bind(room)
        .bind(until)
        .execute(&mut *tx)
        .await?;
    let removed = sqlx::query("DELETE FROM item WHERE room = $1 AND item_offset <= $2")
        .bind(room)
        .bind(until)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(removed.rows_affected()))
}

async fn alone(tx: &mut PgConnection) -> Step<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(JANITOR_LOCK)
        .fetch_one(tx)
        .await
}

pub(super) async fn message_ids(store: &PostgresStore, before_ms: i64) -> domain::Result<u64> {
    let mut removed = 0;
    loop {
        let step = lend!(store.publish, conn => some_message_ids(conn, before_ms))?;
        removed += step;
        if step < STEP.unsigned_abs() {
            return Ok(removed);
        }
    }
}

async fn some_message_ids(conn: &mut PgConnection, before_ms: i64) -> Step<u64> {
    let mut tx = conn.begin().await?;
    if !alone(&mut tx).await? {
        return Ok(0);
    }
    let removed = sqlx::query(
        "DELETE FROM message_id WHERE ctid = ANY (ARRAY( \
         SELECT ctid FROM message_id WHERE time_ms < $1 LIMIT $2))",
    )
    .bind(before_ms)
    .bind(STEP)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(removed.rows_affected())
}

pub(super) async fn orders(conn: &mut PgConnection, before_ms: i64) -> Step<u64> {
    older(conn, "DELETE FROM gateway_order WHERE time_ms < $1", before_ms).await
}

pub(super) async fn audit(conn: &mut PgConnection, before_ms: i64) -> Step<u64> {
    older(conn, "DELETE FROM audit WHERE time_ms < $1", before_ms).await
}

/// For rows that admins leave: so few that one statement removes them.
async fn older(conn: &mut PgConnection, statement: &'static str, before_ms: i64) -> Step<u64> {
    let mut tx = conn.begin().await?;
    if !alone(&mut tx).await? {
        return Ok(0);
    }
    let removed = sqlx::query(statement).bind(before_ms).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(removed.rows_affected())
}
