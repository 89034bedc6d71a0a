//! People, rooms and what happens to them, made of short words.
use bytes::Bytes;
use domain::{
    ConnectionId, Departure, GatewayId, JoinLeave, PresenceChange, PrincipalId, RoomName, Signal,
    Who,
};
use presence::store::Told;

/// A new connection of a principal.
pub fn someone(name: &str) -> Who {
    Who {
        id: PrincipalId::new("https://issuer", name),
        name: name.to_owned(),
        info: format!(r#"{{"of":"{name}"}}"#).into(),
        room_info: Bytes::from_static(b"[1]"),
        connection: ConnectionId::random(),
    }
}

pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub fn gateway(name: &str) -> GatewayId {
    GatewayId::parse(name).unwrap()
}

pub fn connected(who: &Who) -> PresenceChange {
    PresenceChange::Connected(who.clone())
}

pub fn entered(name: &str, who: &Who, join_leave: JoinLeave) -> PresenceChange {
    PresenceChange::Entered { room: room(name), who: who.clone(), join_leave }
}

pub fn left(name: &str, who: &Who, departure: Departure) -> PresenceChange {
    PresenceChange::Left { room: room(name), connection: who.connection, departure }
}

pub fn join(name: &str, who: &Who) -> Told {
    Told { room: room(name), signal: Signal::Join(who.clone()) }
}

pub fn leave(name: &str, who: &Who) -> Told {
    Told { room: room(name), signal: Signal::Leave(who.clone()) }
}
