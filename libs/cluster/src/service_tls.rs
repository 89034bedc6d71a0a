//! Certificates of the services under test: each shows its own, and all believe one authority.
use std::sync::Arc;

use anyhow::Result;
use testkit::authority::Authority;

use crate::System;

/// What stands behind the service in the names.
const DOMAIN: &str = "cluster.test";

/// Where its files lie, as the section `[rpc.tls]`.
pub(crate) const SECTION: &str = r#"
[rpc.tls]
certificate_file = "tls.crt"
key_file = "tls.key"
authority_file = "ca.crt"
domain = "cluster.test"
reload_ms = 200
"#;

/// An authority that signs for the services.
#[derive(Clone)]
pub struct ServiceTls(Arc<Authority>);

impl std::fmt::Debug for ServiceTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceTls")
    }
}

impl ServiceTls {
    /// One that nobody else knows.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(Authority::new()?)))
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The files of a service that believes `believed`.
    pub(crate) fn files(
        &self,
        kind: &str,
        believed: String,
    ) -> Result<Vec<(&'static str, String)>> {
        // The admin port's callers look for its host.
        let names = [&*format!("{kind}.{DOMAIN}"), "127.0.0.1"];
        let issued = self.0.issue_for(&names, 30)?;
        let (certificate, key) = (issued.certificate_pem, issued.key_pem);
        Ok(vec![("tls.crt", certificate), ("tls.key", key), ("ca.crt", believed)])
    }

    /// Gives every service a new certificate, and `believed` to believe.
    pub fn hand_out(&self, system: &System, believed: &str) -> Result<()> {
        let kinds = [
            ("auth", &system.auth),
            ("presence", &system.presence),
            ("rooms", &system.rooms),
            ("gateway", &system.gateways),
        ];
        for (kind, services) in kinds {
            for service in services {
                for (name, text) in self.files(kind, believed.to_owned())? {
                    std::fs::write(service.dir().join(name), text)?;
                }
            }
        }
        Ok(())
    }
}
