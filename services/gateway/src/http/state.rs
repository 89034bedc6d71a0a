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
use super::stats::Totals;
use super::{HttpConfig, Page, Sockets};
use crate::limit::LimitsConfig;
use crate::limit::cells::{Bucket, Buckets};
use crate::limit::publishing::Publishing;
use crate::peers::Peers;

/// See the file's head.
pub struct HttpState {
    pub(super) config: HttpConfig,
    pub(super) limits: LimitsConfig,
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
    pub(super) publishing: Arc<Publishing>,
    pub(super) in_flight: Semaphore,
    pub(super) totals: Totals,
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
        let limits = LimitsConfig::default();
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
            upgrades: upgrades(&limits),
            upgrades_by_address: upgrades_by_address(&limits),
            requests: requests(&limits),
            publishing: Arc::new(Publishing::new(&limits)),
            in_flight: in_flight(&limits),
            totals: Totals::new(Duration::from_millis(config.stats_cache_ms)),
            hsts: None,
            limits,
            config,
        }
    }

    /// Bounds callers otherwise than by default. The limits were checked before.
    pub fn with_limits(self, limits: LimitsConfig) -> Self {
        Self {
            upgrades: upgrades(&limits),
            upgrades_by_address: upgrades_by_address(&limits),
            requests: requests(&limits),
            publishing: Arc::new(Publishing::new(&limits)),
            in_flight: in_flight(&limits),
            limits,
            ..self
        }
    }

    /// Shares the rates of publishes with the gateway's connections.
    pub fn with_publishing(self, publishing: Arc<Publishing>) -> Self {
        Self { publishing, ..self }
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

fn upgrades(limits: &LimitsConfig) -> Bucket {
    Bucket::new(limits.upgrades_per_second, limits.upgrades_burst)
}

fn upgrades_by_address(limits: &LimitsConfig) -> Option<Buckets> {
    let rate = limits.upgrades_per_second_per_address;
    (rate > 0).then(|| Buckets::new(rate, limits.upgrades_burst_per_address))
}

fn requests(limits: &LimitsConfig) -> Buckets {
    Buckets::new(limits.requests_per_second, limits.requests_burst)
}

fn in_flight(limits: &LimitsConfig) -> Semaphore {
    Semaphore::new(limits.requests_in_flight_max.min(Semaphore::MAX_PERMITS))
}
