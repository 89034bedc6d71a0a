//! Orders and notices, there and back.
use domain::{Notice, NoticeLevel, Order, OrderAct, Result};
use proto::core::v1;

use super::{IntoDomain, IntoProto, required, room, shown};

impl IntoProto for Notice {
    type Proto = v1::Notice;
    fn into_proto(self) -> v1::Notice {
        let level = match self.level {
            NoticeLevel::Info => v1::NoticeLevel::Info,
            NoticeLevel::Warning => v1::NoticeLevel::Warning,
        };
        v1::Notice { id: self.id, text: self.text, level: level.into() }
    }
}

impl IntoDomain for v1::Notice {
    type Domain = Notice;
    fn into_domain(self) -> Result<Notice> {
        let level = match self.level() {
            v1::NoticeLevel::Unspecified | v1::NoticeLevel::Info => NoticeLevel::Info,
            v1::NoticeLevel::Warning => NoticeLevel::Warning,
        };
        Ok(Notice { id: self.id, text: self.text, level })
    }
}

impl IntoProto for Order {
    type Proto = v1::Order;
    fn into_proto(self) -> v1::Order {
        let act = match self.act {
            OrderAct::Disconnect { target, reason, reconnect } => {
                let target = Some(target.into_proto());
                v1::order::Act::Disconnect(v1::DisconnectOrder { target, reason, reconnect })
            }
            OrderAct::Unsubscribe { target, room, reason } => {
                let (target, room) = (Some(target.into_proto()), room.to_string());
                v1::order::Act::Unsubscribe(v1::UnsubscribeOrder { target, room, reason })
            }
            OrderAct::Subscribe { target, room, data } => {
                let (target, room) = (Some(target.into_proto()), room.to_string());
                v1::order::Act::Subscribe(v1::SubscribeOrder { target, room, data })
            }
            OrderAct::Notice(notice) => v1::order::Act::Notice(notice.into_proto()),
        };
        v1::Order { number: self.number, time_ms: self.time_ms, act: Some(act) }
    }
}

/// `None` for an act that a newer peer knows and we do not.
impl IntoDomain for v1::Order {
    type Domain = Option<Order>;
    fn into_domain(self) -> Result<Option<Order>> {
        let Some(act) = self.act else { return Ok(None) };
        let act = match act {
            v1::order::Act::Disconnect(order) => OrderAct::Disconnect {
                target: required(order.target, "disconnect.target")?,
                reason: order.reason,
                reconnect: order.reconnect,
            },
            v1::order::Act::Unsubscribe(order) => OrderAct::Unsubscribe {
                target: required(order.target, "unsubscribe.target")?,
                room: room(&order.room)?,
                reason: order.reason,
            },
            v1::order::Act::Subscribe(order) => OrderAct::Subscribe {
                target: required(order.target, "subscribe.target")?,
                room: room(&order.room)?,
                data: shown(order.data)?,
            },
            v1::order::Act::Notice(notice) => OrderAct::Notice(notice.into_domain()?),
        };
        Ok(Some(Order { number: self.number, time_ms: self.time_ms, act }))
    }
}
