//! Certificates from files: read, proved to be of use, and followed when they change; and whom a
//! client believes.
//!
//! For each port that speaks TLS there is one [`Current`]: every handshake takes the pair that it
//! holds then, so a renewed certificate needs no restart and no open connection notices. What is
//! of no use is refused, told once, and the pair before stays.
mod files;
mod pair;
mod trust;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_util::sync::CancellationToken;

pub use files::{Paths, Problem};
pub use pair::Pair;
pub use trust::{client, install};

use files::Files;
use watch::Watch;

/// What a certificate is for; names its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The port that clients come to.
    Public,
    /// gRPC between the services.
    Rpc,
}

/// The pair of one place as it is now. See the file's head.
#[derive(Debug)]
pub struct Current {
    pair: ArcSwap<Pair>,
    paths: Paths,
    place: Place,
    /// What the first pair was made of.
    first: Files,
}

/// The process's one crypto library.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What is wrong with files, the text beginning with the key that names the file; `None` if they
/// serve.
pub fn problem(paths: &Paths) -> Option<String> {
    read(paths).err().map(|problem| problem.to_string())
}

/// What files hold now. Its error begins with the key that names the file.
pub fn read(paths: &Paths) -> Result<Pair, Problem> {
    Files::read(paths).and_then(|files| Pair::parse(&files))
}

/// The authorities that a file names.
pub fn authorities(path: &Path) -> Result<RootCertStore, Problem> {
    files::authorities(path).and_then(|pem| pair::authorities(&pem).map_err(Problem::of_authority))
}

impl Current {
    /// Reads the files. Fails as [`problem`] says.
    pub fn open(place: Place, paths: Paths) -> Result<Arc<Self>, Problem> {
        let first = Files::read(&paths)?;
        let pair = Pair::parse(&first)?;
        pair.tell(place, place.greeting());
        Ok(Arc::new(Self { pair: ArcSwap::from_pointee(pair), paths, place, first }))
    }

    /// What the next handshake is made with.
    pub fn pair(&self) -> Arc<Pair> {
        self.pair.load_full()
    }

    /// Looks at the files every `reload` until `stop`, and takes a new pair if it is good.
    pub async fn follow(self: Arc<Self>, reload: Duration, stop: CancellationToken) {
        Watch::new(self).run(reload, stop).await;
    }
}

impl Place {
    fn greeting(self) -> &'static str {
        match self {
            Self::Public => "the public port speaks TLS",
            Self::Rpc => "services call each other by mutual TLS",
        }
    }

    /// The gauge of when the certificate ends, Unix seconds.
    fn expiry(self) -> &'static str {
        match self {
            Self::Public => "roomcast_gateway_certificate_expiry_seconds",
            Self::Rpc => "roomcast_rpc_certificate_expiry_seconds",
        }
    }

    /// The counter of changed files, by outcome.
    fn reloads(self) -> &'static str {
        match self {
            Self::Public => "roomcast_gateway_certificate_reloads_total",
            Self::Rpc => "roomcast_rpc_certificate_reloads_total",
        }
    }
}

#[cfg(test)]
mod tests;
