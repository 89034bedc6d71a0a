//! The table `[auth.backend]`: the operator's own backend, asked who may connect and subscribe.
//!
//! It is trusted only by standing here: nothing that a client sends leads to a URL.
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use runtime::config::Secret;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::is_reserved;
use crate::outgoing;

/// A secret that withstands guessing has so many bytes.
const SECRET_BYTES_MIN: usize = 32;

/// Section `[auth.backend]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackendConfig {
    /// Asked who a connection is that shows no token, or one that nothing else here can prove:
    /// `https://…`, or `http://…` on loopback. Empty: nobody is asked.
    pub connect_url: String,
    /// Asked who may subscribe to rooms of `subscribe_kinds` without a token for the room.
    pub subscribe_url: String,
    /// Kinds of rooms (what stands before a name's first colon; `default` without one) for which
    /// `subscribe_url` is asked. Give them `join = "token"`, so that nobody reads them otherwise.
    pub subscribe_kinds: Vec<String>,
    /// Secret that requests are signed with (HMAC-SHA256); 32 random bytes or more.
    pub secret: Option<Secret>,
    /// File that holds `secret`.
    pub secret_file: Option<PathBuf>,
    /// PEM file with more certificate authorities to believe.
    pub ca_file: Option<PathBuf>,
    /// How long an answer may take, with the wait for a place. Clients give up after 5 s.
    pub timeout_ms: u64,
    /// Requests of one auth process at once; the others wait, within `timeout_ms`.
    pub requests_in_flight_max: usize,
    /// What stands as the issuer of users whom the backend names.
    pub issuer: String,
}

impl Default for BackendConfig {
    fn default() -> Self {
        Self {
            connect_url: String::new(),
            subscribe_url: String::new(),
            subscribe_kinds: Vec::new(),
            secret: None,
            secret_file: None,
            ca_file: None,
            timeout_ms: 1_500,
            requests_in_flight_max: 256,
            issuer: "backend".to_owned(),
        }
    }
}

impl BackendConfig {
    /// Whether it is asked who may connect.
    pub fn decides_connects(&self) -> bool {
        !self.connect_url.is_empty()
    }

    /// What is wrong with the values. `issuers` are the URLs of the OIDC issuers.
    pub(super) fn problems(&self, issuers: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (key, text) in self.urls() {
            match Url::parse(text) {
                Err(_) => found.push(format!("{key}: not a URL")),
                Ok(url) if !outgoing::is_allowed(&url, false) => {
                    found.push(format!("{key}: only https, or http on loopback"));
                }
                Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                    found.push(format!("{key}: holds a user or password"));
                }
                Ok(url) => {
                    if let Err(error) = self.client(&url) {
                        found.push(format!("ca_file: {error}"));
                    }
                }
            }
        }
        let asked = !self.urls().is_empty();
        match self.secret() {
            Err(error) => found.push(format!("secret: {error}")),
            Ok(None) if asked => found.push("secret: is missing".to_owned()),
            Ok(Some(secret)) if secret.expose_secret().len() < SECRET_BYTES_MIN => {
                found.push(format!("secret: {SECRET_BYTES_MIN} bytes at least"));
            }
            Ok(_) => {}
        }
        if self.subscribe_url.is_empty() != self.subscribe_kinds.is_empty() {
            found.push("subscribe_kinds: belongs to subscribe_url, and that to it".to_owned());
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        for (index, kind) in self.subscribe_kinds.iter().enumerate() {
            if kind.is_empty() || !kind.bytes().all(word) {
                found.push(format!("subscribe_kinds.{index}: no word of A-Z a-z 0-9 _ -"));
            }
        }
        if !(100..=2_500).contains(&self.timeout_ms) {
            found.push("timeout_ms: 100 to 2500".to_owned());
        }
        if !(1..=10_000).contains(&self.requests_in_flight_max) {
            found.push("requests_in_flight_max: 1 to 10000".to_owned());
        }
        let (own, taken) = (self.issuer.as_str(), issuers.contains(&self.issuer.as_str()));
        if own.is_empty() || taken || is_reserved(own) || own.chars().any(char::is_control) {
            found.push(
                "issuer: is empty, an OIDC issuer's, or what roomcast itself says".to_owned(),
            );
        }
        found
    }

    /// The secret, read from its file if need be.
    pub(crate) fn secret(&self) -> anyhow::Result<Option<SecretString>> {
        runtime::config::resolve(&self.secret, &self.secret_file)
    }

    /// A client for requests to one of the URLs.
    pub(crate) fn client(&self, url: &Url) -> anyhow::Result<reqwest::Client> {
        let idle_max = self.requests_in_flight_max.min(64);
        outgoing::client(url, self.timeout(), self.ca_file.as_deref(), idle_max)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn urls(&self) -> Vec<(&'static str, &str)> {
        let all = [("connect_url", &self.connect_url), ("subscribe_url", &self.subscribe_url)];
        all.into_iter()
            .filter(|(_, url)| !url.is_empty())
            .map(|(k, url)| (k, url.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(change: impl FnOnce(&mut BackendConfig)) -> Vec<String> {
        let mut config = BackendConfig {
            connect_url: "https://shop.example/roomcast/connect".to_owned(),
            secret: Some(Secret::new("0123456789abcdef0123456789abcdef")),
            ..BackendConfig::default()
        };
        change(&mut config);
        config.problems(&["https://id.example"])
    }

    #[test]
    fn a_backend_is_asked_by_https_or_on_loopback() {
        assert_eq!(BackendConfig::default().problems(&[]), Vec::<String>::new());
        assert_eq!(problems(|_| ()), Vec::<String>::new());
        assert_eq!(problems(|c| c.connect_url = "http://[::1]:1/x".into()), Vec::<String>::new());
        for url in ["shop.example", "http://shop.example", "https://a:b@shop.example", "file:///x"]
        {
            let found = problems(|config| config.connect_url = url.to_owned());
            assert!(found.len() == 1 && found[0].starts_with("connect_url: "), "{url}: {found:?}");
        }
    }

    #[test]
    fn each_problem_begins_with_its_key_and_shows_no_secret() {
        let found = problems(|config| {
            config.subscribe_url = "http://169.254.169.254/".to_owned();
            config.secret = Some(Secret::new("hunter2"));
            config.ca_file = Some("/nowhere".into());
            config.timeout_ms = 5_000;
            config.requests_in_flight_max = 0;
            config.issuer = "https://id.example".to_owned();
        });
        let keys: Vec<_> = found.iter().filter_map(|text| text.split(':').next()).collect();
        let expected = [
            "ca_file",
            "subscribe_url",
            "secret",
            "subscribe_kinds",
            "timeout_ms",
            "requests_in_flight_max",
            "issuer",
        ];
        assert_eq!(keys, expected);
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(problems(|c| c.secret = None), ["secret: is missing"]);
        assert_eq!(problems(|c| c.subscribe_kinds = vec!["a:b".into()]).len(), 2);
    }
}
