//! Reads in PostgreSQL. What must be of one moment is read in one statement.
use domain::{Item, Position, PrincipalId, Result, RoomName};
use rpc::admin::{AuditRow, Member};
use rpc::rooms::{FetchRange, Fetched};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{FromRow as _, Row as _};

use crate::store::encoding::{
    AUDIT, ItemRow, ORDERS, OrderColumns, ROOM, ROOM_BANS, ROOM_MEMBERS, RoomColumns, audit_row,
    room_file, room_row,
};
use crate::store::{
    Head, LogPage, PageWanted, RangeLimits, RoomFile, RoomId, RoomRow, View, bounded, oldest,
    position,
};

type Step<T> = std::result::Result<T, sqlx::Error>;
/// epoch, head, trimmed (none without the room), banned, member.
type ViewColumns = (Option<String>, Option<i64>, Option<i64>, bool, bool);

pub(super) async fn views(
    conn: &mut PgConnection,
    wanted: &[(RoomName, PrincipalId)],
) -> Step<Vec<Option<View>>> {
    let rows: Vec<ViewColumns> = sqlx::query_as(
        "SELECT r.epoch, r.head, r.trimmed, \
         EXISTS (SELECT 1 FROM ban b WHERE b.room = r.id AND b.issuer = q.issuer \
             AND b.subject = q.subject), \
         EXISTS (SELECT 1 FROM member m WHERE m.room = r.id AND m.issuer = q.issuer \
             AND m.subject = q.subject) \
         FROM unnest($1::text[], $2::text[], $3::text[]) \
              WITH ORDINALITY AS q (name, issuer, subject, place) \
         LEFT JOIN LATERAL (SELECT id, epoch, head, trimmed FROM room WHERE name = q.name \
             LIMIT 1) r ON true \
         ORDER BY q.place",
    )
    .bind(wanted.iter().map(|(room, _)| room.as_str()).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, whose)| &*whose.issuer).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, whose)| &*whose.subject).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    let view = |(epoch, head, trimmed, banned, member): ViewColumns| {
        let (epoch, head, trimmed) = (epoch?, head?, trimmed?);
        let oldest = oldest(trimmed, head);
        Some(View { head: position(epoch, head), oldest, banned, member })
    };
    Ok(rows.into_iter().map(view).collect())
}

pub(super) async fn heads_by_name(conn: &mut PgConnection, rooms: &[RoomName]) -> Step<Vec<Head>> {
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as("SELECT id, name, epoch, head FROM room WHERE name = ANY ($1)")
            .bind(rooms.iter().map(RoomName::as_str).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    let head = |(id, name, epoch, head): (i64, String, String, i64)| {
        let room = RoomName::parse(&name).ok()?;
        Some(Head { id: RoomId(id), room, position: position(epoch, head) })
    };
    Ok(rows.into_iter().filter_map(head).collect())
}

pub(super) async fn heads_by_id(
    conn: &mut PgConnection,
    ids: &[RoomId],
) -> Step<Vec<(RoomId, Position)>> {
    let rows: Vec<(i64, String, i64)> =
        sqlx::query_as("SELECT id, epoch, head FROM room WHERE id = ANY ($1)")
            .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, epoch, head)| (RoomId(id), position(epoch, head))).collect())
}

/// `place` of the range, the room's epoch, head, trimmed, and the columns of an item if there is
/// one. The running sum over what items hold ends a page at its limit, but never before the first
/// item.
const FORWARD: &str = "SELECT q.place, r.epoch, r.head, r.trimmed, i.* \
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
         WITH ORDINALITY AS q (name, epoch, after, below, place) \
    JOIN room r ON r.name = q.name \
    LEFT JOIN LATERAL (SELECT * FROM (SELECT item_offset, message_id, time_ms, kind, \
             sender_issuer, sender_subject, sender_name, sender_connection, sender_info, \
             sender_room_info, gateway, tags, data, bytes, \
             sum(bytes) OVER (ORDER BY item_offset) - bytes AS before \
         FROM item CROSS JOIN LATERAL (SELECT octet_length(data) \
             + coalesce(octet_length(sender_info), 0) \
             + coalesce(octet_length(sender_room_info), 0) \
             + coalesce(octet_length(tags), 0) AS bytes) held \
         WHERE room = r.id AND item_offset > q.after AND item_offset < q.below \
         AND (q.epoch IS NULL OR (q.epoch = r.epoch AND q.after >= r.trimmed)) \
         ORDER BY item_offset LIMIT $5) page WHERE before = 0 OR before + bytes <= $6 \
    ) i ON true ORDER BY q.place, i.item_offset";
const BACKWARD: &str = "SELECT q.place, r.epoch, r.head, r.trimmed, i.* \
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
         WITH ORDINALITY AS q (name, epoch, after, below, place) \
    JOIN room r ON r.name = q.name \
    LEFT JOIN LATERAL (SELECT * FROM (SELECT item_offset, message_id, time_ms, kind, \
             sender_issuer, sender_subject, sender_name, sender_connection, sender_info, \
             sender_room_info, gateway, tags, data, bytes, \
             sum(bytes) OVER (ORDER BY item_offset DESC) - bytes AS before \
         FROM item CROSS JOIN LATERAL (SELECT octet_length(data) \
             + coalesce(octet_length(sender_info), 0) \
             + coalesce(octet_length(sender_room_info), 0) \
             + coalesce(octet_length(tags), 0) AS bytes) held \
         WHERE room = r.id AND item_offset > q.after AND item_offset < q.below \
         ORDER BY item_offset DESC LIMIT $5) page WHERE before = 0 OR before + bytes <= $6 \
    ) i ON true ORDER BY q.place, i.item_offset DESC";

/// What is read of one room: head, oldest offset kept, items.
type RoomItems = (Position, u64, Vec<Item>);

/// Each span is (room, epoch if it must match, after, below). `None` for a room that does not
/// exist.
async fn spans(
    conn: &mut PgConnection,
    statement: &'static str,
    spans: &[(&RoomName, Option<&str>, i64, i64)],
    (items_max, bytes_max): (u32, u64),
) -> Step<Result<Vec<Option<RoomItems>>>> {
    let rows = sqlx::query(statement)
        .bind(spans.iter().map(|(room, ..)| room.as_str()).collect::<Vec<_>>())
        .bind(spans.iter().map(|(_, epoch, ..)| *epoch).collect::<Vec<Option<&str>>>())
        .bind(spans.iter().map(|(_, _, after, _)| *after).collect::<Vec<_>>())
        .bind(spans.iter().map(|(_, _, _, below)| *below).collect::<Vec<_>>())
        .bind(i64::from(items_max))
        .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    let mut read: Vec<Option<RoomItems>> = vec![None; spans.len()];
    for row in rows {
        let place: i64 = row.try_get(0)?;
        let Some(slot) = usize::try_from(place - 1).ok().and_then(|at| read.get_mut(at)) else {
            continue;
        };
        let (_, _, items) = match slot {
            Some(there) => there,
            None => slot.insert(room_columns(&row)?),
        };
        let offset: Option<i64> = row.try_get("item_offset")?;
        if offset.is_some() {
            match ItemRow::from_row(&row)?.into_item() {
                Ok(item) => items.push(item),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(Ok(read))
}

fn room_columns(row: &PgRow) -> Step<RoomItems> {
    let (epoch, head, trimmed): (String, i64, i64) =
        (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    Ok((position(epoch, head), oldest(trimmed, head), Vec::new()))
}

/// The inner result is a row that cannot be understood.
pub(super) async fn page(
    conn: &mut PgConnection,
    wanted: &PageWanted,
) -> Step<Option<Result<LogPage>>> {
    let limits = (wanted.items_max, wanted.bytes_max);
    let from = wanted.from.map(bounded);
    let read = if wanted.reverse {
        let span = (&wanted.room, None, 0, from.unwrap_or(i64::MAX));
        spans(conn, BACKWARD, &[span], limits).await?
    } else {
        let span = (&wanted.room, None, from.unwrap_or(0), i64::MAX);
        spans(conn, FORWARD, &[span], limits).await?
    };
    let page = |(head, oldest, items)| LogPage { head, oldest, items };
    Ok(read.map(|mut read| read.pop().flatten().map(page)).transpose())
}

pub(super) async fn ranges(
    conn: &mut PgConnection,
    ranges: &[FetchRange],
    limits: RangeLimits,
) -> Step<Result<Vec<Fetched>>> {
    let span = |range: &FetchRange| {
        let below = bounded(range.until).saturating_add(1);
        (bounded(range.after), below)
    };
    let wanted: Vec<_> = ranges
        .iter()
        .map(|range| {
            let (after, below) = span(range);
            (&range.room, Some(range.epoch.as_str()), after, below)
        })
        .collect();
    let read = spans(conn, FORWARD, &wanted, (limits.items_max, limits.bytes_max)).await?;
    let fetched = |read: Option<RoomItems>| {
        let (head, oldest, items) = read.unwrap_or_default();
        Fetched { head, oldest, items }
    };
    Ok(read.map(|all| all.into_iter().map(fetched).collect()))
}

pub(super) async fn newest_order(conn: &mut PgConnection) -> Step<u64> {
    let last: i64 = sqlx::query_scalar("SELECT last FROM order_counter").fetch_one(conn).await?;
    Ok(last.unsigned_abs())
}

pub(super) async fn orders(
    conn: &mut PgConnection,
    after: u64,
    limit: u32,
) -> Step<Vec<OrderColumns>> {
    sqlx::query_as(ORDERS).bind(bounded(after)).bind(i64::from(limit)).fetch_all(conn).await
}

pub(super) async fn list_rooms(
    conn: &mut PgConnection,
    prefix: &str,
    after: Option<&RoomName>,
    limit: u32,
) -> Step<Vec<RoomRow>> {
    let rows: Vec<RoomColumns> = sqlx::query_as(
        "SELECT name, title, epoch, head, trimmed, created_at_ms FROM room \
         WHERE name >= $1 AND starts_with(name, $1) AND name > $2 ORDER BY name LIMIT $3",
    )
    .bind(prefix)
    .bind(after.map_or("", RoomName::as_str))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(room_row).collect())
}

pub(super) async fn describe(conn: &mut PgConnection, room: &RoomName) -> Step<Option<RoomFile>> {
    let name = room.as_str();
    let row: Option<RoomColumns> =
        sqlx::query_as(ROOM).bind(name).fetch_optional(&mut *conn).await?;
    let Some(row) = row.and_then(room_row) else { return Ok(None) };
    let members = sqlx::query_scalar(ROOM_MEMBERS).bind(name).fetch_one(&mut *conn).await?;
    let bans = sqlx::query_as(ROOM_BANS).bind(name).fetch_all(conn).await?;
    Ok(Some(room_file(row, members, bans)))
}

/// issuer, subject, since; none for a room without members.
type MemberColumns = (Option<String>, Option<String>, Option<i64>);

pub(super) async fn members(conn: &mut PgConnection, room: &RoomName) -> Step<Option<Vec<Member>>> {
    let rows: Vec<MemberColumns> = sqlx::query_as(
        "SELECT m.issuer, m.subject, m.since_ms FROM room LEFT JOIN member m ON m.room = room.id \
         WHERE room.name = $1 ORDER BY m.issuer, m.subject LIMIT 10000",
    )
    .bind(room.as_str())
    .fetch_all(conn)
    .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let member = |(issuer, subject, since_ms): MemberColumns| {
        Some(Member { id: PrincipalId::new(issuer?, subject?), since_ms: since_ms? })
    };
    Ok(Some(rows.into_iter().filter_map(member).collect()))
}

pub(super) async fn totals(conn: &mut PgConnection) -> Step<(u64, u64)> {
    let (rooms, items): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(sum(head - trimmed), 0)::bigint FROM room")
            .fetch_one(conn)
            .await?;
    Ok((rooms.unsigned_abs(), items.unsigned_abs()))
}

pub(super) async fn audit(
    conn: &mut PgConnection,
    before: Option<u64>,
    limit: u32,
) -> Step<Vec<AuditRow>> {
    let before = before.map_or(i64::MAX, bounded);
    let rows = sqlx::query_as(AUDIT).bind(before).bind(i64::from(limit)).fetch_all(conn).await?;
    Ok(rows.into_iter().map(audit_row).collect())
}
