//! The table `[auth.tokens]`: keys of tokens that the operator's own backend makes.
//!
//! A token whose `iss` is a configured OIDC issuer never comes here. The secret serves HS256, HS384
//! and HS512 alone, the key set the asymmetric algorithms alone.
use std::path::PathBuf;

use domain::{ANONYMOUS_ISSUER, API_KEY_ISSUER};
use runtime::config::Secret;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::jwks::{KeyMap, key};

/// A key set larger than this is no honest one, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Tokens of the operator's own backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// Secret of tokens that are signed with HS256, HS384 or HS512; 32 random bytes or more.
    pub hmac_secret: Option<Secret>,
    /// File that holds `hmac_secret`.
    pub hmac_secret_file: Option<PathBuf>,
    /// File with a JWKS of public keys (RSA, P-256, P-384, Ed25519; 50 keys at most, each with a
    /// `kid`). A key serves the algorithms of its own kind, or only its `alg` if it has one.
    pub jwks_file: Option<PathBuf>,
    /// A token's `aud` must hold one of these; empty: `aud` is not looked at.
    pub audience: Vec<String>,
    /// A token's `iss` must be one of these; empty: any but an OIDC issuer's, or none.
    pub issuer: Vec<String>,
    /// Where the roles stand among the claims: names of members, from outside to inside. Empty:
    /// these tokens give no roles.
    pub roles_claim: Vec<String>,
    /// How long after its `exp` a token is still taken. Its beginning is compared with `auth.leeway_ms`.
    pub leeway_ms: u64,
}

impl TokensConfig {
    /// Whether there is a key at all.
    pub fn has_keys(&self) -> bool {
        self.hmac_secret.is_some() || self.hmac_secret_file.is_some() || self.jwks_file.is_some()
    }

    /// What is wrong with the values. `issuers` are the URLs of the OIDC issuers.
    pub(super) fn problems(&self, issuers: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let empty = self.hmac_secret.as_ref().is_some_and(|secret| secret.expose().is_empty());
        if empty {
            found.push("hmac_secret: is empty".to_owned());
        } else if let Err(error) = self.secret() {
            found.push(format!("hmac_secret: {error}"));
        }
        if let Err(error) = self.keys() {
            found.push(format!("jwks_file: {error}"));
        }
        if self.audience.iter().any(String::is_empty) {
            found.push("audience: holds an empty name".to_owned());
        }
        for issuer in &self.issuer {
            if issuer.is_empty() {
                found.push("issuer: holds an empty name".to_owned());
            } else if is_reserved(issuer) {
                found.push(format!("issuer: {issuer} is what roomcast itself says"));
            } else if issuers.contains(&issuer.as_str()) {
                found.push(format!("issuer: {issuer} stands in auth.issuers, which goes first"));
            }
        }
        if self.leeway_ms > 300_000 {
            found.push("leeway_ms: 0 to 300000".to_owned());
        }
        found
    }

    /// The secret, read from its file if need be.
    pub(crate) fn secret(&self) -> anyhow::Result<Option<SecretString>> {
        runtime::config::resolve(&self.hmac_secret, &self.hmac_secret_file)
    }

    /// The key set, read from its file; empty without one.
    pub(crate) fn keys(&self) -> anyhow::Result<KeyMap> {
        let Some(path) = &self.jwks_file else { return Ok(KeyMap::new()) };
        let shown = path.display();
        let read = || -> std::io::Result<String> {
            if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other("larger than 1 MiB"));
            }
            std::fs::read_to_string(path)
        };
        let text = read().map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
        key::usable_own(&text).map_err(|error| anyhow::anyhow!("{shown}: {error}"))
    }
}

/// Issuers that no token may name: they stand for those who show none.
pub(crate) fn is_reserved(issuer: &str) -> bool {
    [ANONYMOUS_ISSUER, API_KEY_ISSUER].contains(&issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(change: impl FnOnce(&mut TokensConfig)) -> Vec<String> {
        let mut config = TokensConfig::default();
        change(&mut config);
        config.problems(&["https://id.example"])
    }

    #[test]
    fn no_keys_and_a_short_secret_are_no_problem() {
        assert_eq!(problems(|_| ()), Vec::<String>::new());
        assert_eq!(problems(|c| c.hmac_secret = Some(Secret::new("s"))), Vec::<String>::new());
        assert!(!TokensConfig::default().has_keys());
    }

    #[test]
    fn each_problem_begins_with_its_key_and_shows_no_secret() {
        let found = problems(|config| {
            config.hmac_secret = Some(Secret::new("hunter2"));
            config.hmac_secret_file = Some("/nowhere".into());
            config.jwks_file = Some("/nowhere".into());
            config.audience = vec![String::new()];
            config.issuer = ["", "api-key", "anonymous", "https://id.example", "fine"]
                .map(str::to_owned)
                .to_vec();
            config.leeway_ms = 300_001;
        });
        let keys: Vec<_> = found.iter().filter_map(|text| text.split_once(':')).collect();
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
        let issuer = "issuer";
        assert_eq!(
            keys,
            ["hmac_secret", "jwks_file", "audience", issuer, issuer, issuer, issuer, "leeway_ms"]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(problems(|c| c.hmac_secret = Some(Secret::new(""))), ["hmac_secret: is empty"]);
    }

    #[test]
    fn a_key_set_is_read_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let keys = |text: &str| {
            std::fs::write(&path, text).unwrap();
            TokensConfig { jwks_file: Some(path.clone()), ..TokensConfig::default() }.keys()
        };
        let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(keys(&format!(r#"{{"keys":[{key}]}}"#)).unwrap().len(), 1);
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"k"}]}"#,
        ] {
            assert!(keys(bad).is_err(), "{bad}");
        }
        let many = vec![key; key::KEYS_MAX + 1].join(",");
        assert!(keys(&format!(r#"{{"keys":[{many}]}}"#)).is_err());
        let padded = format!(r#"{{"keys":[{key}]}}{}"#, " ".repeat(1024 * 1024));
        assert!(keys(&padded).unwrap_err().to_string().contains("larger than 1 MiB"));
    }
}
