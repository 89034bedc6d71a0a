//! TLS on the public port: the certificate that is shown now, and what may be agreed on.
//!
//! Every handshake takes the pair that is current when it begins, so a renewed certificate needs
//! no restart and no open connection notices. TLS 1.2 and 1.3 with the process's one crypto
//! library; by ALPN only HTTP/1.1, because WebSockets go over nothing else here.
mod config;
mod pair;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

pub use config::{PairPaths, TlsConfig};
use pair::{Pair, PairFiles};
use watch::Watch;

/// The certificate and key of the public port. See the file's head.
#[derive(Debug)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
    paths: PairPaths,
    first: PairFiles,
    reload: Duration,
}

/// What the next handshake shows.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl Tls {
    /// Reads the pair; `None` if the config has none. Fails as [`TlsConfig::problems`] says.
    pub fn open(config: &TlsConfig) -> anyhow::Result<Option<Self>> {
        let Some(paths) = config.paths() else { return Ok(None) };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let first = PairFiles::read(&paths)?;
        let pair = Pair::parse(&first, &provider)?;
        pair.tell("the public port speaks TLS");
        let shown = Arc::new(Shown(ArcSwap::new(Arc::new(pair.certified))));
        let reload = Duration::from_millis(config.reload_ms);
        Ok(Some(Self { provider, shown, paths, first, reload }))
    }

    /// What the server accepts with.
    pub fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        // The server names http/1.1 by ALPN itself.
        Ok(builder.with_no_client_auth().with_cert_resolver(self.shown.clone()))
    }

    /// Looks at the files again and again until `stop`, and shows a new pair if it is good.
    pub async fn watch(self, stop: CancellationToken) {
        Watch::new(self).run(stop).await;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

#[cfg(test)]
mod tests;
