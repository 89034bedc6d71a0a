//! Access tokens: from a text that anybody may send to a verified principal, or a reason why not.
//!
//! The issuer is chosen by the token's `iss` among the configured ones, the key by its id among
//! that issuer's, the algorithm among that key's; then everything is proved. A token of no such
//! issuer is tried with the operator's own keys, if there are any. Nothing in a token leads to a
//! request elsewhere. No token is kept, and none is ever logged.
pub(crate) mod claims;
mod header;
pub mod own;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::{Error, ErrorReason, Grant, PrincipalId, Result, RoomName, Verified};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use serde::Deserialize;
use tokio::time::Instant;

use crate::config::IssuerConfig;
use crate::jwks::KeyRing;
use claims::Claims;
use own::OwnTokens;

/// Longest token in bytes.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Verifies the tokens of the configured issuers, and those of the operator's own keys.
#[derive(Debug)]
pub struct TokenVerifier {
    issuers: Vec<Trusted>,
    own: Option<OwnTokens>,
    leeway_s: u64,
}

/// An issuer and its keys.
#[derive(Debug)]
pub struct Trusted {
    /// What its tokens must say.
    pub config: IssuerConfig,
    /// What they must be signed with.
    pub keys: Arc<KeyRing>,
}

#[derive(Deserialize)]
struct Issuer {
    #[serde(default)]
    iss: String,
}

impl TokenVerifier {
    /// A verifier for `issuers`, whose times may differ by `leeway_s`, and for `own` tokens.
    pub fn new(issuers: Vec<Trusted>, own: Option<OwnTokens>, leeway_s: u64) -> Self {
        Self { issuers, own, leeway_s }
    }

    /// Proves a token, waiting for an unknown key until `deadline` at most.
    ///
    /// `InvalidCredential` and `CredentialExpired` are proofs; `Unavailable` says that the
    /// issuer's keys are not known well enough to tell.
    pub async fn verify(&self, token: &str, deadline: Instant) -> Result<Verified> {
        let Some(trusted) = self.issuer_of(token)? else {
            return self.own()?.connection(token, now_s());
        };
        let header = header::read(token, &header::ALGORITHMS).map_err(bad)?;
        if header.kid.is_empty() {
            return Err(bad("the token names no key"));
        }
        let key = trusted.keys.find(&header.kid, deadline).await?;
        if !key.serves(header.algorithm) {
            return Err(bad("the token's algorithm is not its key's"));
        }
        let mut rules = Validation::new(header.algorithm);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&trusted.config.url]);
        rules.set_audience(&trusted.config.audience);
        rules.leeway = self.leeway_s;
        rules.validate_nbf = true;
        // The end is looked at last, by `Claims::verify`: a token for another audience that
        // has ended is a bad one, not an ended one.
        rules.validate_exp = false;
        let proved = decode::<Claims>(token, &key.key, &rules).map_err(|error| refusal(&error))?;
        let leeway = f64::from(u32::try_from(self.leeway_s).unwrap_or(u32::MAX));
        proved.claims.verify(&trusted.config, header.is_access_token, now_s(), leeway)
    }

    /// Proves a token for one room, shown by `who`. See `rpc::auth::Auth::verify_subscription`.
    pub fn verify_subscription(
        &self,
        who: &PrincipalId,
        room: &RoomName,
        token: &str,
    ) -> Result<Grant> {
        // An issuer's token says who somebody is, and never what room is open.
        match self.issuer_of(token)? {
            Some(_) => Err(bad("the token is of an issuer that opens no rooms")),
            None => self.own()?.subscription(token, who, room, now_s()),
        }
    }

    /// Whether there is anything to prove a token with, be it good or bad.
    pub fn can_judge(&self, token: &str) -> bool {
        self.own.is_some() || matches!(self.issuer_of(token), Ok(Some(_)))
    }

    /// The issuer that a token claims to be of. Only chooses whose keys are looked at; the
    /// signature proves it.
    fn issuer_of(&self, token: &str) -> Result<Option<&Trusted>> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(bad("the token is too long"));
        }
        let claimed: Issuer = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| bad("the token cannot be read"))?;
        Ok(self.issuers.iter().find(|trusted| trusted.config.url == claimed.iss))
    }

    fn own(&self) -> Result<&OwnTokens> {
        let own = self.own.as_ref();
        own.ok_or_else(|| bad("the token is of an issuer that is not trusted"))
    }

    /// Whether the keys of every issuer are known.
    pub fn knows_keys(&self) -> bool {
        self.issuers.iter().all(|trusted| !trusted.keys.is_empty())
    }
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Error {
    bad(match error.kind() {
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::ImmatureSignature => "the token does not hold yet",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks a claim",
        _ => "the token cannot be read",
    })
}

fn bad(message: &str) -> Error {
    Error::new(ErrorReason::InvalidCredential, message)
}
