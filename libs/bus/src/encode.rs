//! Domain events as the bodies of messages on the bus: package `roomcast.event.v1`.
use std::mem::size_of;

use bytes::Bytes;
use domain::{
    Body, ConnectionId, Event, Item, NoticeLevel, OrderAct, PrincipalId, RoomEvent, RoomTraffic,
    Sender, Signal, SystemEvent, Who,
};
use prost::Message;
use proto::core::v1 as core;
use proto::event::v1 as event;

use crate::{DirectEvent, Outbound};

/// Items that joined messages of one room may hold together.
const JOINED_ITEMS_MAX: usize = 256;
/// Payload bytes that joined messages of one room may hold together.
const JOINED_BYTES_MAX: usize = 256 * 1024;

/// The body of a message on `chat_events`.
pub fn encode_room(event: RoomEvent) -> Vec<u8> {
    use event::room_event::Traffic;
    let traffic = match event.traffic {
        RoomTraffic::Items(batch) => Traffic::Items(event::RoomBatch {
            epoch: batch.epoch.as_str().to_owned(),
            items: batch.items.into_iter().map(item).collect(),
        }),
        RoomTraffic::Ephemeral(items) => Traffic::Ephemeral(event::EphemeralBatch {
            items: items.into_iter().map(item).collect(),
        }),
        RoomTraffic::Signals(signals) => Traffic::Signals(event::SignalBatch {
            signals: signals.into_iter().map(signal).collect(),
        }),
    };
    event::RoomEvent { room: event.room.into(), traffic: Some(traffic) }.encode_to_vec()
}

/// The body of a message on `chat_system`.
pub fn encode_system(event: SystemEvent) -> Vec<u8> {
    use core::order::Act;
    let SystemEvent::Order(order) = event;
    let act = match order.act {
        OrderAct::Disconnect { target, reason, reconnect } => {
            Act::Disconnect(core::DisconnectOrder {
                target: Some(principal(target)),
                reason,
                reconnect,
            })
        }
        OrderAct::Unsubscribe { target, room, reason } => {
            Act::Unsubscribe(core::UnsubscribeOrder {
                target: Some(principal(target)),
                room: room.into(),
                reason,
            })
        }
        OrderAct::Subscribe { target, room, data } => Act::Subscribe(core::SubscribeOrder {
            target: Some(principal(target)),
            room: room.into(),
            data,
        }),
        OrderAct::Notice(notice) => {
            let level = match notice.level {
                NoticeLevel::Info => core::NoticeLevel::Info,
                NoticeLevel::Warning => core::NoticeLevel::Warning,
            };
            Act::Notice(core::Notice { id: notice.id, text: notice.text, level: level.into() })
        }
    };
    let order = core::Order { number: order.number, time_ms: order.time_ms, act: Some(act) };
    event::SystemEvent { event: Some(event::system_event::Event::Order(order)) }.encode_to_vec()
}

/// The body of a message on `chat_direct`.
pub fn encode_direct(event: DirectEvent) -> Vec<u8> {
    use event::direct_event::Event;
    let event = match event {
        DirectEvent::Disconnect { connection: id, reason } => {
            Event::Disconnect(event::DisconnectConnection { connection_id: connection(id), reason })
        }
        DirectEvent::Drain => Event::Drain(event::Drain {}),
    };
    event::DirectEvent { event: Some(event) }.encode_to_vec()
}

/// About how many bytes something holds while it waits.
pub(crate) fn weight(out: &Outbound) -> usize {
    let room = |event: &RoomEvent| match &event.traffic {
        RoomTraffic::Items(batch) => batch.items.iter().map(item_weight).sum(),
        RoomTraffic::Ephemeral(items) => items.iter().map(item_weight).sum(),
        RoomTraffic::Signals(signals) => signals.iter().map(signal_weight).sum(),
    };
    size_of::<Outbound>()
        + match out {
            Outbound::Room(event) => room(event),
            Outbound::System(SystemEvent::Order(order)) => match &order.act {
                OrderAct::Disconnect { reason, .. } | OrderAct::Unsubscribe { reason, .. } => {
                    reason.len()
                }
                OrderAct::Subscribe { data, .. } => data.len(),
                OrderAct::Notice(notice) => notice.text.len() + notice.id.len(),
            },
            Outbound::Direct(_, DirectEvent::Disconnect { reason, .. }) => reason.len(),
            Outbound::Direct(_, DirectEvent::Drain) => 0,
        }
}

/// Takes the next message of the same room into the first, if they wait together and fit: one AMQP
/// message costs the broker the same whatever it holds.
pub(crate) fn join(first: &mut Outbound, next: Outbound) -> Option<Outbound> {
    let fits = |held: usize, more: usize, bytes: usize| {
        held + more <= JOINED_ITEMS_MAX && bytes <= JOINED_BYTES_MAX
    };
    let bytes = weight(first) + weight(&next);
    match (first, next) {
        (Outbound::Room(first), Outbound::Room(mut next)) if first.room == next.room => {
            match (&mut first.traffic, &mut next.traffic) {
                (RoomTraffic::Items(held), RoomTraffic::Items(more))
                    if held.epoch == more.epoch
                        && more
                            .items
                            .first()
                            .is_some_and(|item| item.offset == held.last_offset() + 1)
                        && fits(held.items.len(), more.items.len(), bytes) =>
                {
                    held.items.append(&mut more.items);
                }
                (RoomTraffic::Ephemeral(held), RoomTraffic::Ephemeral(more))
                    if fits(held.len(), more.len(), bytes) =>
                {
                    held.append(more);
                }
                (RoomTraffic::Signals(held), RoomTraffic::Signals(more))
                    if fits(held.len(), more.len(), bytes) =>
                {
                    held.append(more);
                }
                _ => return Some(Outbound::Room(next)),
            }
            None
        }
        (_, next) => Some(next),
    }
}

fn item_weight(item: &Item) -> usize {
    size_of::<Item>() + item.body.bytes()
}

fn signal_weight(signal: &Signal) -> usize {
    let (Signal::Join(who) | Signal::Leave(who)) = signal;
    size_of::<Signal>() + who.bytes()
}

fn item(item: Item) -> core::Item {
    let mut out = core::Item {
        offset: item.offset,
        time_ms: item.time_ms,
        message_id: item.message_id.into(),
        trace: item.trace.map(|trace| trace.as_ref().to_owned()).unwrap_or_default(),
        ..core::Item::default()
    };
    match item.body {
        Body::Message { sender, gateway, tags, data } => {
            out.kind = core::ItemKind::Message.into();
            out.data = data;
            out.tags = tags.into();
            out.sender = sender.map(self::sender);
            out.gateway_id = gateway.map(String::from).unwrap_or_default();
        }
        Body::Event(Event::Kick { target, by, reason }) => {
            out.kind = core::ItemKind::Kick.into();
            let (target, by) = (Some(principal(target)), Some(principal(by)));
            out.kick = Some(core::Kick { target, by, reason });
        }
    }
    out
}

fn sender(sender: Sender) -> core::Sender {
    core::Sender {
        id: Some(principal(sender.id)),
        name: sender.name,
        connection_id: sender.connection.map(connection).unwrap_or_default(),
        info: sender.info,
        room_info: sender.room_info,
    }
}

fn signal(signal: Signal) -> event::Signal {
    use event::signal::Signal as Out;
    let signal = match signal {
        Signal::Join(who) => Out::Join(self::who(who)),
        Signal::Leave(who) => Out::Leave(self::who(who)),
    };
    event::Signal { signal: Some(signal) }
}

fn who(who: Who) -> core::Who {
    core::Who {
        id: Some(principal(who.id)),
        name: who.name,
        connection_id: connection(who.connection),
        info: who.info,
        room_info: who.room_info,
    }
}

fn principal(id: PrincipalId) -> core::PrincipalId {
    core::PrincipalId {
        issuer: id.issuer.as_ref().to_owned(),
        subject: id.subject.as_ref().to_owned(),
    }
}

fn connection(id: ConnectionId) -> Bytes {
    Bytes::copy_from_slice(id.0.as_bytes())
}
