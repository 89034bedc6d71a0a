//! Who acts: the identity that auth verified.
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Grant, RoomName};

/// The role that may use the admin API and moderate every room.
pub const ADMIN_ROLE: &str = "admin";

/// The issuer of those who did not sign in. No token may name it.
pub const ANONYMOUS_ISSUER: &str = "anonymous";
/// The issuer of API keys. No token may name it.
pub const API_KEY_ISSUER: &str = "api-key";

/// (issuer, subject): what makes a principal one and the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrincipalId {
    /// The token's `iss`; `api-key` for keys.
    pub issuer: Arc<str>,
    /// The token's `sub`; the key's id for keys.
    pub subject: Arc<str>,
}

/// An authenticated identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who it is.
    pub id: PrincipalId,
    /// The name shown to others.
    pub name: String,
    /// What others see instead of the name: one JSON value without newlines, at most
    /// [`crate::INFO_BYTES_MAX`]; empty for nothing. Says nothing of rights, so a call about a room
    /// may leave it out.
    pub info: Bytes,
    /// Realm roles of a token, or the roles of a key.
    pub roles: Vec<String>,
    /// Rooms that a token of the operator's own keys opened for it. In a call about one room that
    /// room alone stands here, or nothing.
    pub grants: Vec<RoomName>,
}

/// What a caller shows to prove who it is.
#[derive(Clone)]
pub enum Credential {
    /// An access token, of an OIDC issuer or made with the operator's own keys.
    Bearer(String),
    /// An API key as it was shown once.
    ApiKey(String),
    /// Nothing: whoever it is wants in without signing in.
    Anonymous,
}

/// A principal and how long its credential holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it is.
    pub principal: Principal,
    /// When the credential ends, in Unix milliseconds; `None` for keys without an end.
    pub expires_at_ms: Option<i64>,
    /// Rooms that its connection is to be subscribed to by the server.
    pub rooms: Vec<Grant>,
}

impl PrincipalId {
    /// Makes an id of its two parts.
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into() }
    }

    /// Somebody who did not sign in. `scope` tells apart connections, so that no one's message
    /// ids, limits and rates are another's.
    pub fn anonymous(scope: impl Into<Arc<str>>) -> Self {
        Self::new(ANONYMOUS_ISSUER, scope)
    }

    /// Whether it is somebody who did not sign in.
    pub fn is_anonymous(&self) -> bool {
        &*self.issuer == ANONYMOUS_ISSUER
    }

    /// The user as clients see it: the subject; empty for those who did not sign in.
    pub fn user(&self) -> &str {
        if self.is_anonymous() { "" } else { &self.subject }
    }

    /// Under which id it is counted and ordered about: its own; all who did not sign in share one.
    #[must_use]
    pub fn seen(&self) -> Self {
        if self.is_anonymous() { Self::anonymous(ANONYMOUS_ISSUER) } else { self.clone() }
    }

    /// 32 hexadecimal digits that stand for the id where neither part may be shown: half of
    /// SHA-256 over issuer, a zero byte, subject.
    pub fn hash(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.issuer.as_bytes())
            .chain_update([0])
            .chain_update(self.subject.as_bytes())
            .finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Principal {
    /// Whether the principal has `role`.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// Whether the principal may administer.
    pub fn is_admin(&self) -> bool {
        self.has_role(ADMIN_ROLE)
    }
}

/// Never shows the secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(***)",
            Self::ApiKey(_) => "ApiKey(***)",
            Self::Anonymous => "Anonymous",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anonymous_are_many_and_look_like_one() {
        let (one, other) = (PrincipalId::anonymous("c1"), PrincipalId::anonymous("c2"));
        assert_ne!(one, other);
        assert_eq!(one.seen(), other.seen());
        assert_eq!(one.user(), "");
        let ann = PrincipalId::new("i", "ann");
        assert!(one.is_anonymous() && one.seen().is_anonymous() && !ann.is_anonymous());
        assert_eq!((ann.seen(), ann.user()), (ann.clone(), "ann"));
    }
}
