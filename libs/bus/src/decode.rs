//! Bodies of messages on the bus as domain events. Never panics and believes nothing: what breaks a
//! rule of the log is refused whole, and the heads repair it.
//!
//! What a newer sender added is passed over: `Ok(None)` for a whole event of an unknown kind.
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    Body, ConnectionId, Epoch, Event, GatewayId, INFO_BYTES_MAX, Item, MESSAGE_BYTES_MAX,
    MessageId, Notice, NoticeLevel, Order, OrderAct, PrincipalId, RoomBatch, RoomEvent, RoomName,
    RoomTraffic, Sender, Signal, SystemEvent, Tags, Who,
};
use prost::Message;
use proto::core::v1 as core;
use proto::event::v1 as event;
use uuid::Uuid;

use crate::DirectEvent;

/// Why a body was refused. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// It is no message of that type.
    #[error("no protobuf message of that type")]
    Wire,
    /// A field that must be there is missing or against its grammar.
    #[error("field {0} is missing or malformed")]
    Field(&'static str),
}

/// A body from `chat_events`.
pub fn decode_room(body: Bytes) -> Result<Option<RoomEvent>, Undecodable> {
    use event::room_event::Traffic;
    let event = event::RoomEvent::decode(body).map_err(|_| Undecodable::Wire)?;
    let room = room(&event.room)?;
    let traffic = match event.traffic {
        None => return Ok(None),
        Some(Traffic::Items(batch)) => RoomTraffic::Items(RoomBatch {
            epoch: Epoch::new(batch.epoch),
            items: dense(items(batch.items)?)?,
        }),
        Some(Traffic::Ephemeral(batch)) => {
            let items = items(batch.items)?;
            if items.iter().any(|item| item.offset != 0) {
                return Err(Undecodable::Field("offset"));
            }
            RoomTraffic::Ephemeral(items)
        }
        Some(Traffic::Signals(batch)) => {
            let known = batch.signals.into_iter().filter_map(|signal| signal.signal);
            let signals = known.map(signal).collect::<Result<Vec<_>, _>>()?;
            if signals.is_empty() {
                return Ok(None);
            }
            RoomTraffic::Signals(signals)
        }
    };
    Ok(Some(RoomEvent { room, traffic }))
}

/// A body from `chat_system`.
pub fn decode_system(body: Bytes) -> Result<Option<SystemEvent>, Undecodable> {
    use core::order::Act;
    use event::system_event::Event;
    let event = event::SystemEvent::decode(body).map_err(|_| Undecodable::Wire)?;
    let Some(Event::Order(order)) = event.event else { return Ok(None) };
    let act = match order.act {
        None => return Ok(None),
        Some(Act::Disconnect(act)) => OrderAct::Disconnect {
            target: principal(act.target)?,
            reason: act.reason,
            reconnect: act.reconnect,
        },
        Some(Act::Unsubscribe(act)) => OrderAct::Unsubscribe {
            target: principal(act.target)?,
            room: room(&act.room)?,
            reason: act.reason,
        },
        Some(Act::Subscribe(act)) => OrderAct::Subscribe {
            target: principal(act.target)?,
            room: room(&act.room)?,
            data: shown(act.data)?,
        },
        Some(Act::Notice(notice)) => {
            let level = match notice.level() {
                core::NoticeLevel::Warning => NoticeLevel::Warning,
                core::NoticeLevel::Info | core::NoticeLevel::Unspecified => NoticeLevel::Info,
            };
            OrderAct::Notice(Notice { id: notice.id, text: notice.text, level })
        }
    };
    Ok(Some(SystemEvent::Order(Order { number: order.number, time_ms: order.time_ms, act })))
}

/// A body from `chat_direct`.
pub fn decode_direct(body: Bytes) -> Result<Option<DirectEvent>, Undecodable> {
    use event::direct_event::Event;
    let event = event::DirectEvent::decode(body).map_err(|_| Undecodable::Wire)?;
    Ok(match event.event {
        None => None,
        Some(Event::Disconnect(act)) => Some(DirectEvent::Disconnect {
            connection: connection(&act.connection_id)?,
            reason: act.reason,
        }),
        Some(Event::Drain(_)) => Some(DirectEvent::Drain),
    })
}

fn items(items: Vec<core::Item>) -> Result<Vec<Item>, Undecodable> {
    if items.is_empty() {
        return Err(Undecodable::Field("items"));
    }
    items.into_iter().map(item).collect()
}

/// Offsets of one batch begin at 1 or later and rise by one.
fn dense(items: Vec<Item>) -> Result<Vec<Item>, Undecodable> {
    let mut next = items.first().map(|item| item.offset).filter(|&first| first > 0);
    for item in &items {
        if next != Some(item.offset) {
            return Err(Undecodable::Field("offset"));
        }
        next = item.offset.checked_add(1);
    }
    Ok(items)
}

fn item(item: core::Item) -> Result<Item, Undecodable> {
    let body = match item.kind() {
        core::ItemKind::Unspecified => return Err(Undecodable::Field("kind")),
        core::ItemKind::Message => message(item.sender, &item.gateway_id, item.tags, item.data)?,
        core::ItemKind::Kick => {
            let kick = item.kick.ok_or(Undecodable::Field("kick"))?;
            Body::Event(Event::Kick {
                target: principal(kick.target)?,
                by: principal(kick.by)?,
                reason: kick.reason,
            })
        }
    };
    Ok(Item {
        offset: item.offset,
        message_id: MessageId::parse(&item.message_id)
            .map_err(|_| Undecodable::Field("message_id"))?,
        time_ms: item.time_ms,
        body,
        trace: (!item.trace.is_empty()).then(|| item.trace.into()),
    })
}

fn message(
    from: Option<core::Sender>,
    gateway: &str,
    tags: BTreeMap<String, String>,
    data: Bytes,
) -> Result<Body, Undecodable> {
    if data.len() > MESSAGE_BYTES_MAX {
        return Err(Undecodable::Field("data"));
    }
    let gateway = match gateway {
        "" => None,
        text => Some(GatewayId::parse(text).map_err(|_| Undecodable::Field("gateway_id"))?),
    };
    let tags = Tags::new(tags).map_err(|_| Undecodable::Field("tags"))?;
    Ok(Body::Message { sender: from.map(sender).transpose()?, gateway, tags, data })
}

fn sender(sender: core::Sender) -> Result<Sender, Undecodable> {
    let connection = match sender.connection_id.is_empty() {
        true => None,
        false => Some(connection(&sender.connection_id)?),
    };
    Ok(Sender {
        id: principal(sender.id)?,
        name: sender.name,
        info: shown(sender.info)?,
        room_info: shown(sender.room_info)?,
        connection,
    })
}

fn signal(signal: event::signal::Signal) -> Result<Signal, Undecodable> {
    Ok(match signal {
        event::signal::Signal::Join(who) => Signal::Join(self::who(who)?),
        event::signal::Signal::Leave(who) => Signal::Leave(self::who(who)?),
    })
}

fn who(who: core::Who) -> Result<Who, Undecodable> {
    Ok(Who {
        id: principal(who.id)?,
        name: who.name,
        info: shown(who.info)?,
        room_info: shown(who.room_info)?,
        connection: connection(&who.connection_id)?,
    })
}

fn shown(json: Bytes) -> Result<Bytes, Undecodable> {
    if json.len() > INFO_BYTES_MAX { Err(Undecodable::Field("info")) } else { Ok(json) }
}

fn principal(id: Option<core::PrincipalId>) -> Result<PrincipalId, Undecodable> {
    let id = id.ok_or(Undecodable::Field("principal"))?;
    Ok(PrincipalId::new(id.issuer, id.subject))
}

fn connection(bytes: &[u8]) -> Result<ConnectionId, Undecodable> {
    Uuid::from_slice(bytes).map(ConnectionId).map_err(|_| Undecodable::Field("connection_id"))
}

fn room(text: &str) -> Result<RoomName, Undecodable> {
    RoomName::parse(text).map_err(|_| Undecodable::Field("room"))
}
