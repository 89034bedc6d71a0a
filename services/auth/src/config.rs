//! The section `[auth]`: who is believed, and where API keys are kept.
//!
//! An issuer is trusted only by standing here; no part of a token leads to a URL.
mod backend;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use runtime::config::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outgoing::is_allowed;

pub use backend::BackendConfig;
pub use tokens::TokensConfig;
pub(crate) use tokens::is_reserved;

/// Config of the auth service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Where the service's own binary serves gRPC: `host:port`.
    pub listen: String,
    /// Issuers whose access tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// Tokens that the operator's own backend makes, beside those of the issuers.
    pub tokens: TokensConfig,
    /// The operator's own backend, asked who may connect and subscribe.
    pub backend: BackendConfig,
    /// Whether connections without a token, or with one that names no user, are let in as nobody in
    /// particular. They get into rooms whose kind says `everyone`, and into those that a token opens.
    pub anonymous: bool,
    /// Where API keys are kept: `postgres://…` or `sqlite://FILE`. Without it there are no API keys.
    pub database: Option<Secret>,
    /// File that holds `database`.
    pub database_file: Option<PathBuf>,
    /// Most database connections of this process (PostgreSQL).
    pub database_connections_max: u32,
    /// From one good key set of an issuer to the next fetch.
    pub jwks_refresh_ms: u64,
    /// Least time between two fetches of a key set, however many unknown keys are asked for.
    pub jwks_floor_ms: u64,
    /// How long one request to an issuer may take.
    pub fetch_timeout_ms: u64,
    /// How far clocks may differ when a token's times are compared.
    pub leeway_ms: u64,
}

/// An issuer of access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerConfig {
    /// Its URL, exactly as it stands in its tokens' `iss`.
    pub url: String,
    /// A token is for us if its `aud` holds one of these.
    pub audience: Vec<String>,
    /// Clients whose tokens are accepted (`azp`, else `client_id`); empty: any.
    pub client_ids: Vec<String>,
    /// Where its key set lies, if discovery is not to be asked: for an issuer that services
    /// reach by another name than browsers do.
    pub jwks_url: String,
    /// Allows plain HTTP beyond loopback. Whoever controls the network can then forge identities.
    pub plain_http: bool,
    /// PEM file with more certificate authorities to believe.
    pub ca_file: Option<PathBuf>,
    /// Where the roles stand among the claims: names of members, from outside to inside.
    pub roles_claim: Vec<String>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:50051".to_owned(),
            issuers: Vec::new(),
            tokens: TokensConfig::default(),
            backend: BackendConfig::default(),
            anonymous: false,
            database: None,
            database_file: None,
            database_connections_max: 4,
            jwks_refresh_ms: 600_000,
            jwks_floor_ms: 10_000,
            fetch_timeout_ms: 3_000,
            leeway_ms: 30_000,
        }
    }
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            audience: vec!["backend".to_owned()],
            client_ids: Vec::new(),
            jwks_url: String::new(),
            plain_http: false,
            ca_file: None,
            roles_claim: vec!["realm_access".to_owned(), "roles".to_owned()],
        }
    }
}

impl AuthConfig {
    /// What is wrong with the values, each text beginning with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            found.push("listen: not an address host:port".to_owned());
        }
        for (key, value, least, most) in [
            ("jwks_refresh_ms", self.jwks_refresh_ms, 1_000, 86_400_000),
            ("jwks_floor_ms", self.jwks_floor_ms, 100, 60_000),
            ("fetch_timeout_ms", self.fetch_timeout_ms, 100, 30_000),
            ("leeway_ms", self.leeway_ms, 0, 300_000),
            ("database_connections_max", u64::from(self.database_connections_max), 1, 100),
        ] {
            if !(least..=most).contains(&value) {
                found.push(format!("{key}: {least} to {most}"));
            }
        }
        if self.jwks_floor_ms > self.jwks_refresh_ms {
            found.push("jwks_floor_ms: above jwks_refresh_ms".to_owned());
        }
        match runtime::config::resolve(&self.database, &self.database_file) {
            Err(error) => found.push(format!("database: {error}")),
            Ok(Some(url)) if !is_database(secrecy::ExposeSecret::expose_secret(&url)) => {
                found.push("database: begins with postgres:// or sqlite://".to_owned());
            }
            Ok(_) => {}
        }
        let urls: Vec<_> = self.issuers.iter().map(|issuer| issuer.url.as_str()).collect();
        found.extend(self.tokens.problems(&urls).into_iter().map(|text| format!("tokens.{text}")));
        found
            .extend(self.backend.problems(&urls).into_iter().map(|text| format!("backend.{text}")));
        for (index, issuer) in self.issuers.iter().enumerate() {
            let texts = issuer.problems();
            found.extend(texts.into_iter().map(|text| format!("issuers.{index}.{text}")));
            if self.issuers.iter().take(index).any(|other| other.url == issuer.url) {
                found.push(format!("issuers.{index}.url: stands twice"));
            }
        }
        found
    }

    pub(crate) fn fetch_timeout(&self) -> Duration {
        Duration::from_millis(self.fetch_timeout_ms)
    }
}

impl IssuerConfig {
    fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |key: &str, text: &str| match Url::parse(text) {
            Err(_) => found.push(format!("{key}: not a URL")),
            Ok(url) if !is_allowed(&url, self.plain_http) => {
                found.push(format!("{key}: only https, or http on loopback (see plain_http)"));
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                found.push(format!("{key}: holds a user or password"));
            }
            Ok(_) => {}
        };
        // With a key set of its own the issuer's URL is only compared, never asked.
        if self.jwks_url.is_empty() || Url::parse(&self.url).is_err() {
            check("url", &self.url);
        }
        if !self.jwks_url.is_empty() {
            check("jwks_url", &self.jwks_url);
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            found.push("audience: at least one, none empty".to_owned());
        }
        if self.roles_claim.is_empty() {
            found.push("roles_claim: at least one name".to_owned());
        }
        found
    }
}

fn is_database(url: &str) -> bool {
    ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut IssuerConfig)) -> Vec<String> {
        let mut issuer =
            IssuerConfig { url: "https://id.example/realms/chat".to_owned(), ..Default::default() };
        change(&mut issuer);
        AuthConfig { issuers: vec![issuer], ..AuthConfig::default() }.problems()
    }

    #[test]
    fn defaults_have_no_problem() {
        assert_eq!(AuthConfig::default().problems(), Vec::<String>::new());
        assert_eq!(with(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn issuers_that_would_be_asked_elsewhere_are_refused() {
        for url in ["", "id.example", "http://id.example", "file:///etc", "https://a:b@id.example"]
        {
            let found = with(|issuer| issuer.url = url.to_owned());
            assert!(
                found.iter().any(|text| text.starts_with("issuers.0.url: ")),
                "{url}: {found:?}"
            );
        }
        let found = with(|issuer| issuer.jwks_url = "http://10.0.0.1/certs".to_owned());
        assert!(found[0].starts_with("issuers.0.jwks_url: only https"), "{found:?}");
        let found = with(|issuer| {
            issuer.jwks_url = "http://keycloak:8080/certs".to_owned();
            issuer.plain_http = true;
        });
        assert!(found.is_empty(), "{found:?}");
        let found = with(|issuer| issuer.audience.clear());
        assert!(found[0].starts_with("issuers.0.audience"), "{found:?}");
    }

    #[test]
    fn a_database_url_is_checked_and_never_shown() {
        let config = AuthConfig {
            database: Some(Secret::new("mysql://root:hunter2@db")),
            ..AuthConfig::default()
        };
        let found = config.problems();
        assert!(found.len() == 1 && found[0].starts_with("database: begins"), "{found:?}");
        assert!(!format!("{config:?}{found:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"));
    }
}
