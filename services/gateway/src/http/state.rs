//! What the handlers share, over all workers of a gateway.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderValue};
use domain::GatewayId;
use runtime::Readiness;
use tokio::sync::Semaphore;

use super::address::{self, Network};
use super::docs::DocsFiles;
use super::origin::Origins;
use super::stats::Totals;
use super::{HttpConfig, Page, Sockets};
use crate::limit::cells::{Bucket, Buckets};
use crate::limit::{Counted, LimitsConfig};
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
    pub(super) counted: Counted,
    pub(super) in_flight: Semaphore,
    pub(super) totals: Totals,
    /// What `Strict-Transport-Security` says, if anything.
    pub(super) hsts: Option<HeaderValue>,
}

impl HttpState {
    /// The state of a gateway without a page of its own, which shares what is counted. The
    /// config was checked before ([`HttpConfig::problems`]), the limits too.
    pub fn new(
        config: HttpConfig,
        limits: LimitsConfig,
        counted: Counted,
        gateway: GatewayId,
        peers: Arc<Peers>,
        sockets: Arc<dyn Sockets>,
        readiness: Readiness,
    ) -> Self {
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
            counted,
            in_flight: in_flight(&limits),
            totals: Totals::new(Duration::from_millis(config.stats_cache_ms)),
            hsts: None,
            limits,
            config,
        }
    }

    /// The address of a request's sender, if it is known.
    pub(super) fn caller(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        address::caller(peer.map(|peer| peer.ip()), headers, &self.proxies)
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
