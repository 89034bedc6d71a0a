//! TLS on the public port: the certificate that is shown now, and what may be agreed on.
//!
//! Every handshake takes the pair that is current when it begins, so a renewed certificate needs
//! no restart and no open connection notices. TLS 1.2 and 1.3 with the process's one crypto
//! library; by ALPN only HTTP/1.1, because WebSockets go over nothing else here.
mod config;

use std::sync::Arc;
use std::time::Duration;

use certificates::{Current, Place};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

pub use config::TlsConfig;

/// The certificate and key of the public port. See the file's head.
#[derive(Debug)]
pub struct Tls {
    current: Arc<Current>,
    reload: Duration,
}

/// What the next handshake shows.
#[derive(Debug)]
struct Shown(Arc<Current>);

impl Tls {
    /// Reads the pair; `None` if the config has none. Fails as [`TlsConfig::problems`] says.
    pub fn open(config: &TlsConfig) -> anyhow::Result<Option<Self>> {
        let Some(paths) = config.paths() else { return Ok(None) };
        let current = Current::open(Place::Public, paths)?;
        Ok(Some(Self { current, reload: Duration::from_millis(config.reload_ms) }))
    }

    /// What the server accepts with.
    pub fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(certificates::provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        // The server names http/1.1 by ALPN itself.
        let shown = Arc::new(Shown(self.current.clone()));
        Ok(builder.with_no_client_auth().with_cert_resolver(shown))
    }

    /// Looks at the files again and again until `stop`, and shows a new pair if it is good.
    pub async fn watch(self, stop: CancellationToken) {
        self.current.follow(self.reload, stop).await;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.pair().certified.clone())
    }
}
