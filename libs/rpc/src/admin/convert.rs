//! Admin's own messages, there and back.
use bytes::Bytes;
use domain::{ConnectionId, Error, PresenceEntry, Result, Who};
use proto::admin::v1;

use super::{AuditRow, ConnectionsOf, Kick, Member, RoomDetail, RoomInfo, Stats};
use crate::auth::CreatedKey;
use crate::convert::{IntoDomain, IntoProto, gateway, required, room, room_or_none, text_or_empty};
use crate::rooms::{HistoryPage, Published};

impl IntoProto for Stats {
    type Proto = v1::StatsResponse;
    fn into_proto(self) -> v1::StatsResponse {
        let list = |gateways: Vec<_>| v1::GatewayList { gateways: gateways.into_proto() };
        v1::StatsResponse {
            version: self.version,
            rooms: self.rooms,
            items: self.items,
            presence: self.presence.map(IntoProto::into_proto),
            gateways: self.gateways.map(list),
        }
    }
}

impl IntoDomain for v1::StatsResponse {
    type Domain = Stats;
    fn into_domain(self) -> Result<Stats> {
        Ok(Stats {
            version: self.version,
            rooms: self.rooms,
            items: self.items,
            presence: self.presence.map(IntoDomain::into_domain).transpose()?,
            gateways: self.gateways.map(|list| list.gateways.into_domain()).transpose()?,
        })
    }
}

impl IntoProto for RoomInfo {
    type Proto = v1::Room;
    fn into_proto(self) -> v1::Room {
        v1::Room {
            name: self.room.to_string(),
            title: self.title,
            head: Some(self.head.into_proto()),
            created_at_ms: self.created_at_ms,
        }
    }
}

impl IntoDomain for v1::Room {
    type Domain = RoomInfo;
    fn into_domain(self) -> Result<RoomInfo> {
        Ok(RoomInfo {
            room: room(&self.name)?,
            title: self.title,
            head: required(self.head, "head")?,
            created_at_ms: self.created_at_ms,
        })
    }
}

impl IntoProto for RoomDetail {
    type Proto = v1::DescribeRoomResponse;
    fn into_proto(self) -> v1::DescribeRoomResponse {
        v1::DescribeRoomResponse {
            room: Some(self.info.into_proto()),
            kind: self.kind,
            oldest: self.oldest,
            items: self.items,
            members: self.members,
            counts: self.counts.map(IntoProto::into_proto),
            banned: self.banned.into_proto(),
        }
    }
}

impl IntoDomain for v1::DescribeRoomResponse {
    type Domain = RoomDetail;
    fn into_domain(self) -> Result<RoomDetail> {
        Ok(RoomDetail {
            info: required(self.room, "room")?,
            kind: self.kind,
            oldest: self.oldest,
            items: self.items,
            members: self.members,
            counts: self.counts.map(IntoDomain::into_domain).transpose()?,
            banned: self.banned.into_domain()?,
        })
    }
}

impl IntoProto for Member {
    type Proto = v1::Member;
    fn into_proto(self) -> v1::Member {
        v1::Member { id: Some(self.id.into_proto()), since_ms: self.since_ms }
    }
}

impl IntoDomain for v1::Member {
    type Domain = Member;
    fn into_domain(self) -> Result<Member> {
        Ok(Member { id: required(self.id, "member.id")?, since_ms: self.since_ms })
    }
}

impl IntoProto for ConnectionsOf {
    type Proto = v1::ListConnectionsRequest;
    fn into_proto(self) -> v1::ListConnectionsRequest {
        let principal = self.principal.map(IntoProto::into_proto);
        v1::ListConnectionsRequest { room: text_or_empty(self.room), principal }
    }
}

impl IntoDomain for v1::ListConnectionsRequest {
    type Domain = ConnectionsOf;
    fn into_domain(self) -> Result<ConnectionsOf> {
        let principal = self.principal.map(IntoDomain::into_domain).transpose()?;
        Ok(ConnectionsOf { room: room_or_none(&self.room)?, principal })
    }
}

/// A connection as scripts read it: its id is text, and of what is shown they get the name.
pub(super) fn connection(entry: PresenceEntry) -> v1::Connection {
    v1::Connection {
        principal: Some(entry.who.id.into_proto()),
        name: entry.who.name,
        connection_id: entry.who.connection.to_string(),
        gateway_id: entry.gateway.to_string(),
    }
}

impl IntoDomain for v1::Connection {
    type Domain = PresenceEntry;
    fn into_domain(self) -> Result<PresenceEntry> {
        let connection: ConnectionId =
            self.connection_id.parse().map_err(|_| Error::invalid("a connection id is a UUID"))?;
        let who = Who {
            id: required(self.principal, "principal")?,
            name: self.name,
            info: Bytes::new(),
            room_info: Bytes::new(),
            connection,
        };
        Ok(PresenceEntry { who, gateway: gateway(&self.gateway_id)? })
    }
}

/// A page as the admin service answers it.
pub(super) fn page(page: HistoryPage) -> v1::HistoryResponse {
    v1::HistoryResponse { items: page.items.into_proto(), head: Some(page.head.into_proto()) }
}

impl IntoDomain for v1::HistoryResponse {
    type Domain = HistoryPage;
    fn into_domain(self) -> Result<HistoryPage> {
        Ok(HistoryPage { items: self.items.into_domain()?, head: required(self.head, "head")? })
    }
}

/// A publish's outcome as the admin service answers it.
pub(super) fn published(published: Published) -> v1::PublishResponse {
    let position = Some(published.position.into_proto());
    v1::PublishResponse { position, duplicate: published.duplicate }
}

impl IntoDomain for v1::PublishResponse {
    type Domain = Published;
    fn into_domain(self) -> Result<Published> {
        Ok(Published { position: required(self.position, "position")?, duplicate: self.duplicate })
    }
}

impl IntoProto for Kick {
    type Proto = v1::KickRequest;
    fn into_proto(self) -> v1::KickRequest {
        v1::KickRequest {
            room: self.room.to_string(),
            target: Some(self.target.into_proto()),
            reason: self.reason,
            ban: self.ban,
        }
    }
}

impl IntoDomain for v1::KickRequest {
    type Domain = Kick;
    fn into_domain(self) -> Result<Kick> {
        Ok(Kick {
            room: room(&self.room)?,
            target: required(self.target, "target")?,
            reason: self.reason,
            ban: self.ban,
        })
    }
}

impl IntoProto for AuditRow {
    type Proto = v1::AuditRow;
    fn into_proto(self) -> v1::AuditRow {
        let Self { number, time_ms, by, act, target, outcome } = self;
        v1::AuditRow { number, time_ms, by: Some(by.into_proto()), act, target, outcome }
    }
}

impl IntoDomain for v1::AuditRow {
    type Domain = AuditRow;
    fn into_domain(self) -> Result<AuditRow> {
        let Self { number, time_ms, by, act, target, outcome } = self;
        Ok(AuditRow { number, time_ms, by: required(by, "by")?, act, target, outcome })
    }
}

/// A made key as the admin service answers it.
pub(super) fn created_key(created: CreatedKey) -> v1::CreateKeyResponse {
    v1::CreateKeyResponse { key: Some(created.info.into_proto()), secret: created.secret }
}

impl IntoDomain for v1::CreateKeyResponse {
    type Domain = CreatedKey;
    fn into_domain(self) -> Result<CreatedKey> {
        Ok(CreatedKey { info: required(self.key, "key")?, secret: self.secret })
    }
}
