//! What admins see. Whatever presence cannot tell is unknown, never zero.
use domain::{PresenceEntry, Result, RoomName};
use rpc::Call;
use rpc::admin::{ConnectionsOf, Member, RoomDetail, RoomInfo, Stats};

use crate::moderation::shown;
use crate::service::RoomsService;
use crate::store::{RoomRow, no_such_room};

/// Rows of one answer at most.
pub(super) const ROWS_MAX: u32 = 1_000;

pub(super) async fn stats(service: &RoomsService, call: Call) -> Result<Stats> {
    let (rooms, items) = service.store.totals().await?;
    let (presence, gateways) =
        tokio::join!(service.presence.totals(call), service.presence.gateways(call));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Stats { version, rooms, items, presence: presence.ok(), gateways: gateways.ok() })
}

pub(super) async fn rooms(
    service: &RoomsService,
    prefix: &str,
    after: Option<&RoomName>,
    limit: u32,
) -> Result<Vec<RoomInfo>> {
    let rows = service.store.list_rooms(prefix, after, limit.clamp(1, ROWS_MAX)).await?;
    Ok(rows.into_iter().map(info).collect())
}

pub(super) fn info(row: RoomRow) -> RoomInfo {
    let RoomRow { room, title, head, created_at_ms, .. } = row;
    RoomInfo { room, title, head, created_at_ms }
}

pub(super) async fn room(
    service: &RoomsService,
    call: Call,
    room: &RoomName,
) -> Result<RoomDetail> {
    let file = service.store.describe(room).await?.ok_or_else(no_such_room)?;
    let counts = service.presence.room_counts(call, room.clone()).await.ok();
    Ok(RoomDetail {
        kind: room.kind().to_owned(),
        oldest: file.row.oldest,
        items: file.row.items,
        members: file.members,
        counts,
        banned: file.banned,
        info: info(file.row),
    })
}

pub(super) async fn members(service: &RoomsService, room: &RoomName) -> Result<Vec<Member>> {
    service.store.members(room).await?.ok_or_else(no_such_room)
}

pub(super) fn connections_target(of: &ConnectionsOf) -> String {
    let room = of.room.as_ref().map(|room| format!("room={room}"));
    let principal = of.principal.as_ref().map(|id| format!("target={}", shown(id)));
    [room, principal].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Live connections that meet all filters given. Without a filter there is no list to ask for.
pub(super) async fn connections(
    service: &RoomsService,
    call: Call,
    of: ConnectionsOf,
) -> Result<Vec<PresenceEntry>> {
    match of {
        ConnectionsOf { room: None, principal: None } => {
            Err(domain::Error::invalid("name a room, a principal or both"))
        }
        ConnectionsOf { room: Some(room), principal: None } => {
            service.presence.room(call, room, ROWS_MAX).await
        }
        ConnectionsOf { room: None, principal: Some(id) } => {
            let mut all = service.presence.connections(call, id).await?;
            all.truncate(ROWS_MAX as usize);
            Ok(all)
        }
        ConnectionsOf { room: Some(room), principal: Some(id) } => {
            // Presence cannot be asked for both at once; beyond its own cap on a room's entries the
            // answer holds only those it gave.
            let theirs = service.presence.connections(call, id).await?;
            let here = service.presence.room(call, room, u32::MAX).await?;
            let in_room =
                |e: &PresenceEntry| here.iter().any(|h| h.who.connection == e.who.connection);
            Ok(theirs.into_iter().filter(in_room).take(ROWS_MAX as usize).collect())
        }
    }
}
