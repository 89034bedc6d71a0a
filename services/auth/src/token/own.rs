//! Tokens that the operator's own backend makes: for connections, and for single rooms.
//!
//! The secret serves HMAC and nothing else, the key set the asymmetric algorithms and nothing
//! else, so no public key is ever taken for a secret. A token for a room is no token for a
//! connection, nor the other way round.
mod claims;

use std::fmt;

use bytes::Bytes;
use domain::{Error, ErrorReason, Grant, Principal, PrincipalId, Result, RoomName, Verified};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::header::{self, HMAC};
use super::{bad, refusal};
use crate::config::TokensConfig;
use crate::jwks::KeyMap;
use claims::OwnClaims;

/// The issuer of tokens that name none.
pub const ISSUER: &str = "static";
/// Bits of a secret that withstand guessing, in bytes.
const GOOD_SECRET_BYTES: usize = 32;

/// See the file's head.
pub struct OwnTokens {
    secret: Option<DecodingKey>,
    keys: KeyMap,
    config: TokensConfig,
    /// By how much a token may be too new, seconds.
    early_s: u64,
    anonymous: bool,
}

/// Somebody who did not sign in, unlike any other.
pub fn nobody() -> Principal {
    Principal {
        id: PrincipalId::anonymous(Uuid::new_v4().to_string()),
        name: String::new(),
        info: Bytes::new(),
        roles: Vec::new(),
        grants: Vec::new(),
    }
}

impl OwnTokens {
    /// Reads the keys; `None` if there are none. Fails if a file cannot be read.
    pub fn open(
        config: &TokensConfig,
        leeway_ms: u64,
        anonymous: bool,
    ) -> anyhow::Result<Option<Self>> {
        if !config.has_keys() {
            return Ok(None);
        }
        let secret = config.secret()?;
        if let Some(secret) = &secret {
            let bytes = secret.expose_secret().len();
            anyhow::ensure!(bytes > 0, "hmac_secret is empty");
            if bytes < GOOD_SECRET_BYTES {
                tracing::warn!(
                    bytes,
                    "auth.tokens.hmac_secret can be guessed from any token: for development only"
                );
            }
        }
        let secret =
            secret.map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes()));
        let (keys, config) = (config.keys()?, config.clone());
        Ok(Some(Self { secret, keys, config, early_s: leeway_ms / 1000, anonymous }))
    }

    /// Proves a token for a connection, at `now_s` (Unix seconds).
    pub(super) fn connection(&self, token: &str, now_s: f64) -> Result<Verified> {
        let claims = self.prove(token, now_s)?;
        if claims.is_for_room() {
            return Err(bad("the token is for a room"));
        }
        let subject = claims.subject();
        if subject.is_empty() && !self.anonymous {
            return Err(bad("the token names no user, and a user is needed"));
        }
        let (rooms, info) = (claims.rooms()?, claims.info()?);
        let principal = if subject.is_empty() {
            Principal { name: claims.name(), info, ..nobody() }
        } else {
            Principal {
                id: PrincipalId::new(claims.issuer(), subject),
                name: claims.name(),
                info,
                roles: claims.roles(&self.config.roles_claim),
                grants: Vec::new(),
            }
        };
        let expires_at_ms = claims.until_ms()?;
        self.require_now(&claims, now_s)?;
        Ok(Verified { principal, expires_at_ms, rooms })
    }

    /// Proves a token for `room`, shown by `who`.
    pub(super) fn subscription(
        &self,
        token: &str,
        who: &PrincipalId,
        room: &RoomName,
        now_s: f64,
    ) -> Result<Grant> {
        let claims = self.prove(token, now_s)?;
        if !claims.is_for_room() {
            return Err(bad("the token is for no room"));
        }
        let grant = claims.grant(room)?;
        // Whether it has ended is nobody's business but its owner's.
        if claims.subject() != who.user() || claims.channel() != room.as_str() {
            let text = "the token is for another room or another user";
            return Err(Error::new(ErrorReason::PermissionDenied, text));
        }
        self.require_now(&claims, now_s)?;
        Ok(grant)
    }

    /// Everything but the end, which is looked at last.
    fn prove(&self, token: &str, now_s: f64) -> Result<OwnClaims> {
        let header = header::read(token, &header::OWN_ALGORITHMS).map_err(bad)?;
        let key = self.key(header.algorithm, &header.kid)?;
        let mut rules = Validation::new(header.algorithm);
        let mut required = Vec::new();
        if self.config.audience.is_empty() {
            rules.validate_aud = false;
        } else {
            rules.set_audience(&self.config.audience);
            required.push("aud");
        }
        if !self.config.issuer.is_empty() {
            rules.set_issuer(&self.config.issuer);
            required.push("iss");
        }
        rules.set_required_spec_claims(&required);
        rules.leeway = self.early_s;
        rules.validate_nbf = true;
        rules.validate_exp = false;
        let claims =
            decode::<OwnClaims>(token, key, &rules).map_err(|error| refusal(&error))?.claims;
        claims.check(now_s, seconds(self.early_s))?;
        Ok(claims)
    }

    fn key(&self, algorithm: Algorithm, kid: &str) -> Result<&DecodingKey> {
        if HMAC.contains(&algorithm) {
            let secret = self.secret.as_ref();
            return secret
                .ok_or_else(|| bad("the token is signed with a secret, and there is none"));
        }
        let key = self.keys.get(kid).ok_or_else(|| bad("the token's key is not known"))?;
        if !key.serves(algorithm) {
            return Err(bad("the token's algorithm is not its key's"));
        }
        Ok(&key.key)
    }

    /// Last, so that only a token that was good once is called ended.
    fn require_now(&self, claims: &OwnClaims, now_s: f64) -> Result<()> {
        if claims.has_ended(now_s, seconds(self.config.leeway_ms) / 1000.0) {
            return Err(Error::new(ErrorReason::CredentialExpired, "the token has ended"));
        }
        Ok(())
    }
}

fn seconds(whole: u64) -> f64 {
    f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}

/// Shows neither the secret nor the keys.
impl fmt::Debug for OwnTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secret, keys) = (self.secret.is_some(), self.keys.len());
        f.debug_struct("OwnTokens").field("secret", &secret).field("keys", &keys).finish()
    }
}
