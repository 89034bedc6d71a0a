//! The claims of a token whose signature, issuer and audience are proved.
//!
//! What jsonwebtoken does not check: that the token is an access token, which client it was
//! made for, its times with bounds, a subject that can be shown and stored. Makes the principal.
use bytes::Bytes;
use domain::{Error, ErrorReason, Principal, PrincipalId, Result, Verified};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::IssuerConfig;
use crate::role;

/// Longest subject in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// Longest name shown, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// The end of the year 9999: no honest time lies behind it.
const SECONDS_MAX: f64 = 253_402_300_799.0;
/// Claims that stand in ID tokens and log-out tokens.
const FOREIGN: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// The claims as sent. A claim that stands twice is an error.
#[derive(Debug, Deserialize)]
pub struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    iat: Option<f64>,
    typ: Option<String>,
    azp: Option<String>,
    client_id: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Claims {
    /// The principal, if the claims hold at `now_s` (Unix seconds) within `leeway_s`.
    /// `declared` says that the header called it an access token.
    pub fn verify(
        self,
        issuer: &IssuerConfig,
        declared: bool,
        now_s: f64,
        leeway_s: f64,
    ) -> Result<Verified> {
        if self.iss != issuer.url {
            return Err(bad("the token is of another issuer"));
        }
        self.require_access_token(declared)?;
        if !issuer.client_ids.is_empty() {
            let client = self.azp.as_ref().or(self.client_id.as_ref());
            if !client.is_some_and(|client| issuer.client_ids.contains(client)) {
                return Err(bad("the token was made for another client"));
            }
        }
        if self.sub.is_empty() || !is_plain(&self.sub) {
            return Err(bad("the token's subject is empty or too long"));
        }
        if self.iat.is_some_and(|iat| !is_time(iat) || iat > now_s + leeway_s) {
            return Err(bad("the token was made in the future"));
        }
        if !is_time(self.exp) {
            return Err(bad("the token's end is no time"));
        }
        // Last, so that only a token that was good once is called ended.
        if now_s > self.exp + leeway_s {
            return Err(Error::new(ErrorReason::CredentialExpired, "the token has ended"));
        }
        let roles = role::from_claims(&self.rest, &issuer.roles_claim);
        let name = shown_name(&self.rest, &self.sub);
        let id = PrincipalId::new(self.iss, self.sub);
        let (info, grants) = (Bytes::new(), Vec::new());
        let principal = Principal { id, name, info, roles, grants };
        let expires_at_ms = Some(milliseconds(self.exp));
        Ok(Verified { principal, expires_at_ms, rooms: Vec::new() })
    }

    /// Keycloak says `typ`; others say `at+jwt` in the header, or nothing at all.
    fn require_access_token(&self, declared: bool) -> Result<()> {
        let fits = match self.typ.as_deref() {
            Some(typ) => typ.eq_ignore_ascii_case("bearer"),
            None => declared || !FOREIGN.iter().any(|name| self.rest.contains_key(*name)),
        };
        if fits { Ok(()) } else { Err(bad("the token is no access token")) }
    }
}

/// A name for people: bounded, without control characters, and empty only if the subject is.
pub(crate) fn shown_name(claims: &Map<String, Value>, subject: &str) -> String {
    let mut candidates = ["preferred_username", "name"].iter().filter_map(|claim| {
        let text = claims.get(*claim)?.as_str()?;
        let shown: String = text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        let trimmed = shown.trim();
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    });
    candidates.next().unwrap_or_else(|| subject.chars().take(NAME_CHARS_MAX).collect())
}

/// Whether a text can be stored and shown as part of an id.
pub(crate) fn is_plain(text: &str) -> bool {
    text.len() <= SUBJECT_BYTES_MAX && !text.chars().any(char::is_control)
}

pub(crate) fn is_time(seconds: f64) -> bool {
    (0.0..=SECONDS_MAX).contains(&seconds)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the year 9999")]
pub(crate) fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

fn bad(message: &str) -> Error {
    Error::new(ErrorReason::InvalidCredential, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(extra: Value) -> String {
        let mut claims = json!({"iss": "i", "sub": "s-1", "exp": 10});
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let claims = serde_json::from_value::<Claims>(claims).unwrap();
        shown_name(&claims.rest, &claims.sub)
    }

    #[test]
    fn the_name_is_the_best_that_can_be_shown() {
        assert_eq!(named(json!({"preferred_username": "ann", "name": "Ann B"})), "ann");
        assert_eq!(named(json!({"name": " Ann\u{0} B\n"})), "Ann B");
        assert_eq!(named(json!({"preferred_username": " ", "name": 7})), "s-1");
        assert_eq!(named(json!({"name": "é".repeat(500)})).chars().count(), NAME_CHARS_MAX);
    }

    #[test]
    fn a_claim_that_stands_twice_is_an_error() {
        for twice in ["sub", "typ", "azp"] {
            let text = format!(
                r#"{{"iss":"i","sub":"s","exp":1,"typ":"Bearer","azp":"a","{twice}":"x"}}"#
            );
            assert!(serde_json::from_str::<Claims>(&text).is_err(), "{twice}");
        }
    }
}
