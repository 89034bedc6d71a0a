//! What travels to the scripts and back, as text.
//!
//! A value is one letter for the mode, 32 digits for the principal (what Lua looks at), then who
//! it is as JSON (what only this file looks at). An answer that is not of that shape is a defect:
//! `Internal`.
use domain::{
    Departure, Error, ErrorReason, GatewayId, GatewayInfo, JoinLeave, PresenceChange,
    PresenceEntry, PrincipalId, Result, RoomName, Signal, Who,
};
use serde::{Deserialize, Serialize};

use crate::store::Told;

/// Where the JSON begins in a value.
const PERSON_AT: usize = 33;

/// What a value says of who it is; the connection is the field that the value stands under.
#[derive(Serialize, Deserialize)]
struct Person<'a> {
    #[serde(rename = "i")]
    issuer: std::borrow::Cow<'a, str>,
    #[serde(rename = "s")]
    subject: std::borrow::Cow<'a, str>,
    #[serde(rename = "n")]
    name: std::borrow::Cow<'a, str>,
    #[serde(rename = "c", default, skip_serializing_if = "str::is_empty")]
    info: std::borrow::Cow<'a, str>,
    #[serde(rename = "r", default, skip_serializing_if = "str::is_empty")]
    room_info: std::borrow::Cow<'a, str>,
}

fn value(mode: char, who: &Who) -> String {
    let person = Person {
        issuer: (&*who.id.issuer).into(),
        subject: (&*who.id.subject).into(),
        name: who.name.as_str().into(),
        // JSON, so it is UTF-8; anything else could not be shown.
        info: String::from_utf8_lossy(&who.info),
        room_info: String::from_utf8_lossy(&who.room_info),
    };
    // Texts always are JSON; an empty value would be refused by `who` below.
    let person = serde_json::to_string(&person).unwrap_or_default();
    format!("{mode}{}{person}", who.id.hash())
}

fn who(connection: &str, value: &str) -> Result<Who> {
    let person: Person<'_> =
        value.get(PERSON_AT..).and_then(|json| serde_json::from_str(json).ok()).ok_or_else(bad)?;
    Ok(Who {
        id: PrincipalId::new(&*person.issuer, &*person.subject),
        name: person.name.into_owned(),
        info: person.info.into_owned().into(),
        room_info: person.room_info.into_owned().into(),
        connection: connection.parse().map_err(|_| bad())?,
    })
}

fn bad() -> Error {
    Error::new(ErrorReason::Internal, "the presence store gave an answer of another shape")
}

/// Puts a change behind the arguments, as `apply.lua` takes it.
pub(super) fn push_change(args: &mut Vec<String>, change: &PresenceChange) {
    match change {
        PresenceChange::Connected(who) => {
            args.extend(["C".to_owned(), who.connection.to_string(), value('-', who)]);
        }
        PresenceChange::Disconnected(connection) => {
            args.extend(["D".to_owned(), connection.to_string()]);
        }
        PresenceChange::Entered { room, who, join_leave } => {
            let mode = match join_leave {
                JoinLeave::Off => 'o',
                JoinLeave::Connection => 'c',
                JoinLeave::User => 'u',
            };
            let connection = who.connection.to_string();
            args.extend(["E".to_owned(), room.to_string(), connection, value(mode, who)]);
        }
        PresenceChange::Left { room, connection, departure } => {
            let how = match departure {
                Departure::Clean => "c",
                Departure::Lost => "l",
            };
            args.extend(["L", room.as_str(), &connection.to_string(), how].map(str::to_owned));
        }
    }
}

/// Reads (kind, room, connection, value), flat.
pub(super) fn told(flat: &[String]) -> Result<Vec<Told>> {
    let (rows, rest) = flat.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(bad());
    }
    let told = |[kind, room, connection, value]: &[String; 4]| {
        let who = who(connection, value)?;
        let room = RoomName::parse(room).map_err(|_| bad())?;
        let signal = match kind.as_str() {
            "J" => Signal::Join(who),
            "L" => Signal::Leave(who),
            _ => return Err(bad()),
        };
        Ok(Told { room, signal })
    };
    rows.iter().map(told).collect()
}

/// Reads (gateway, connection, value), flat.
pub(super) fn entries(flat: &[String]) -> Result<Vec<PresenceEntry>> {
    let (rows, rest) = flat.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(bad());
    }
    let entry = |[gateway, connection, value]: &[String; 3]| {
        let gateway = GatewayId::parse(gateway).map_err(|_| bad())?;
        Ok(PresenceEntry { who: who(connection, value)?, gateway })
    };
    rows.iter().map(entry).collect()
}

/// Reads (gateway, incarnation, connections, peer URL or nothing), flat.
pub(super) fn gateways(flat: &[String]) -> Result<Vec<GatewayInfo>> {
    let (rows, rest) = flat.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(bad());
    }
    let info = |[gateway, incarnation, connections, peer_url]: &[String; 4]| {
        Ok(GatewayInfo {
            gateway: GatewayId::parse(gateway).map_err(|_| bad())?,
            incarnation: domain::Incarnation(incarnation.parse().map_err(|_| bad())?),
            connections: connections.parse().map_err(|_| bad())?,
            peer_url: Some(peer_url.clone()).filter(|url| !url.is_empty()),
        })
    };
    rows.iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use domain::ConnectionId;

    #[test]
    fn a_value_gives_back_who_it_was_made_of() {
        let someone = Who {
            id: PrincipalId::new("https://issuer/\"x\"", "sub ject\n"),
            name: "Zoë 👋 \\ \" \0".to_owned(),
            info: Bytes::from_static("{\"é\":\"\\u0001\"}".as_bytes()),
            room_info: Bytes::from_static(b"\"x\""),
            connection: ConnectionId::random(),
        };
        let text = value('u', &someone);
        assert_eq!(text.get(1..PERSON_AT), Some(someone.id.hash().as_str()));
        assert_eq!(who(&someone.connection.to_string(), &text), Ok(someone.clone()));

        let plain = Who { info: Bytes::new(), room_info: Bytes::new(), ..someone };
        let text = value('u', &plain);
        assert!(!text.contains(r#""c":"#) && !text.contains(r#""r":"#), "{text}");
        assert_eq!(who(&plain.connection.to_string(), &text), Ok(plain));
    }

    #[test]
    fn an_answer_of_another_shape_is_a_defect_and_not_an_empty_list() {
        let flat = ["J", "room", "no-uuid", "cxx"].map(str::to_owned);
        assert_eq!(told(&flat).unwrap_err().reason, ErrorReason::Internal);
        assert_eq!(told(&flat[..3]).unwrap_err().reason, ErrorReason::Internal);
        assert_eq!(entries(&flat[..2]).unwrap_err().reason, ErrorReason::Internal);
        assert_eq!(gateways(&flat[..3]).unwrap_err().reason, ErrorReason::Internal);
    }
}
