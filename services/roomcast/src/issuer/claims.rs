//! Who was signed in, and the claims of the tokens about it: the same ones that Keycloak writes.
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{AUDIENCE, CLIENT_ID};

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// What everybody is.
const USER_ROLE: &str = "user";

/// A name and its roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    roles: Vec<String>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Shown to the services.
    Access,
    /// Read by the page.
    Id,
}

impl Identity {
    /// An identity with the role `user` and `more`. `None` if `name` cannot be one: empty, longer
    /// than 64 characters, or with control characters. White space round it does not count.
    pub fn new(name: &str, more: &[String]) -> Option<Self> {
        let name = name.trim();
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return None;
        }
        let mut roles = vec![USER_ROLE.to_owned()];
        for role in more {
            if !roles.contains(role) {
                roles.push(role.clone());
            }
        }
        Some(Self { name: name.to_owned(), roles })
    }

    /// The same name is the same subject, on every machine and for ever.
    pub fn subject(&self) -> String {
        let digest = Sha256::new()
            .chain_update(b"roomcast development issuer\0")
            .chain_update(self.name.as_bytes())
            .finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The claims of a token made now.
pub(super) fn claims(
    kind: TokenKind,
    issuer: &str,
    identity: &Identity,
    sid: &str,
    jti: &str,
    ttl_s: i64,
    nonce: Value,
) -> Value {
    let now = now_s();
    let mut claims = json!({
        "iss": issuer,
        "sub": identity.subject(),
        "azp": CLIENT_ID,
        "exp": now.saturating_add(ttl_s),
        // One that has ended was made before it ended.
        "iat": now.saturating_add(ttl_s.min(0)),
        "jti": jti,
        "sid": sid,
        "preferred_username": identity.name,
        "name": identity.name,
    });
    match kind {
        TokenKind::Access => {
            claims["aud"] = json!(AUDIENCE);
            claims["typ"] = json!("Bearer");
            claims["scope"] = json!("openid profile");
            claims["realm_access"] = json!({ "roles": identity.roles });
        }
        TokenKind::Id => {
            claims["aud"] = json!(CLIENT_ID);
            claims["typ"] = json!("ID");
            if !nonce.is_null() {
                claims["nonce"] = nonce;
            }
        }
    }
    claims
}

fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_gives_no_role_but_user() {
        let identity = Identity::new(" admin ", &[]).unwrap();
        assert_eq!(
            (identity.name.as_str(), identity.roles.as_slice()),
            ("admin", ["user".to_owned()].as_slice())
        );
        let given = Identity::new("ann", &["admin".to_owned(), "user".to_owned()]).unwrap();
        assert_eq!(given.roles, ["user", "admin"]);
    }

    #[test]
    fn names_are_bounded_and_subjects_are_stable() {
        for bad in ["", "  ", "a\nb", "a\u{0}", &"n".repeat(65)] {
            assert!(Identity::new(bad, &[]).is_none(), "{bad:?}");
        }
        let subject = |name: &str| Identity::new(name, &[]).unwrap().subject();
        assert_eq!(subject("ann"), subject(" ann"));
        assert_ne!(subject("ann"), subject("Ann"));
        assert_eq!(subject(&"é".repeat(64)).len(), 32);
    }
}
