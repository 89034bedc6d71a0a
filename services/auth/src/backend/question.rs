//! What the backend is asked, as JSON.
//!
//! Everything that a client sent stands in the body and nowhere else: it becomes no header field and
//! no part of a URL. The application's own bytes are given as they are if they are JSON, else in
//! base64.
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Admission, Principal, PrincipalId, RoomName};
use serde::Serialize;
use serde_json::value::RawValue;

/// Who may connect?
#[derive(Serialize)]
pub(super) struct Connect<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    token: &'a str,
    #[serde(flatten)]
    data: Data<'a>,
    client: Library<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    /// Who it is already, if it wants to stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Known<'a>>,
}

/// Who may read a room?
#[derive(Serialize)]
pub(super) struct Subscribe<'a> {
    r#type: &'static str,
    principal: Known<'a>,
    room: &'a str,
    #[serde(flatten)]
    data: Data<'a>,
}

#[derive(Serialize)]
struct Library<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Known<'a> {
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
}

/// The application's own bytes.
#[derive(Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b64data: Option<String>,
}

impl<'a> Connect<'a> {
    pub fn of(admission: &'a Admission) -> Self {
        let refresh = admission.refresh.as_ref();
        Self {
            r#type: if refresh.is_some() { "refresh" } else { "connect" },
            token: &admission.token,
            data: Data::of(&admission.data),
            client: Library { name: &admission.name, version: &admission.version },
            headers: &admission.headers,
            address: admission.address,
            principal: refresh.map(|id| Known::of(id, "", &[])),
        }
    }

    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

impl<'a> Subscribe<'a> {
    pub fn of(principal: &'a Principal, room: &'a RoomName, data: &'a [u8]) -> Self {
        let Principal { id, name, roles, .. } = principal;
        let (principal, room) = (Known::of(id, name, roles), room.as_str());
        Self { r#type: "subscribe", principal, room, data: Data::of(data) }
    }

    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

impl<'a> Known<'a> {
    fn of(id: &'a PrincipalId, name: &'a str, roles: &'a [String]) -> Self {
        Self { issuer: &id.issuer, subject: id.user(), name, roles }
    }
}

impl<'a> Data<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() {
            return Self { data: None, b64data: None };
        }
        match serde_json::from_slice(bytes) {
            Ok(json) => Self { data: Some(json), b64data: None },
            Err(_) => Self { data: None, b64data: Some(STANDARD.encode(bytes)) },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(admission: &Admission) -> Value {
        serde_json::from_slice(&Connect::of(admission).to_json().unwrap()).unwrap()
    }

    #[test]
    fn a_connect_says_what_its_client_sent() {
        let mut admission = Admission {
            token: "t".into(),
            data: r#"{"n": [1]}"#.into(),
            name: "js".into(),
            version: "5".into(),
            headers: [("x".to_owned(), "y".to_owned())].into(),
            address: Some("2001:db8::7".parse().unwrap()),
            refresh: None,
        };
        let expected = json!({
            "type": "connect", "token": "t", "data": {"n": [1]},
            "client": {"name": "js", "version": "5"}, "headers": {"x": "y"}, "address": "2001:db8::7",
        });
        assert_eq!(asked(&admission), expected);
        admission = Admission {
            data: b"\0\xff".as_slice().into(),
            refresh: Some(PrincipalId::new("backend", "ann")),
            ..Admission::default()
        };
        let expected = json!({
            "type": "refresh", "b64data": "AP8=", "client": {"name": "", "version": ""},
            "principal": {"issuer": "backend", "subject": "ann"},
        });
        assert_eq!(asked(&admission), expected);
    }

    #[test]
    fn nobody_in_particular_has_no_subject() {
        let principal = Principal {
            id: PrincipalId::anonymous("c1"),
            name: String::new(),
            info: Default::default(),
            roles: vec!["guest".into()],
            grants: Vec::new(),
        };
        let room = RoomName::parse("private:1").unwrap();
        let asked = Subscribe::of(&principal, &room, b"").to_json().unwrap();
        let expected = json!({
            "type": "subscribe", "room": "private:1",
            "principal": {"issuer": "anonymous", "subject": "", "roles": ["guest"]},
        });
        assert_eq!(serde_json::from_slice::<Value>(&asked).unwrap(), expected);
    }
}
