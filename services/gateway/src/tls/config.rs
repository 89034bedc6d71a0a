//! What can be set of TLS on the public port: section `[gateway.tls]`.
//!
//! The two files are read when the config is checked, so that a gateway with a pair of no use
//! never starts.
use std::path::PathBuf;

use certificates::Paths;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Section `[gateway.tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file with the certificate of the public port and those between it and its authority.
    /// With it `gateway.listen` speaks TLS (1.2 and 1.3) and nothing else.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with its private key (PKCS#8, PKCS#1 or SEC1, not encrypted).
    pub key_file: Option<PathBuf>,
    /// How often both files are looked at. A new pair serves new connections; open ones stay.
    pub reload_ms: u64,
    /// How long a handshake may take.
    pub handshake_timeout_ms: u64,
    /// Handshakes of one worker at once; further connections wait.
    pub handshakes_in_flight_max: usize,
    /// For how long browsers are told to come by HTTPS alone (HSTS), in seconds; 0: they are not.
    pub hsts_max_age_s: u64,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificate_file: None,
            key_file: None,
            reload_ms: 10_000,
            handshake_timeout_ms: 5_000,
            handshakes_in_flight_max: 256,
            hsts_max_age_s: 31_536_000,
        }
    }
}

impl TlsConfig {
    /// Whether the public port speaks TLS.
    pub fn is_on(&self) -> bool {
        self.paths().is_some()
    }

    /// Both files, if both are given.
    pub fn paths(&self) -> Option<Paths> {
        let (certificate, key) = (self.certificate_file.clone()?, self.key_file.clone()?);
        Some(Paths { certificate, key, authority: None })
    }

    /// What is wrong with the values and with the files, each text beginning with its key.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value, least, most) in [
            ("reload_ms", self.reload_ms, 100, 3_600_000),
            ("handshake_timeout_ms", self.handshake_timeout_ms, 100, 60_000),
            ("handshakes_in_flight_max", self.handshakes_in_flight_max as u64, 1, 65_536),
            ("hsts_max_age_s", self.hsts_max_age_s, 0, 63_072_000),
        ] {
            if !(least..=most).contains(&value) {
                found.push(format!("{key}: {least} to {most}"));
            }
        }
        match (&self.certificate_file, &self.key_file) {
            (Some(_), None) => found.push("key_file: is missing beside certificate_file".into()),
            (None, Some(_)) => found.push("certificate_file: is missing beside key_file".into()),
            _ => {}
        }
        found.extend(self.paths().and_then(|paths| certificates::problem(&paths)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_files_the_port_is_plain_and_nothing_is_wrong() {
        assert_eq!(TlsConfig::default().problems(), Vec::<String>::new());
        assert!(!TlsConfig::default().is_on());
    }

    #[test]
    fn one_file_alone_is_a_problem_of_the_other_one() {
        let alone = TlsConfig { key_file: Some("/key".into()), ..TlsConfig::default() };
        assert!(alone.problems()[0].starts_with("certificate_file: "), "{:?}", alone.problems());
        let alone = TlsConfig { certificate_file: Some("/c".into()), ..TlsConfig::default() };
        assert!(alone.problems()[0].starts_with("key_file: "), "{:?}", alone.problems());
        assert!(!alone.is_on());
    }

    #[test]
    fn each_problem_begins_with_its_key() {
        let config = TlsConfig {
            reload_ms: 1,
            handshake_timeout_ms: 0,
            handshakes_in_flight_max: 0,
            hsts_max_age_s: u64::MAX,
            ..TlsConfig::default()
        };
        let found = config.problems();
        let keys: Vec<_> = found.iter().filter_map(|text| text.split(':').next()).collect();
        assert_eq!(
            keys,
            ["reload_ms", "handshake_timeout_ms", "handshakes_in_flight_max", "hsts_max_age_s"]
        );
    }
}
