//! What is no longer kept, in SQLite: always the beginning of a log, in short transactions.
use sqlx::sqlite::SqlitePool;

use super::BEGIN;
use crate::store::Keep;

/// Most rows that one transaction removes: it holds the one write lock meanwhile.
const STEP: i64 = 1_000;

type Step<T> = Result<T, sqlx::Error>;

pub(super) async fn items(writer: &SqlitePool, keep: &Keep) -> Step<u64> {
    let mut removed = 0;
    let mut after = 0_i64;
    loop {
        let rooms: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT id, head, trimmed FROM room WHERE kind = $1 AND id > $2 AND head > trimmed \
             ORDER BY id LIMIT 500",
        )
        .bind(&*keep.kind)
        .bind(after)
        .fetch_all(writer)
        .await?;
        let Some(last) = rooms.last() else { return Ok(removed) };
        after = last.0;
        for (room, head, trimmed) in rooms {
            removed += room_items(writer, keep, (room, head, trimmed)).await?;
        }
    }
}

async fn room_items(
    writer: &SqlitePool,
    keep: &Keep,
    (room, head, mut trimmed): (i64, i64, i64),
) -> Step<u64> {
    let first_kept: Option<i64> = sqlx::query_scalar(
        "SELECT item_offset FROM item WHERE room = $1 AND item_offset > $2 AND time_ms >= $3 \
         ORDER BY item_offset LIMIT 1",
    )
    .bind(room)
    .bind(trimmed)
    .bind(keep.since_ms)
    .fetch_optional(writer)
    .await?;
    let by_age = first_kept.map_or(head, |offset| offset - 1);
    let by_count = head.saturating_sub(i64::try_from(keep.items_max).unwrap_or(i64::MAX));
    let until = by_age.max(by_count);
    let mut removed = 0;
    while trimmed < until {
        let step = until.min(trimmed + STEP);
        let mut tx = writer.begin_with(BEGIN).await?;
        sqlx::query("UPDATE room SET trimmed = $2 WHERE id = $1 AND trimmed < $2")
            .bind(room)
            .bind(step)
            .execute(&mut *tx)
            .await?;
        removed += sqlx::query("DELETE FROM item WHERE room = $1 AND item_offset <= $2")
            .bind(room)
            .bind(step)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        trimmed = step;
    }
    Ok(removed)
}

pub(super) async fn message_ids(writer: &SqlitePool, before_ms: i64) -> Step<u64> {
    let mut removed = 0;
    loop {
        let step = sqlx::query(
            "DELETE FROM message_id WHERE (room, issuer, subject, message_id) IN \
             (SELECT room, issuer, subject, message_id FROM message_id WHERE time_ms < $1 \
                 LIMIT $2)",
        )
        .bind(before_ms)
        .bind(STEP)
        .execute(writer)
        .await?
        .rows_affected();
        removed += step;
        if step < STEP.unsigned_abs() {
            return Ok(removed);
        }
    }
}

pub(super) async fn orders(writer: &SqlitePool, before_ms: i64) -> Step<u64> {
    let removed = sqlx::query("DELETE FROM gateway_order WHERE time_ms < $1")
        .bind(before_ms)
        .execute(writer)
        .await?;
    Ok(removed.rows_affected())
}

pub(super) async fn audit(writer: &SqlitePool, before_ms: i64) -> Step<u64> {
    let removed =
        sqlx::query("DELETE FROM audit WHERE time_ms < $1").bind(before_ms).execute(writer).await?;
    Ok(removed.rows_affected())
}
