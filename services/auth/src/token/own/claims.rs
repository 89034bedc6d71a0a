//! The claims of an operator's own token, with bounds.
//!
//! Known: `iss`, `sub`, `exp`, `nbf`, `iat`, `aud`, `expire_at`, `info`, `b64info`; for connections
//! `channels` and `subs`; for rooms `channel` and `override`. `jti` and `meta` are neither looked
//! at nor sent. A channel that cannot be a room's name is left out.
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{Error, Grant, Result, RoomName};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::config::is_reserved;
use crate::grant::{Options, Override, ROOMS_MAX, end, json, overrides};
use crate::role;
use crate::token::bad;
use crate::token::claims::{is_plain, is_time, milliseconds, shown_name};

/// The claims as sent. A claim that stands twice is an error, and so is `null` for a known one
/// that says who, where or until when.
#[derive(Debug, Deserialize)]
pub struct OwnClaims {
    #[serde(default, deserialize_with = "given")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "given")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "given")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    iat: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    expire_at: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    channel: Option<String>,
    #[serde(default)]
    info: Value,
    #[serde(default)]
    b64info: Option<String>,
    #[serde(default)]
    channels: Option<Vec<String>>,
    #[serde(default)]
    subs: Option<BTreeMap<String, Options>>,
    #[serde(default, rename = "override")]
    overrides: Option<Override>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl OwnClaims {
    /// Whether the claims make sense, the end apart; `early_s` is how new a token may be.
    pub fn check(&self, now_s: f64, early_s: f64) -> Result<()> {
        if !is_plain(self.issuer()) || is_reserved(self.issuer()) {
            return Err(bad("the token's issuer cannot be one"));
        }
        if !is_plain(self.subject()) {
            return Err(bad("the token's subject is too long, or no plain text"));
        }
        if self.iat.is_some_and(|iat| !is_time(iat) || iat > now_s + early_s) {
            return Err(bad("the token was made in the future"));
        }
        if self.exp.is_some_and(|exp| !is_time(exp)) {
            return Err(bad("the token's end is no time"));
        }
        end(self.expire_at).map(|_| ()).map_err(wrong)
    }

    /// Who vouches for the subject.
    pub fn issuer(&self) -> &str {
        self.iss.as_deref().filter(|iss| !iss.is_empty()).unwrap_or(super::ISSUER)
    }

    /// The user; empty for nobody in particular.
    pub fn subject(&self) -> &str {
        self.sub.as_deref().unwrap_or_default()
    }

    /// The room that it is for; empty for none.
    pub fn channel(&self) -> &str {
        self.channel.as_deref().unwrap_or_default()
    }

    /// Whether it is for one room rather than for a connection.
    pub fn is_for_room(&self) -> bool {
        !self.channel().is_empty()
    }

    /// A name for people.
    pub fn name(&self) -> String {
        shown_name(&self.rest, self.subject())
    }

    /// The roles at `path`; none without one.
    pub fn roles(&self, path: &[String]) -> Vec<String> {
        role::from_claims(&self.rest, path)
    }

    /// What others see of the user; empty for nothing but the name.
    pub fn info(&self) -> Result<Bytes> {
        json(&self.info, self.b64info.as_deref()).map_err(wrong)
    }

    /// When what it opens ends, Unix milliseconds: `expire_at` if it says so (0: never), else `exp`.
    pub fn until_ms(&self) -> Result<Option<i64>> {
        match self.expire_at {
            Some(_) => end(self.expire_at).map_err(wrong),
            None => Ok(self.exp.map(milliseconds)),
        }
    }

    /// Whether it has ended, `late_s` after the moment that it says.
    pub fn has_ended(&self, now_s: f64, late_s: f64) -> bool {
        let passed = |end: f64| now_s > end + late_s;
        self.exp.is_some_and(passed) || self.expire_at.is_some_and(|end| end > 0.0 && passed(end))
    }

    /// The right to `room` of a token for a room.
    pub fn grant(&self, room: &RoomName) -> Result<Grant> {
        Ok(Grant {
            room: room.clone(),
            until_ms: self.until_ms()?,
            info: self.info()?,
            data: Bytes::new(),
            overrides: overrides(self.overrides),
        })
    }

    /// Rooms that the connection is to be subscribed to: `subs`, and `channels` without options.
    pub fn rooms(&self) -> Result<Vec<Grant>> {
        let none = BTreeMap::new();
        let subs = self.subs.as_ref().unwrap_or(&none);
        let plain: BTreeSet<&String> =
            self.channels.iter().flatten().filter(|name| !subs.contains_key(*name)).collect();
        if subs.len() + plain.len() > ROOMS_MAX {
            return Err(bad("the token subscribes to too many rooms"));
        }
        let mut grants = Vec::new();
        for (name, options) in subs {
            let Ok(room) = RoomName::parse(name) else { continue };
            grants.push(options.grant(room).map_err(wrong)?);
        }
        let plain = plain.into_iter().filter_map(|name| RoomName::parse(name).ok());
        grants.extend(plain.map(Grant::new));
        Ok(grants)
    }
}

/// A claim that stands there has a value.
fn given<'de, D, T>(from: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

/// A mistake in the token.
fn wrong(why: &'static str) -> Error {
    bad(&format!("the token has {why}"))
}

#[cfg(test)]
mod tests {
    use domain::{ErrorReason, INFO_BYTES_MAX};
    use serde_json::json;

    use super::*;
    use crate::grant::JSON_DEPTH_MAX;

    fn claims(value: Value) -> OwnClaims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn rooms_are_taken_from_both_lists_once_each() {
        let claims = claims(json!({
            "channels": ["a", "b", "b", "no.room", ""],
            "subs": {"b": {"info": {"x": 1}, "b64data": "WzFd", "expire_at": 5,
                "override": {"presence": {"value": false}, "force_recovery": {"value": true}}},
                "#": {}},
        }));
        let rooms = claims.rooms().unwrap();
        assert_eq!(rooms.iter().map(|grant| grant.room.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!((&rooms[0].info[..], &rooms[0].data[..]), (&b"{\"x\":1}"[..], &b"[1]"[..]));
        assert_eq!((rooms[0].until_ms, rooms[0].overrides.presence), (Some(5_000), Some(false)));
        assert_eq!(rooms[1], Grant::new(RoomName::parse("a").unwrap()));
    }

    #[test]
    fn everything_is_bounded() {
        let names = |count: usize| (0..count).map(|n| format!("r{n}")).collect::<Vec<_>>();
        assert_eq!(claims(json!({"channels": names(ROOMS_MAX)})).rooms().unwrap().len(), ROOMS_MAX);
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(claims(json!({"info": deep(JSON_DEPTH_MAX)})).info().is_ok());
        for bad in [
            claims(json!({"info": "x".repeat(INFO_BYTES_MAX)})).info().map(|_| ()),
            claims(json!({"info": deep(JSON_DEPTH_MAX + 1)})).info().map(|_| ()),
            claims(json!({"b64info": "/w=="})).info().map(|_| ()),
            claims(json!({"b64info": "!"})).info().map(|_| ()),
            claims(json!({"channels": names(ROOMS_MAX + 1)})).rooms().map(|_| ()),
            claims(json!({"subs": {"a": {"expire_at": -1}}})).rooms().map(|_| ()),
        ] {
            assert_eq!(bad.unwrap_err().reason, ErrorReason::InvalidCredential);
        }
    }

    #[test]
    fn an_end_of_its_own_goes_before_the_tokens() {
        let until = |value| claims(value).until_ms().unwrap();
        assert_eq!(until(json!({})), None);
        assert_eq!(until(json!({"exp": 7})), Some(7_000));
        assert_eq!(until(json!({"exp": 7, "expire_at": 9})), Some(9_000));
        assert_eq!(until(json!({"exp": 7, "expire_at": 0})), None);
        let ended = |value, now| claims(value).has_ended(now, 0.0);
        assert!(
            ended(json!({"exp": 7, "expire_at": 0}), 8.0),
            "the token itself ends all the same"
        );
        assert!(ended(json!({"expire_at": 7}), 8.0) && !ended(json!({"expire_at": 0}), 8.0));
    }
}
