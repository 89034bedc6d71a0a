//! A token to be changed claim by claim and header by header, and signed in any way.
//!
//! It begins as what Keycloak gives for the realm `chat`: access token, audience `backend`, made
//! for the client `frontend`, five minutes.
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::key::{TestKey, encode};

/// A token before it is signed.
#[derive(Debug, Clone)]
pub struct TestToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    key: Arc<TestKey>,
}

impl TestToken {
    pub(super) fn new(issuer: &str, name: &str, key: Arc<TestKey>) -> Self {
        let now = now_s();
        let claims = json!({
            "iss": issuer,
            "sub": format!("subject-of-{name}"),
            "aud": "backend",
            "azp": "frontend",
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
            "jti": uuid::Uuid::new_v4().to_string(),
            "sid": uuid::Uuid::new_v4().to_string(),
            "scope": "openid profile email",
            "preferred_username": name,
            "name": name,
            "realm_access": { "roles": ["user"] },
        });
        let token = Self { header: Map::new(), claims: object(claims), key };
        token.signed_by_header()
    }

    /// A token with the header and the claims of one that somebody else signed, to be forged with `key`.
    pub fn like(token: &str, key: &Arc<TestKey>) -> anyhow::Result<Self> {
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part)?;
            Ok::<Value, anyhow::Error>(serde_json::from_slice(&bytes)?)
        });
        let mut next = || parts.next().context("a token has three parts")?;
        Ok(Self { header: object(next()?), claims: object(next()?), key: Arc::clone(key) })
    }

    fn signed_by_header(mut self) -> Self {
        let header = json!({ "alg": self.key.alg(), "typ": "JWT", "kid": self.key.kid });
        self.header = object(header);
        self
    }

    /// Adds a realm role.
    pub fn role(mut self, role: &str) -> Self {
        if let Some(Value::Array(roles)) = self.claims["realm_access"].get_mut("roles") {
            roles.push(json!(role));
        }
        self
    }

    /// Ends it that many seconds from now; a negative figure lies in the past.
    pub fn ttl_s(self, seconds: i64) -> Self {
        self.claim("exp", json!(now_s() + seconds))
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the header.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header.insert(name.to_owned(), value);
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with another key, and says so in the header.
    pub fn by(mut self, key: &Arc<TestKey>) -> Self {
        self.key = Arc::clone(key);
        self.signed_by_header()
    }

    /// Signs with another key, but leaves the header as it is.
    pub fn forged_by(mut self, key: &Arc<TestKey>) -> Self {
        self.key = Arc::clone(key);
        self
    }

    /// A claim; `Null` if it has no such.
    pub fn get(&self, name: &str) -> Value {
        self.claims.get(name).cloned().unwrap_or_default()
    }

    /// The subject.
    pub fn subject(&self) -> String {
        self.claims["sub"].as_str().unwrap_or_default().to_owned()
    }

    /// What is signed.
    pub fn unsigned(&self) -> String {
        let header = Value::from(self.header.clone()).to_string();
        let claims = Value::from(self.claims.clone()).to_string();
        format!("{}.{}", encode(header), encode(claims))
    }

    /// Signs it with its key.
    pub fn sign(&self) -> String {
        match self.key.sign(self.unsigned().as_bytes()) {
            Ok(signature) => self.with_signature(&signature),
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Takes any bytes for a signature.
    pub fn with_signature(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.unsigned(), encode(signature))
    }

    /// Signs with HMAC-SHA-256 and that secret, header and all.
    pub fn hs256(self, secret: &[u8]) -> String {
        let token = self.header("alg", json!("HS256"));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, token.unsigned().as_bytes());
        token.with_signature(tag.as_ref())
    }

    /// Signs claims that are given as text, for those that no JSON library writes.
    pub fn sign_text(&self, claims: &str) -> String {
        let header = Value::from(self.header.clone()).to_string();
        let unsigned = format!("{}.{}", encode(header), encode(claims));
        match self.key.sign(unsigned.as_bytes()) {
            Ok(signature) => format!("{unsigned}.{}", encode(signature)),
            Err(error) => unreachable!("{error}"),
        }
    }

    /// The claims as text.
    pub fn claims_text(&self) -> String {
        Value::from(self.claims.clone()).to_string()
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
