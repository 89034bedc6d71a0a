//! What the backend's answers mean, with bounds.
//!
//! An answer holds one of three: what is granted, an `error`, or a `disconnect`. Members that are not
//! known are passed over; anything that does not fit makes the whole answer one that decides nothing.
//! A room that cannot be one is left out, as in tokens.
use bytes::Bytes;
use domain::{
    Decision, Grant, Principal, PrincipalId, REFUSAL_BYTES_MAX, Refusal, RoomName, Verified,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::grant::{Options, ROOMS_MAX, end, json};
use crate::role::{ROLES_MAX, is_role};
use crate::token::claims::{is_plain, shown_name};
use crate::token::own::nobody;

/// Codes that are the operator's own.
const OWN_CODES: std::ops::RangeInclusive<u32> = 400..=1_999;

type Sense<T> = Result<T, String>;

/// What holds for every answer.
pub(super) struct Rules {
    /// The issuer of users whom the backend names.
    pub issuer: String,
}

#[derive(Deserialize)]
struct ConnectAnswer {
    principal: Option<Named>,
    expire_at: Option<f64>,
    #[serde(default)]
    rooms: Vec<NamedRoom>,
    error: Option<ErrorAnswer>,
    disconnect: Option<DisconnectAnswer>,
}

#[derive(Deserialize)]
struct SubscribeAnswer {
    grant: Option<Options>,
    error: Option<ErrorAnswer>,
    disconnect: Option<DisconnectAnswer>,
}

#[derive(Deserialize)]
struct Named {
    subject: String,
    name: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    info: Value,
}

#[derive(Deserialize)]
struct NamedRoom {
    room: String,
    #[serde(flatten)]
    options: Options,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    temporary: bool,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct DisconnectAnswer {
    reason: String,
    reconnect: bool,
}

impl Rules {
    /// What is said of a connection.
    pub fn connect(&self, body: &[u8]) -> Sense<Decision<Verified>> {
        let answer: ConnectAnswer = parse(body)?;
        let ConnectAnswer { principal, expire_at, rooms, error, disconnect } = answer;
        match (principal, refusal(error, disconnect)?) {
            (Some(named), None) => {
                if rooms.len() > ROOMS_MAX {
                    return Err(format!("more than {ROOMS_MAX} rooms"));
                }
                let principal = self.principal(named)?;
                let expires_at_ms = end(expire_at)?;
                let grants = rooms.into_iter().filter_map(|NamedRoom { room, options }| {
                    Some(options.grant(RoomName::parse(&room).ok()?))
                });
                let rooms = grants.collect::<Result<_, _>>()?;
                Ok(Decision::Granted(Verified { principal, expires_at_ms, rooms }))
            }
            (None, Some(refusal)) => Ok(Decision::Refused(refusal)),
            _ => Err("not one of principal, error and disconnect".to_owned()),
        }
    }

    /// What is said of a subscription to `room`.
    pub fn subscribe(&self, body: &[u8], room: &RoomName) -> Sense<Decision<Grant>> {
        let SubscribeAnswer { grant, error, disconnect } = parse(body)?;
        match (grant, refusal(error, disconnect)?) {
            (Some(options), None) => Ok(Decision::Granted(options.grant(room.clone())?)),
            (None, Some(refusal)) => Ok(Decision::Refused(refusal)),
            _ => Err("not one of grant, error and disconnect".to_owned()),
        }
    }

    fn principal(&self, named: Named) -> Sense<Principal> {
        let Named { subject, name, roles, info } = named;
        if !is_plain(&subject) {
            return Err("a subject that is too long, or no plain text".to_owned());
        }
        if roles.len() > ROLES_MAX || !roles.iter().all(|role| is_role(role)) {
            return Err("roles that are none".to_owned());
        }
        let mut names = Map::new();
        names.extend(name.map(|name| ("name".to_owned(), Value::String(name))));
        let name = shown_name(&names, &subject);
        let info: Bytes = json(&info, None)?;
        Ok(if subject.is_empty() {
            Principal { name, info, roles, ..nobody() }
        } else {
            let id = PrincipalId::new(self.issuer.as_str(), subject);
            Principal { id, name, info, roles, grants: Vec::new() }
        })
    }
}

/// Says where it stopped making sense, and never what stood there.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Sense<T> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("{:?} error at line {line}, column {column}", error.classify())
    })
}

fn refusal(
    error: Option<ErrorAnswer>,
    disconnect: Option<DisconnectAnswer>,
) -> Sense<Option<Refusal>> {
    match (error, disconnect) {
        (None, None) => Ok(None),
        (Some(ErrorAnswer { code, message, temporary }), None) => {
            if !OWN_CODES.contains(&code) {
                return Err(format!("an error's code is one of {OWN_CODES:?}"));
            }
            Ok(Some(Refusal::Error { code, message: words(message)?, temporary }))
        }
        (None, Some(DisconnectAnswer { reason, reconnect })) => {
            Ok(Some(Refusal::Disconnect { reason: words(reason)?, reconnect }))
        }
        (Some(_), Some(_)) => Err("both an error and a disconnect".to_owned()),
    }
}

/// A text that a client may be told. JSON is none: some SDKs would parse it in a close frame.
fn words(text: String) -> Sense<String> {
    if text.len() > REFUSAL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("words of more than {REFUSAL_BYTES_MAX} bytes, or no plain text"));
    }
    if text.starts_with(['{', '[', '"']) {
        return Err("words that look like JSON".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        Rules { issuer: "backend".to_owned() }
    }

    fn connect(answer: Value) -> Sense<Decision<Verified>> {
        rules().connect(answer.to_string().as_bytes())
    }

    fn subscribe(answer: Value) -> Sense<Decision<Grant>> {
        rules().subscribe(answer.to_string().as_bytes(), &RoomName::parse("a").unwrap())
    }

    #[test]
    fn a_principal_and_its_rooms_are_taken_whole() {
        let answer = connect(json!({
            "principal": {"subject": "ann", "name": "Ann", "roles": ["editor"], "info": {"a": 1}},
            "expire_at": 7, "further": true,
            "rooms": [{"room": "no room"}, {"room": "news", "data": [1], "expire_at": 0,
                "override": {"presence": {"value": false}}}],
        }));
        let Decision::Granted(verified) = answer.unwrap() else { panic!("refused") };
        assert_eq!(verified.principal.id, PrincipalId::new("backend", "ann"));
        assert_eq!(verified.principal.name, "Ann");
        assert_eq!(verified.principal.roles, ["editor"]);
        assert_eq!(verified.principal.info, r#"{"a":1}"#);
        assert_eq!(verified.expires_at_ms, Some(7_000));
        let [news] = &verified.rooms[..] else { panic!("{:?}", verified.rooms) };
        assert_eq!((news.room.as_str(), &news.data[..]), ("news", &b"[1]"[..]));
        assert_eq!((news.until_ms, news.overrides.presence), (None, Some(false)));
    }

    #[test]
    fn nobody_in_particular_is_welcome_if_the_backend_says_so() {
        let answer = connect(json!({"principal": {"subject": "", "info": {"a": 1}}})).unwrap();
        let Decision::Granted(verified) = answer else { panic!("refused") };
        assert!(verified.principal.id.is_anonymous());
        assert_eq!(verified.principal.info, r#"{"a":1}"#);
    }

    #[test]
    fn refusals_keep_their_words() {
        let error = json!({"error": {"code": 1402, "message": "pay first", "temporary": true}});
        let (code, message, temporary) = (1_402, "pay first".to_owned(), true);
        let refused = Decision::Refused(Refusal::Error { code, message, temporary });
        assert_eq!(connect(error), Ok(refused));
        let disconnect = json!({"disconnect": {"reason": "banned"}});
        let (reason, reconnect) = ("banned".to_owned(), false);
        let refused = Decision::Refused(Refusal::Disconnect { reason, reconnect });
        assert_eq!(subscribe(disconnect), Ok(refused));
    }

    #[test]
    fn what_does_not_fit_decides_nothing() {
        let many = vec![json!({"room": "a"}); ROOMS_MAX + 1];
        let long = "x".repeat(300);
        for answer in [
            json!(null),
            json!([]),
            json!({}),
            json!({"principal": null}),
            json!({"principal": {}}),
            json!({"principal": {"subject": 7}}),
            json!({"principal": {"subject": "a\nb"}}),
            json!({"principal": {"subject": long}}),
            json!({"principal": {"subject": "a", "roles": "admin"}}),
            json!({"principal": {"subject": "a", "roles": [""]}}),
            json!({"principal": {"subject": "a", "info": "x".repeat(5_000)}}),
            json!({"principal": {"subject": "a"}, "expire_at": -1}),
            json!({"principal": {"subject": "a"}, "expire_at": "soon"}),
            json!({"principal": {"subject": "a"}, "rooms": ["a"]}),
            json!({"principal": {"subject": "a"}, "rooms": many}),
            json!({"principal": {"subject": "a"}, "error": {"code": 400}}),
            json!({"error": {"code": 400}, "disconnect": {}}),
            json!({"error": {"code": 103}}),
            json!({"error": {"code": 3000}}),
            json!({"error": {"code": 400, "message": long}}),
            json!({"disconnect": {"reason": "{\"code\":1}"}}),
            json!({"disconnect": {"reason": "a\nb"}}),
        ] {
            assert!(connect(answer.clone()).is_err(), "{answer}");
        }
        for answer in [json!({"grant": true}), json!({"grant": {"b64info": "!"}}), json!({})] {
            assert!(subscribe(answer.clone()).is_err(), "{answer}");
        }
        let secret = connect(json!({"principal": {"subject": 7, "name": "hunter2"}})).unwrap_err();
        assert!(!secret.contains("hunter2"), "{secret}");
    }
}
