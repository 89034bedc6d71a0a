//! The development issuer: a small real OIDC provider without passwords, in this binary alone.
//!
//! It signs in anybody under any name, by the authorization code flow with PKCE, so that the page
//! and the SDKs go the same way as with a real issuer. Everybody is a `user`; other roles are given
//! only on the command line, by who can read the key file. Sessions live in memory.
//! [`check_loopback`] keeps it from being offered to a network by accident.
mod claims;
mod endpoint;
mod grant;
mod key;
mod page;
mod request;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use parking_lot::Mutex;
use reqwest::Url;
use serde_json::{Value, json};

pub use claims::{Identity, NAME_CHARS_MAX, TokenKind};
pub use endpoint::configure;
use grant::Grants;
use key::IssuerKey;
use page::Pages;

/// Where the issuer lies under the public address.
pub const PATH: &str = "/dev-issuer";
/// The one client: the page, public, with PKCE.
pub const CLIENT_ID: &str = "frontend";
/// Whom its access tokens are for.
pub const AUDIENCE: &str = "backend";
/// Name of the key file in the data directory.
pub const KEY_FILE: &str = "issuer-key.pem";
/// Life of an access token from the page, seconds.
const ACCESS_TTL_S: i64 = 300;

/// The issuer.
pub struct DevIssuer {
    url: String,
    /// The only origin that it sends anybody back to.
    origin: String,
    key: IssuerKey,
    grants: Mutex<Grants>,
    pages: Pages,
}

impl DevIssuer {
    /// Opens the issuer of the server at `public_url` (`http://localhost:8080`), with the key in
    /// `data_dir`; makes the key if there is none.
    pub fn open(public_url: &str, data_dir: &Path) -> anyhow::Result<Arc<Self>> {
        let base = Url::parse(public_url).with_context(|| format!("{public_url} is no URL"))?;
        let origin = base.origin();
        anyhow::ensure!(origin.is_tuple(), "{public_url} has no host");
        let key = IssuerKey::open(&data_dir.join(KEY_FILE))?;
        Ok(Arc::new(Self {
            url: issuer_url(public_url),
            origin: origin.ascii_serialization(),
            key,
            grants: Mutex::default(),
            pages: Pages::new(),
        }))
    }

    /// Its URL, as it stands in its tokens' `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its public keys, JSON.
    pub fn jwks(&self) -> String {
        json!({ "keys": [self.key.jwk()] }).to_string()
    }

    /// An access token for `identity` that ends `ttl_s` seconds from now; a negative figure makes
    /// one that has ended.
    pub fn access_token(&self, identity: &Identity, ttl_s: i64) -> anyhow::Result<String> {
        let sid = random_word()?;
        self.sign(TokenKind::Access, identity, &sid, ttl_s, Value::Null)
    }

    fn sign(
        &self,
        kind: TokenKind,
        identity: &Identity,
        sid: &str,
        ttl_s: i64,
        nonce: Value,
    ) -> anyhow::Result<String> {
        let jti = random_word()?;
        self.key.sign(&claims::claims(kind, &self.url, identity, sid, &jti, ttl_s, nonce))
    }

    fn discovery(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
            "end_session_endpoint": format!("{url}/logout"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["openid", "profile"],
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "name", "preferred_username"],
            "authorization_response_iss_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }

    /// The URL to go back to, if it lies at our own origin.
    fn own_url(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let plain =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (plain && url.origin().ascii_serialization() == self.origin).then_some(url)
    }
}

/// The issuer's URL for a server at `public_url`.
pub fn issuer_url(public_url: &str) -> String {
    format!("{}{PATH}", public_url.trim_end_matches('/'))
}

/// Refuses to offer an issuer without passwords beyond this machine, unless `beyond` says so.
pub fn check_loopback(listen: SocketAddr, beyond: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        beyond || listen.ip().is_loopback(),
        "the development issuer signs in anybody under any name, and {listen} can be reached from \
         other machines: listen on 127.0.0.1, configure auth.issuers, or set \
         roomcast.dev_issuer_beyond_loopback = true"
    );
    Ok(())
}

/// 128 random bits, hexadecimal.
fn random_word() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("no random bits"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
