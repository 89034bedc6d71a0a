//! Domain types as prost messages, and back: what several services share.
//!
//! Both sides belong to other crates, so two small traits stand for `From` and `TryFrom`. The way back
//! checks everything: names, ids, fields that must be set. Its errors are `InvalidArgument`.
mod control;
mod item;

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    ConnectionId, Error, GatewayId, GatewayInfo, INFO_BYTES_MAX, Incarnation, LeaseId, MessageId,
    PresenceCounts, PresenceEntry, PresenceTotals, Principal, PrincipalId, Result, RoomName, Tags,
    Who,
};
use proto::core::v1;

/// Longest address of a gateway.
const PEER_URL_BYTES_MAX: usize = 256;

/// Becomes a prost message.
pub(crate) trait IntoProto {
    type Proto;
    fn into_proto(self) -> Self::Proto;
}

/// Becomes a domain type, if it makes sense.
pub(crate) trait IntoDomain {
    type Domain;
    fn into_domain(self) -> Result<Self::Domain>;
}

/// A field that must be set.
pub(crate) fn required<T: IntoDomain>(field: Option<T>, name: &str) -> Result<T::Domain> {
    field.ok_or_else(|| Error::invalid(format!("{name} is missing")))?.into_domain()
}

/// A room's name.
pub(crate) fn room(text: &str) -> Result<RoomName> {
    RoomName::parse(text).map_err(|why| Error::invalid(why.to_string()))
}

/// A room's name, or none.
pub(crate) fn room_or_none(text: &str) -> Result<Option<RoomName>> {
    if text.is_empty() { Ok(None) } else { room(text).map(Some) }
}

/// A message id.
pub(crate) fn message_id(text: &str) -> Result<MessageId> {
    MessageId::parse(text).map_err(|why| Error::invalid(why.to_string()))
}

/// A gateway's id.
pub(crate) fn gateway(text: &str) -> Result<GatewayId> {
    GatewayId::parse(text).map_err(|why| Error::invalid(why.to_string()))
}

/// A gateway's id, or none.
pub(crate) fn gateway_or_none(text: &str) -> Result<Option<GatewayId>> {
    if text.is_empty() { Ok(None) } else { gateway(text).map(Some) }
}

/// The text of an id that may be absent.
pub(crate) fn text_or_empty(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// JSON that is shown of somebody; empty for none.
pub(crate) fn tags(tags: BTreeMap<String, String>) -> Result<Tags> {
    Tags::new(tags).map_err(|error| Error::invalid(error.to_string()))
}

pub(crate) fn shown(json: Bytes) -> Result<Bytes> {
    if json.len() > INFO_BYTES_MAX {
        return Err(Error::invalid(format!("what is shown has {INFO_BYTES_MAX} bytes at most")));
    }
    Ok(json)
}

/// What other gateways reach a gateway by, if they can.
pub(crate) fn peer_url(text: String) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let checked = if text.len() <= PEER_URL_BYTES_MAX {
        crate::config::check_address(&text)
    } else {
        Err("too long")
    };
    checked.map_err(|why| Error::invalid(format!("peer_url: {why}")))?;
    Ok(Some(text))
}

macro_rules! uuid_bytes {
    ($($to:ident, $from:ident, $id:ident;)*) => { $(
        /// The id's 16 bytes.
        pub(crate) fn $to(id: $id) -> Bytes {
            Bytes::copy_from_slice(id.0.as_bytes())
        }

        /// The id with these 16 bytes.
        pub(crate) fn $from(bytes: &[u8]) -> Result<$id> {
            let bytes = <[u8; 16]>::try_from(bytes);
            bytes.map(|bytes| $id(uuid::Uuid::from_bytes(bytes))).map_err(|_| Error::invalid("an id has 16 bytes"))
        }
    )* };
}

uuid_bytes! {
    connection_bytes, connection, ConnectionId;
    incarnation_bytes, incarnation, Incarnation;
    lease_bytes, lease, LeaseId;
}

impl<T: IntoProto> IntoProto for Vec<T> {
    type Proto = Vec<T::Proto>;
    fn into_proto(self) -> Self::Proto {
        self.into_iter().map(T::into_proto).collect()
    }
}

impl<T: IntoDomain> IntoDomain for Vec<T> {
    type Domain = Vec<T::Domain>;
    fn into_domain(self) -> Result<Self::Domain> {
        self.into_iter().map(T::into_domain).collect()
    }
}

impl IntoProto for PrincipalId {
    type Proto = v1::PrincipalId;
    fn into_proto(self) -> v1::PrincipalId {
        v1::PrincipalId { issuer: self.issuer.to_string(), subject: self.subject.to_string() }
    }
}

impl IntoDomain for v1::PrincipalId {
    type Domain = PrincipalId;
    fn into_domain(self) -> Result<PrincipalId> {
        if self.issuer.is_empty() || self.subject.is_empty() {
            return Err(Error::invalid("a principal has an issuer and a subject"));
        }
        Ok(PrincipalId::new(self.issuer, self.subject))
    }
}

impl IntoProto for Principal {
    type Proto = v1::Principal;
    fn into_proto(self) -> v1::Principal {
        let Self { id, name, info, roles, grants } = self;
        let grants = grants.iter().map(ToString::to_string).collect();
        v1::Principal { id: Some(id.into_proto()), name, roles, grants, info }
    }
}

impl IntoDomain for v1::Principal {
    type Domain = Principal;
    fn into_domain(self) -> Result<Principal> {
        let id = required(self.id, "principal.id")?;
        let grants = self.grants.iter().map(|name| room(name)).collect::<Result<_>>()?;
        let info = shown(self.info)?;
        Ok(Principal { id, name: self.name, info, roles: self.roles, grants })
    }
}

impl IntoProto for Who {
    type Proto = v1::Who;
    fn into_proto(self) -> v1::Who {
        v1::Who {
            id: Some(self.id.into_proto()),
            name: self.name,
            connection_id: connection_bytes(self.connection),
            info: self.info,
            room_info: self.room_info,
        }
    }
}

impl IntoDomain for v1::Who {
    type Domain = Who;
    fn into_domain(self) -> Result<Who> {
        Ok(Who {
            id: required(self.id, "who.id")?,
            name: self.name,
            info: shown(self.info)?,
            room_info: shown(self.room_info)?,
            connection: connection(&self.connection_id)?,
        })
    }
}

impl IntoProto for PresenceEntry {
    type Proto = v1::PresenceEntry;
    fn into_proto(self) -> v1::PresenceEntry {
        v1::PresenceEntry { who: Some(self.who.into_proto()), gateway_id: self.gateway.to_string() }
    }
}

impl IntoDomain for v1::PresenceEntry {
    type Domain = PresenceEntry;
    fn into_domain(self) -> Result<PresenceEntry> {
        Ok(PresenceEntry {
            who: required(self.who, "entry.who")?,
            gateway: gateway(&self.gateway_id)?,
        })
    }
}

impl IntoProto for PresenceCounts {
    type Proto = v1::PresenceCounts;
    fn into_proto(self) -> v1::PresenceCounts {
        v1::PresenceCounts { connections: self.connections, principals: self.principals }
    }
}

impl IntoDomain for v1::PresenceCounts {
    type Domain = PresenceCounts;
    fn into_domain(self) -> Result<PresenceCounts> {
        Ok(PresenceCounts { connections: self.connections, principals: self.principals })
    }
}

impl IntoProto for PresenceTotals {
    type Proto = v1::PresenceTotals;
    fn into_proto(self) -> v1::PresenceTotals {
        let Self { connections, principals, gateways } = self;
        v1::PresenceTotals { connections, principals, gateways }
    }
}

impl IntoDomain for v1::PresenceTotals {
    type Domain = PresenceTotals;
    fn into_domain(self) -> Result<PresenceTotals> {
        let Self { connections, principals, gateways } = self;
        Ok(PresenceTotals { connections, principals, gateways })
    }
}

impl IntoProto for GatewayInfo {
    type Proto = v1::GatewayInfo;
    fn into_proto(self) -> v1::GatewayInfo {
        v1::GatewayInfo {
            gateway_id: self.gateway.to_string(),
            incarnation: incarnation_bytes(self.incarnation),
            connections: self.connections,
            peer_url: self.peer_url.unwrap_or_default(),
        }
    }
}

impl IntoDomain for v1::GatewayInfo {
    type Domain = GatewayInfo;
    fn into_domain(self) -> Result<GatewayInfo> {
        Ok(GatewayInfo {
            gateway: gateway(&self.gateway_id)?,
            incarnation: incarnation(&self.incarnation)?,
            connections: self.connections,
            peer_url: Some(self.peer_url).filter(|url| !url.is_empty()),
        })
    }
}
