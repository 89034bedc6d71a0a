//! Reads in SQLite. What must be of one moment is read in one transaction.
use domain::{Item, Position, PrincipalId, Result, RoomName};
use futures_util::TryStreamExt as _;
use rpc::admin::{AuditRow, Member};
use rpc::rooms::{FetchRange, Fetched};
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use crate::store::encoding::{
    AUDIT, ItemRow, ORDERS, OrderColumns, ROOM, ROOM_BANS, ROOM_MEMBERS, RoomColumns, audit_row,
    room_file, room_row,
};
use crate::store::{
    Head, LogPage, PageWanted, RangeLimits, RoomFile, RoomId, RoomRow, View, bounded, oldest,
    position,
};

type Step<T> = std::result::Result<T, sqlx::Error>;

pub(super) async fn views(
    readers: &SqlitePool,
    wanted: &[(RoomName, PrincipalId)],
) -> Step<Vec<Option<View>>> {
    let mut tx = readers.begin().await?;
    let mut views = Vec::with_capacity(wanted.len());
    for (room, whose) in wanted {
        let row: Option<(String, i64, i64, bool, bool)> = sqlx::query_as(
            "SELECT epoch, head, trimmed, \
             EXISTS (SELECT 1 FROM ban WHERE room = room.id AND issuer = $2 AND subject = $3), \
             EXISTS (SELECT 1 FROM member WHERE room = room.id AND issuer = $2 AND subject = $3) \
             FROM room WHERE name = $1",
        )
        .bind(room.as_str())
        .bind(&*whose.issuer)
        .bind(&*whose.subject)
        .fetch_optional(&mut *tx)
        .await?;
        views.push(row.map(|(epoch, head, trimmed, banned, member)| View {
            head: position(epoch, head),
            oldest: oldest(trimmed, head),
            banned,
            member,
        }));
    }
    tx.rollback().await?;
    Ok(views)
}

pub(super) async fn heads_by_name(readers: &SqlitePool, rooms: &[RoomName]) -> Step<Vec<Head>> {
    let mut tx = readers.begin().await?;
    let mut heads = Vec::with_capacity(rooms.len());
    for room in rooms {
        let row: Option<(i64, String, i64)> =
            sqlx::query_as("SELECT id, epoch, head FROM room WHERE name = $1")
                .bind(room.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        heads.extend(row.map(|(id, epoch, head)| Head {
            id: RoomId(id),
            room: room.clone(),
            position: position(epoch, head),
        }));
    }
    tx.rollback().await?;
    Ok(heads)
}

pub(super) async fn heads_by_id(
    readers: &SqlitePool,
    ids: &[RoomId],
) -> Step<Vec<(RoomId, Position)>> {
    let list = serde_json::json!(ids.iter().map(|id| id.0).collect::<Vec<_>>()).to_string();
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(
        "SELECT id, epoch, head FROM room WHERE id IN (SELECT value FROM json_each($1))",
    )
    .bind(list)
    .fetch_all(readers)
    .await?;
    Ok(rows.into_iter().map(|(id, epoch, head)| (RoomId(id), position(epoch, head))).collect())
}

/// The inner result is a row that cannot be understood.
pub(super) async fn page(
    readers: &SqlitePool,
    wanted: &PageWanted,
) -> Step<Option<Result<LogPage>>> {
    let mut tx = readers.begin().await?;
    let Some((id, epoch, head, trimmed)) = room(&mut tx, &wanted.room).await? else {
        return Ok(None);
    };
    let limits = (wanted.items_max, wanted.bytes_max);
    let items = if wanted.reverse {
        let below = wanted.from.map_or(i64::MAX, bounded);
        items(&mut tx, BACKWARD, (id, 0, below), limits).await?
    } else {
        let after = wanted.from.map_or(0, bounded);
        items(&mut tx, FORWARD, (id, after, i64::MAX), limits).await?
    };
    tx.rollback().await?;
    let (head, oldest) = (position(epoch, head), oldest(trimmed, head));
    Ok(Some(items.map(|items| LogPage { head, oldest, items })))
}

pub(super) async fn ranges(
    readers: &SqlitePool,
    ranges: &[FetchRange],
    limits: RangeLimits,
) -> Step<Vec<Result<Fetched>>> {
    let mut tx = readers.begin().await?;
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Some((id, epoch, head, trimmed)) = room(&mut tx, &range.room).await? else {
            all.push(Ok(Fetched { head: Position::default(), oldest: 0, items: Vec::new() }));
            continue;
        };
        let gone = range.epoch.as_str() != epoch || bounded(range.after) < trimmed;
        let items = if gone {
            Ok(Vec::new())
        } else {
            let span = (id, bounded(range.after), bounded(range.until).saturating_add(1));
            items(&mut tx, FORWARD, span, (limits.items_max, limits.bytes_max)).await?
        };
        let (head, oldest) = (position(epoch, head), oldest(trimmed, head));
        all.push(items.map(|items| Fetched { head, oldest, items }));
    }
    tx.rollback().await?;
    Ok(all)
}

const FORWARD: &str = "SELECT item_offset, message_id, time_ms, kind, sender_issuer, \
     sender_subject, sender_name, sender_connection, sender_info, sender_room_info, gateway, tags, \
     data FROM item \
     WHERE room = $1 AND item_offset > $2 AND item_offset < $3 ORDER BY item_offset LIMIT $4";
const BACKWARD: &str = "SELECT item_offset, message_id, time_ms, kind, sender_issuer, \
     sender_subject, sender_name, sender_connection, sender_info, sender_room_info, gateway, tags, \
     data FROM item \
     WHERE room = $1 AND item_offset > $2 AND item_offset < $3 ORDER BY item_offset DESC LIMIT $4";

/// Items of a room strictly between two offsets, until a limit is met.
async fn items(
    tx: &mut SqliteConnection,
    statement: &'static str,
    (room, after, below): (i64, i64, i64),
    (items_max, bytes_max): (u32, u64),
) -> Step<Result<Vec<Item>>> {
    let mut rows = sqlx::query_as::<_, ItemRow>(statement)
        .bind(room)
        .bind(after)
        .bind(below)
        .bind(i64::from(items_max))
        .fetch(&mut *tx);
    let mut items = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        bytes += row.bytes();
        if bytes > bytes_max && !items.is_empty() {
            break;
        }
        match row.into_item() {
            Ok(item) => items.push(item),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(items))
}

async fn room(tx: &mut SqliteConnection, room: &RoomName) -> Step<Option<(i64, String, i64, i64)>> {
    sqlx::query_as("SELECT id, epoch, head, trimmed FROM room WHERE name = $1")
        .bind(room.as_str())
        .fetch_optional(&mut *tx)
        .await
}

pub(super) async fn newest_order(readers: &SqlitePool) -> Step<u64> {
    let last: i64 = sqlx::query_scalar("SELECT last FROM order_counter").fetch_one(readers).await?;
    Ok(last.unsigned_abs())
}

pub(super) async fn orders(
    readers: &SqlitePool,
    after: u64,
    limit: u32,
) -> Step<Vec<OrderColumns>> {
    sqlx::query_as(ORDERS).bind(bounded(after)).bind(i64::from(limit)).fetch_all(readers).await
}

pub(super) async fn list_rooms(
    readers: &SqlitePool,
    prefix: &str,
    after: Option<&RoomName>,
    limit: u32,
) -> Step<Vec<RoomRow>> {
    let rows: Vec<RoomColumns> = sqlx::query_as(
        "SELECT name, title, epoch, head, trimmed, created_at_ms FROM room \
         WHERE name >= $1 AND substr(name, 1, length($1)) = $1 AND name > $2 \
         ORDER BY name LIMIT $3",
    )
    .bind(prefix)
    .bind(after.map_or("", RoomName::as_str))
    .bind(i64::from(limit))
    .fetch_all(readers)
    .await?;
    Ok(rows.into_iter().filter_map(room_row).collect())
}

pub(super) async fn describe(readers: &SqlitePool, room: &RoomName) -> Step<Option<RoomFile>> {
    let mut tx = readers.begin().await?;
    let name = room.as_str();
    let row: Option<RoomColumns> = sqlx::query_as(ROOM).bind(name).fetch_optional(&mut *tx).await?;
    let Some(row) = row.and_then(room_row) else { return Ok(None) };
    let members = sqlx::query_scalar(ROOM_MEMBERS).bind(name).fetch_one(&mut *tx).await?;
    let bans = sqlx::query_as(ROOM_BANS).bind(name).fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Some(room_file(row, members, bans)))
}

pub(super) async fn members(readers: &SqlitePool, room: &RoomName) -> Step<Option<Vec<Member>>> {
    let mut tx = readers.begin().await?;
    let Some((id, ..)) = self::room(&mut tx, room).await? else { return Ok(None) };
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT issuer, subject, since_ms FROM member WHERE room = $1 \
         ORDER BY issuer, subject LIMIT 10000",
    )
    .bind(id)
    .fetch_all(&mut *tx)
    .await?;
    tx.rollback().await?;
    let member = |(issuer, subject, since_ms): (String, String, i64)| Member {
        id: PrincipalId::new(issuer, subject),
        since_ms,
    };
    Ok(Some(rows.into_iter().map(member).collect()))
}

pub(super) async fn totals(readers: &SqlitePool) -> Step<(u64, u64)> {
    let (rooms, items): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(sum(head - trimmed), 0) FROM room")
            .fetch_one(readers)
            .await?;
    Ok((rooms.unsigned_abs(), items.unsigned_abs()))
}

pub(super) async fn audit(
    readers: &SqlitePool,
    before: Option<u64>,
    limit: u32,
) -> Step<Vec<AuditRow>> {
    let before = before.map_or(i64::MAX, bounded);
    let rows = sqlx::query_as(AUDIT).bind(before).bind(i64::from(limit)).fetch_all(readers).await?;
    Ok(rows.into_iter().map(audit_row).collect())
}
