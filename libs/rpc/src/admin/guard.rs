//! Who may use the admin port: principals with the role `admin`, proved by auth.
//!
//! What auth said is believed for two seconds, so that a script's burst of calls is one question, and a
//! revoked key is refused soon. Only successes are kept, by the SHA-256 of the credential, at most 1,024.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Credential, Error, ErrorReason, Principal, Result};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::Call;
use crate::auth::Auth;

/// How long an answer of auth is believed.
const BELIEVED: Duration = Duration::from_secs(2);
/// How many answers are kept.
const KNOWN_MAX: usize = 1_024;
/// How long auth is waited for.
const AUTH_WAIT: Duration = Duration::from_secs(2);
/// Where an API key is shown.
pub(super) const API_KEY: &str = "x-api-key";

type Refused = dyn Fn(&Principal, &str) + Send + Sync;
type Known = HashMap<[u8; 32], (Principal, Instant)>;

/// Asks auth who calls, and lets admins pass.
pub struct Guard {
    auth: Arc<dyn Auth>,
    known: Mutex<Known>,
    refused: Option<Box<Refused>>,
}

impl Guard {
    /// A guard that asks `auth`.
    pub fn new(auth: Arc<dyn Auth>) -> Self {
        Self { auth, known: Mutex::new(HashMap::new()), refused: None }
    }

    /// Tells of a principal that is known and no admin, and of the path that it called, for the audit.
    /// Must not block.
    #[must_use]
    pub fn on_refused(mut self, tell: impl Fn(&Principal, &str) + Send + Sync + 'static) -> Self {
        self.refused = Some(Box::new(tell));
        self
    }

    /// Who calls; an error unless it is an admin.
    pub(crate) async fn admit(&self, headers: &HeaderMap, path: &str) -> Result<Principal> {
        let credential = shown(headers)?;
        let key = digest(&credential);
        let believed =
            self.known.lock().get(&key).filter(|(_, until)| Instant::now() < *until).cloned();
        let principal = match believed {
            Some((principal, _)) => principal,
            None => {
                let verified = self.auth.verify(Call::within(AUTH_WAIT), credential).await?;
                self.keep(key, verified.principal.clone());
                verified.principal
            }
        };
        if !principal.is_admin() {
            tracing::warn!(principal = principal.id.hash(), path, "no admin: refused");
            if let Some(tell) = &self.refused {
                tell(&principal, path);
            }
            return Err(Error::new(ErrorReason::PermissionDenied, "for admins only"));
        }
        Ok(principal)
    }

    fn keep(&self, key: [u8; 32], principal: Principal) {
        let mut known = self.known.lock();
        let now = Instant::now();
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (_, until)| now < *until);
        }
        // Full of what still holds: then this one is asked about again.
        if known.len() < KNOWN_MAX {
            known.insert(key, (principal, now + BELIEVED));
        }
    }
}

/// The credential that a call shows.
fn shown(headers: &HeaderMap) -> Result<Credential> {
    let missing =
        || Error::new(ErrorReason::InvalidCredential, "authorization or x-api-key is missing");
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, token) =
            value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(missing());
        }
        return Ok(Credential::Bearer(token.to_owned()));
    }
    let key =
        headers.get(API_KEY).and_then(|value| value.to_str().ok()).filter(|key| !key.is_empty());
    key.map(|key| Credential::ApiKey(key.to_owned())).ok_or_else(missing)
}

fn digest(credential: &Credential) -> [u8; 32] {
    let (kind, text) = match credential {
        Credential::Bearer(token) => (b"b", token.as_str()),
        Credential::ApiKey(key) => (b"k", key.as_str()),
        Credential::Anonymous => (b"a", ""),
    };
    Sha256::new().chain_update(kind).chain_update(text).finalize().into()
}
