//! Positions and items, there and back.
use domain::{Body, Epoch, Error, Event, Item, Position, Result, Sender};
use proto::core::v1;

use super::{IntoDomain, IntoProto};
use super::{
    connection, connection_bytes, gateway_or_none, message_id, required, shown, tags, text_or_empty,
};

impl IntoProto for Position {
    type Proto = v1::Position;
    fn into_proto(self) -> v1::Position {
        v1::Position { epoch: self.epoch.to_string(), offset: self.offset }
    }
}

impl IntoDomain for v1::Position {
    type Domain = Position;
    fn into_domain(self) -> Result<Position> {
        Ok(Position { epoch: Epoch::new(self.epoch), offset: self.offset })
    }
}

impl IntoProto for Sender {
    type Proto = v1::Sender;
    fn into_proto(self) -> v1::Sender {
        v1::Sender {
            id: Some(self.id.into_proto()),
            name: self.name,
            connection_id: self.connection.map(connection_bytes).unwrap_or_default(),
            info: self.info,
            room_info: self.room_info,
        }
    }
}

impl IntoDomain for v1::Sender {
    type Domain = Sender;
    fn into_domain(self) -> Result<Sender> {
        let connection = if self.connection_id.is_empty() {
            None
        } else {
            Some(connection(&self.connection_id)?)
        };
        Ok(Sender {
            id: required(self.id, "sender.id")?,
            name: self.name,
            info: shown(self.info)?,
            room_info: shown(self.room_info)?,
            connection,
        })
    }
}

impl IntoProto for Item {
    type Proto = v1::Item;
    fn into_proto(self) -> v1::Item {
        let item = v1::Item {
            offset: self.offset,
            time_ms: self.time_ms,
            message_id: self.message_id.to_string(),
            trace: text_or_empty(self.trace),
            ..v1::Item::default()
        };
        match self.body {
            Body::Message { sender, gateway, tags, data } => v1::Item {
                kind: v1::ItemKind::Message.into(),
                data,
                tags: tags.into(),
                sender: sender.map(Sender::into_proto),
                gateway_id: text_or_empty(gateway),
                ..item
            },
            Body::Event(Event::Kick { target, by, reason }) => v1::Item {
                kind: v1::ItemKind::Kick.into(),
                kick: Some(v1::Kick {
                    target: Some(target.into_proto()),
                    by: Some(by.into_proto()),
                    reason,
                }),
                ..item
            },
        }
    }
}

impl IntoDomain for v1::Item {
    type Domain = Item;
    fn into_domain(self) -> Result<Item> {
        let body = match self.kind() {
            v1::ItemKind::Message => Body::Message {
                sender: self.sender.map(v1::Sender::into_domain).transpose()?,
                gateway: gateway_or_none(&self.gateway_id)?,
                tags: tags(self.tags)?,
                data: self.data,
            },
            v1::ItemKind::Kick => {
                let kick = self.kick.ok_or_else(|| Error::invalid("item.kick is missing"))?;
                Body::Event(Event::Kick {
                    target: required(kick.target, "kick.target")?,
                    by: required(kick.by, "kick.by")?,
                    reason: kick.reason,
                })
            }
            v1::ItemKind::Unspecified => return Err(Error::invalid("an item of an unknown kind")),
        };
        Ok(Item {
            offset: self.offset,
            message_id: message_id(&self.message_id)?,
            time_ms: self.time_ms,
            body,
            trace: Some(self.trace).filter(|trace| !trace.is_empty()).map(Into::into),
        })
    }
}
