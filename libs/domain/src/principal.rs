//! Who acts: the identity that auth verified.
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The role that may use the admin API and moderate every room.
pub const ADMIN_ROLE: &str = "admin";

/// (issuer, subject): what makes a principal one and the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrincipalId {
    /// The token's `iss`; `api-key` for keys.
    pub issuer: Arc<str>,
    /// The token's `sub`; the key's id for keys.
    pub subject: Arc<str>,
}

/// An authenticated identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Who it is.
    pub id: PrincipalId,
    /// The name shown to others.
    pub name: String,
    /// Realm roles of a token, or the roles of a key.
    pub roles: Vec<String>,
}

/// What a caller shows to prove who it is.
#[derive(Clone)]
pub enum Credential {
    /// An OIDC access token.
    Bearer(String),
    /// An API key as it was shown once.
    ApiKey(String),
}

/// A principal and how long its credential holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it is.
    pub principal: Principal,
    /// When the credential ends, in Unix milliseconds; `None` for keys without an end.
    pub expires_at_ms: Option<i64>,
}

impl PrincipalId {
    /// Makes an id of its two parts.
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into() }
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
        })
    }
}
