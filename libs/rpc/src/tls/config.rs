//! What can be set of TLS between the services: section `[rpc.tls]`.
//!
//! The files are read when the config is checked, so that a service with files of no use never
//! starts.
use std::path::PathBuf;

use certificates::{Pair, Paths};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Peer;

/// Section `[rpc.tls]`. With its three files every gRPC port speaks TLS 1.3, asks its callers for
/// a certificate (the admin port does not: an API key or a token is shown there), and every call
/// of another service goes by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RpcTlsConfig {
    /// PEM file with this service's certificate, and those between it and its authority. It says
    /// who the service is: its DNS names hold `auth`, `gateway`, `presence` or `rooms` before `.<domain>`.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with its private key (PKCS#8, PKCS#1 or SEC1, not encrypted).
    pub key_file: Option<PathBuf>,
    /// PEM file with the authorities whose certificates the other services may show.
    pub authority_file: Option<PathBuf>,
    /// What stands behind the service in the names of certificates. Installations that share an
    /// authority have a domain each.
    pub domain: String,
    /// How often the files are looked at. New ones serve new connections; open ones stay.
    pub reload_ms: u64,
    /// How long a handshake may take at a port.
    pub handshake_timeout_ms: u64,
    /// Handshakes of one port at once; further connections wait.
    pub handshakes_in_flight_max: usize,
}

impl Default for RpcTlsConfig {
    fn default() -> Self {
        Self {
            certificate_file: None,
            key_file: None,
            authority_file: None,
            domain: "roomcast.internal".to_owned(),
            reload_ms: 10_000,
            handshake_timeout_ms: 5_000,
            handshakes_in_flight_max: 256,
        }
    }
}

impl RpcTlsConfig {
    /// Whether the services call each other by TLS.
    pub fn is_on(&self) -> bool {
        self.paths().is_some()
    }

    /// The files, if all are given.
    pub(crate) fn paths(&self) -> Option<Paths> {
        Some(Paths {
            certificate: self.certificate_file.clone()?,
            key: self.key_file.clone()?,
            authority: Some(self.authority_file.clone()?),
        })
    }

    /// What is wrong with the values and with the files, each text beginning with its key.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value, least, most) in [
            ("reload_ms", self.reload_ms, 100, 3_600_000),
            ("handshake_timeout_ms", self.handshake_timeout_ms, 100, 60_000),
            ("handshakes_in_flight_max", self.handshakes_in_flight_max as u64, 1, 65_536),
        ] {
            if !(least..=most).contains(&value) {
                found.push(format!("{key}: {least} to {most}"));
            }
        }
        let label = |label: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (1..=63).contains(&label.len()) && label.chars().all(plain)
        };
        let domain_serves = self.domain.len() <= 240 && self.domain.split('.').all(label);
        if !domain_serves {
            found.push("domain: not a DNS name in small letters".to_owned());
        }
        let given = [
            ("certificate_file", self.certificate_file.is_some()),
            ("key_file", self.key_file.is_some()),
            ("authority_file", self.authority_file.is_some()),
        ];
        if given.iter().any(|(_, is)| *is) {
            let missing = given.iter().filter(|(_, is)| !is);
            found.extend(missing.map(|(key, _)| format!("{key}: is missing beside the others")));
        }
        match self.paths().as_ref().map(certificates::read) {
            Some(Err(problem)) => found.push(problem.to_string()),
            // Names are looked for in a domain that is one.
            Some(Ok(pair)) if domain_serves => found.extend(self.nobody(&pair)),
            Some(Ok(_)) | None => {}
        }
        found
    }

    /// What is wrong with a certificate that everyone would refuse, because it names no service.
    fn nobody(&self, pair: &Pair) -> Option<String> {
        let names = pair.certified.end_entity_cert().ok()?;
        let wanted = || Peer::ALL.map(|peer| peer.name(&self.domain)).join(", ");
        let is_nobody = super::named(names, &self.domain).is_empty();
        is_nobody.then(|| format!("certificate_file: names none of {}", wanted()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_files_nothing_is_wrong_and_nothing_is_on() {
        assert_eq!(RpcTlsConfig::default().problems(), Vec::<String>::new());
        assert!(!RpcTlsConfig::default().is_on());
    }

    #[test]
    fn each_problem_begins_with_its_key() {
        let config = RpcTlsConfig {
            key_file: Some("/key".into()),
            domain: "Chat..".to_owned(),
            reload_ms: 1,
            handshake_timeout_ms: 0,
            handshakes_in_flight_max: 0,
            ..RpcTlsConfig::default()
        };
        let found = config.problems();
        let keys: Vec<_> = found.iter().filter_map(|text| text.split(':').next()).collect();
        assert_eq!(
            keys,
            [
                "reload_ms",
                "handshake_timeout_ms",
                "handshakes_in_flight_max",
                "domain",
                "certificate_file",
                "authority_file"
            ]
        );
        assert!(!config.is_on());
    }
}
