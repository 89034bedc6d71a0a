//! What the handlers share, over all workers of a gateway.
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use domain::GatewayId;
use runtime::Readiness;
use tokio::sync::Semaphore;

use super::address::Network;
use super::docs::DocsFiles;
use super::origin::Origins;
use super::rate::{Bucket, Buckets};
use super::stats::Totals;
use super::{HttpConfig, Page, Sockets};
use crate::peers::Peers;

/// What a frame of commands may be that comes as a request's body.
#[derive(Debug, Clone, Copy)]
pub struct Frames {
    /// In bytes.
    pub bytes_max: usize,
    /// How long it may take to arrive.
    pub timeout_ms: u64,
}

/// See the file's head.
pub struct HttpState {
    pub(super) config: HttpConfig,
    pub(super) gateway: GatewayId,
    pub(super) peers: Arc<Peers>,
    pub(super) sockets: Arc<dyn Sockets>,
    pub(super) readiness: Readiness,
    /// The chat page, where this process serves it itself.
    pub(super) page: Option<Arc<dyn Page>>,
    pub(super) docs: DocsFiles,
    pub(super) origins: Origins,
    pub(super) proxies: Vec<Network>,
    pub(super) upgrades: Bucket,
    pub(super) upgrades_by_address: Option<Buckets>,
    pub(super) requests: Buckets,
    pub(super) in_flight: Semaphore,
    pub(super) totals: Totals,
    pub(super) frames: Frames,
    /// What `Strict-Transport-Security` says, if anything.
    pub(super) hsts: Option<HeaderValue>,
}

impl HttpState {
    /// The state of a gateway without a page of its own. The config was checked before
    /// ([`HttpConfig::problems`]).
    pub fn new(
        config: HttpConfig,
        gateway: GatewayId,
        peers: Arc<Peers>,
        sockets: Arc<dyn Sockets>,
        readiness: Readiness,
    ) -> Self {
        let by_address = config.upgrades_per_second_per_address;
        Self {
            gateway,
            peers,
            sockets,
            readiness,
            page: None,
            docs: DocsFiles::embedded(),
            origins: Origins::new(&config),
            proxies: config
                .trusted_proxies
                .iter()
                .filter_map(|text| Network::parse(text))
                .collect(),
            upgrades: Bucket::new(config.upgrades_per_second, config.upgrades_burst),
            upgrades_by_address: (by_address > 0)
                .then(|| Buckets::new(by_address, config.upgrades_burst_per_address)),
            requests: Buckets::new(config.requests_per_second, config.requests_burst),
            in_flight: Semaphore::new(config.requests_in_flight_max.min(Semaphore::MAX_PERMITS)),
            totals: Totals::new(Duration::from_millis(config.stats_cache_ms)),
            frames: Frames { bytes_max: domain::MESSAGE_BYTES_MAX, timeout_ms: 10_000 },
            hsts: None,
            config,
        }
    }

    /// Bounds the frames that come as bodies.
    pub fn with_frames(self, frames: Frames) -> Self {
        Self { frames, ..self }
    }

    /// Tells browsers to come by HTTPS alone from now on, for `max_age_s` seconds; 0 tells nothing.
    pub fn with_hsts(self, max_age_s: u64) -> Self {
        let value = HeaderValue::try_from(format!("max-age={max_age_s}")).ok();
        Self { hsts: value.filter(|_| max_age_s > 0), ..self }
    }

    /// Serves the chat page too.
    pub fn with_page(self, page: Arc<dyn Page>) -> Self {
        Self { page: Some(page), ..self }
    }

    /// Takes the documentation's files from elsewhere than from this binary.
    pub fn with_docs(self, docs: DocsFiles) -> Self {
        Self { docs, ..self }
    }
}
