//! The rooms service's own messages, there and back.
use domain::{Envelope, Epoch, Error, JoinLeave, Recovery, Result, Rights, RoomSettings};
use proto::rooms::v1;

use super::{
    Disconnect, FetchRange, Fetched, History, HistoryPage, Join, Joined, Publish, Published,
    Subscribe, Unsubscribe,
};
use crate::convert::{
    IntoDomain, IntoProto, gateway_or_none, message_id, required, room, shown, tags, text_or_empty,
};

impl IntoProto for JoinLeave {
    type Proto = v1::JoinLeave;
    fn into_proto(self) -> v1::JoinLeave {
        match self {
            Self::Off => v1::JoinLeave::Off,
            Self::Connection => v1::JoinLeave::Connection,
            Self::User => v1::JoinLeave::User,
        }
    }
}

impl IntoDomain for v1::JoinLeave {
    type Domain = JoinLeave;
    fn into_domain(self) -> Result<JoinLeave> {
        match self {
            Self::Off => Ok(JoinLeave::Off),
            Self::Connection => Ok(JoinLeave::Connection),
            Self::User => Ok(JoinLeave::User),
            Self::Unspecified => Err(Error::invalid("join_leave is unknown")),
        }
    }
}

impl IntoProto for RoomSettings {
    type Proto = v1::RoomSettings;
    fn into_proto(self) -> v1::RoomSettings {
        let envelope = match self.envelope {
            Envelope::Chat => v1::Envelope::Chat,
            Envelope::None => v1::Envelope::None,
        };
        let recovery = match self.recovery {
            Recovery::Log => v1::Recovery::Log,
            Recovery::Cache => v1::Recovery::Cache,
        };
        v1::RoomSettings {
            stored: self.stored,
            presence: self.presence,
            join_leave: self.join_leave.into_proto().into(),
            envelope: envelope.into(),
            recovery: recovery.into(),
            delta: self.delta,
            filters: self.filters,
        }
    }
}

impl IntoDomain for v1::RoomSettings {
    type Domain = RoomSettings;
    fn into_domain(self) -> Result<RoomSettings> {
        let envelope = match self.envelope() {
            v1::Envelope::Chat => Envelope::Chat,
            v1::Envelope::None => Envelope::None,
            v1::Envelope::Unspecified => return Err(Error::invalid("envelope is unknown")),
        };
        let join_leave = self.join_leave().into_domain()?;
        let recovery = match self.recovery() {
            v1::Recovery::Unspecified | v1::Recovery::Log => Recovery::Log,
            v1::Recovery::Cache => Recovery::Cache,
        };
        let (stored, presence) = (self.stored, self.presence);
        let (delta, filters) = (self.delta, self.filters);
        Ok(RoomSettings { stored, presence, join_leave, envelope, recovery, delta, filters })
    }
}

impl IntoDomain for v1::Rights {
    type Domain = Rights;
    fn into_domain(self) -> Result<Rights> {
        Ok(Rights { publish: self.publish, moderate: self.moderate })
    }
}

impl IntoProto for Join {
    type Proto = v1::JoinRequest;
    fn into_proto(self) -> v1::JoinRequest {
        v1::JoinRequest {
            principal: Some(self.principal.into_proto()),
            room: self.room.to_string(),
        }
    }
}

impl IntoDomain for v1::JoinRequest {
    type Domain = Join;
    fn into_domain(self) -> Result<Join> {
        Ok(Join { principal: required(self.principal, "principal")?, room: room(&self.room)? })
    }
}

impl IntoProto for Joined {
    type Proto = v1::JoinResponse;
    fn into_proto(self) -> v1::JoinResponse {
        let Rights { publish, moderate } = self.rights;
        v1::JoinResponse {
            settings: Some(self.settings.into_proto()),
            rights: Some(v1::Rights { publish, moderate }),
            head: Some(self.head.into_proto()),
        }
    }
}

impl IntoDomain for v1::JoinResponse {
    type Domain = Joined;
    fn into_domain(self) -> Result<Joined> {
        Ok(Joined {
            settings: required(self.settings, "settings")?,
            rights: required(self.rights, "rights")?,
            head: required(self.head, "head")?,
        })
    }
}

impl IntoProto for Publish {
    type Proto = v1::PublishRequest;
    fn into_proto(self) -> v1::PublishRequest {
        v1::PublishRequest {
            room: self.room.to_string(),
            principal: Some(self.principal.into_proto()),
            sender: self.sender.map(IntoProto::into_proto),
            message_id: self.message_id.to_string(),
            gateway_id: text_or_empty(self.gateway),
            data: self.data,
            tags: self.tags.into(),
        }
    }
}

impl IntoDomain for v1::PublishRequest {
    type Domain = Publish;
    fn into_domain(self) -> Result<Publish> {
        Ok(Publish {
            room: room(&self.room)?,
            principal: required(self.principal, "principal")?,
            sender: self.sender.map(IntoDomain::into_domain).transpose()?,
            message_id: message_id(&self.message_id)?,
            gateway: gateway_or_none(&self.gateway_id)?,
            tags: tags(self.tags)?,
            data: self.data,
        })
    }
}

impl IntoProto for Published {
    type Proto = v1::PublishResponse;
    fn into_proto(self) -> v1::PublishResponse {
        v1::PublishResponse {
            position: Some(self.position.into_proto()),
            duplicate: self.duplicate,
        }
    }
}

impl IntoDomain for v1::PublishResponse {
    type Domain = Published;
    fn into_domain(self) -> Result<Published> {
        Ok(Published { position: required(self.position, "position")?, duplicate: self.duplicate })
    }
}

impl IntoProto for History {
    type Proto = v1::HistoryRequest;
    fn into_proto(self) -> v1::HistoryRequest {
        v1::HistoryRequest {
            principal: Some(self.principal.into_proto()),
            room: self.room.to_string(),
            since: self.since.map(IntoProto::into_proto),
            limit: self.limit,
            reverse: self.reverse,
        }
    }
}

impl IntoDomain for v1::HistoryRequest {
    type Domain = History;
    fn into_domain(self) -> Result<History> {
        Ok(History {
            principal: required(self.principal, "principal")?,
            room: room(&self.room)?,
            since: self.since.map(IntoDomain::into_domain).transpose()?,
            limit: self.limit,
            reverse: self.reverse,
        })
    }
}

impl IntoProto for HistoryPage {
    type Proto = v1::HistoryResponse;
    fn into_proto(self) -> v1::HistoryResponse {
        v1::HistoryResponse { items: self.items.into_proto(), head: Some(self.head.into_proto()) }
    }
}

impl IntoDomain for v1::HistoryResponse {
    type Domain = HistoryPage;
    fn into_domain(self) -> Result<HistoryPage> {
        Ok(HistoryPage { items: self.items.into_domain()?, head: required(self.head, "head")? })
    }
}

impl IntoProto for FetchRange {
    type Proto = v1::FetchRange;
    fn into_proto(self) -> v1::FetchRange {
        let (room, epoch) = (self.room.to_string(), self.epoch.to_string());
        v1::FetchRange { room, epoch, after: self.after, until: self.until }
    }
}

impl IntoDomain for v1::FetchRange {
    type Domain = FetchRange;
    fn into_domain(self) -> Result<FetchRange> {
        let (room, epoch) = (room(&self.room)?, Epoch::new(self.epoch));
        Ok(FetchRange { room, epoch, after: self.after, until: self.until })
    }
}

impl IntoProto for Fetched {
    type Proto = v1::Fetched;
    fn into_proto(self) -> v1::Fetched {
        let (head, items) = (Some(self.head.into_proto()), self.items.into_proto());
        v1::Fetched { head, oldest: self.oldest, items }
    }
}

impl IntoDomain for v1::Fetched {
    type Domain = Fetched;
    fn into_domain(self) -> Result<Fetched> {
        let (head, items) = (required(self.head, "head")?, self.items.into_domain()?);
        Ok(Fetched { head, oldest: self.oldest, items })
    }
}

impl IntoProto for Disconnect {
    type Proto = v1::DisconnectRequest;
    fn into_proto(self) -> v1::DisconnectRequest {
        v1::DisconnectRequest {
            by: Some(self.by.into_proto()),
            target: Some(self.target.into_proto()),
            reason: self.reason,
            reconnect: self.reconnect,
        }
    }
}

impl IntoDomain for v1::DisconnectRequest {
    type Domain = Disconnect;
    fn into_domain(self) -> Result<Disconnect> {
        Ok(Disconnect {
            by: required(self.by, "by")?,
            target: required(self.target, "target")?,
            reason: self.reason,
            reconnect: self.reconnect,
        })
    }
}

impl IntoProto for Unsubscribe {
    type Proto = v1::UnsubscribeRequest;
    fn into_proto(self) -> v1::UnsubscribeRequest {
        v1::UnsubscribeRequest {
            by: Some(self.by.into_proto()),
            target: Some(self.target.into_proto()),
            room: self.room.to_string(),
            reason: self.reason,
        }
    }
}

impl IntoDomain for v1::UnsubscribeRequest {
    type Domain = Unsubscribe;
    fn into_domain(self) -> Result<Unsubscribe> {
        Ok(Unsubscribe {
            by: required(self.by, "by")?,
            target: required(self.target, "target")?,
            room: room(&self.room)?,
            reason: self.reason,
        })
    }
}

impl IntoProto for Subscribe {
    type Proto = v1::SubscribeRequest;
    fn into_proto(self) -> v1::SubscribeRequest {
        v1::SubscribeRequest {
            by: Some(self.by.into_proto()),
            target: Some(self.target.into_proto()),
            room: self.room.to_string(),
            data: self.data,
        }
    }
}

impl IntoDomain for v1::SubscribeRequest {
    type Domain = Subscribe;
    fn into_domain(self) -> Result<Subscribe> {
        Ok(Subscribe {
            by: required(self.by, "by")?,
            target: required(self.target, "target")?,
            room: room(&self.room)?,
            data: shown(self.data)?,
        })
    }
}
