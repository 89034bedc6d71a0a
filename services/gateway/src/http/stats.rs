//! `/stats`: how many are here, over all gateways.
//!
//! Asked of presence at most every 250 ms, once for all who ask. While presence cannot be asked
//! the figures are `null`: unknown is not zero.
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use domain::PresenceTotals;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{HttpState, resource};
use crate::peers::Peers;

/// How many are here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stats {
    /// `ok`, or `unavailable`: then the figures are `null`.
    #[schema(example = "ok")]
    presence: &'static str,
    /// Live connections on all gateways.
    connections: Option<u64>,
    /// Distinct principals among them.
    principals: Option<u64>,
    /// Gateways that are here.
    gateways: Option<u64>,
    /// The gateway that answers.
    gateway: String,
    /// The product's version.
    version: &'static str,
}

/// The totals as they were a moment ago.
pub struct Totals {
    kept_for: Duration,
    last: Mutex<Option<(Instant, Option<PresenceTotals>)>>,
}

impl Totals {
    /// Nothing known yet.
    pub fn new(kept_for: Duration) -> Self {
        Self { kept_for, last: Mutex::new(None) }
    }

    /// `None` while presence cannot be asked. Whoever comes meanwhile waits for the same answer.
    async fn now(&self, peers: &Peers) -> Option<PresenceTotals> {
        let mut last = self.last.lock().await;
        if let Some((at, totals)) = *last
            && at.elapsed() < self.kept_for
        {
            return totals;
        }
        let totals = peers.totals().await.ok();
        *last = Some((Instant::now(), totals));
        totals
    }
}

pub(super) fn routes(services: &mut ServiceConfig) {
    services.service(resource("/stats", web::get().to(stats)));
}

/// How many are here, over all gateways.
#[utoipa::path(get, path = "/stats", tag = "health", security(()),
    responses((status = 200, description = "The figures", body = Stats)))]
pub async fn stats(http: web::Data<HttpState>) -> web::Json<Stats> {
    let totals = http.totals.now(&http.peers).await;
    web::Json(Stats {
        presence: if totals.is_some() { "ok" } else { "unavailable" },
        connections: totals.map(|totals| totals.connections),
        principals: totals.map(|totals| totals.principals),
        gateways: totals.map(|totals| totals.gateways),
        gateway: http.gateway.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    })
}
