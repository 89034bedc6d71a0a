//! Removes what is no longer kept: beginnings of logs, old message ids, orders, audit rows.
//!
//! Runs in every pod; the store lets one work at a time. A round that fails is made up by the next.
use std::sync::Arc;
use std::time::Duration;

use domain::Result;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::kinds::Kinds;
use crate::metrics;
use crate::store::{Keep, Store, Trimmed};

/// How long things are kept, and how often that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeping {
    pub every: Duration,
    pub message_id_ms: u64,
    pub order_ms: u64,
    pub audit_ms: u64,
}

/// Runs until the process ends.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    kinds: Arc<Kinds>,
    keeping: Keeping,
    shutdown: CancellationToken,
) {
    let mut rounds = tokio::time::interval(keeping.every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = rounds.tick() => {}
        }
        if let Ok(trimmed) = round(&*store, &kinds, keeping).await
            && trimmed != Trimmed::default()
        {
            tracing::info!(
                items = trimmed.items,
                message_ids = trimmed.message_ids,
                orders = trimmed.orders,
                audit = trimmed.audit,
                "removed what is no longer kept"
            );
        }
    }
}

/// One round over everything.
pub(crate) async fn round(store: &dyn Store, kinds: &Kinds, keeping: Keeping) -> Result<Trimmed> {
    let now = now_ms();
    let mut trimmed = Trimmed::default();
    for (name, kind) in kinds.iter().filter(|(_, kind)| kind.stored) {
        let keep = Keep {
            kind: name.clone(),
            items_max: kind.history_items_max,
            since_ms: before(now, kind.history_age_s.saturating_mul(1_000)),
        };
        trimmed.items += store.trim_items(&keep).await?;
    }
    trimmed.message_ids = store.trim_message_ids(before(now, keeping.message_id_ms)).await?;
    trimmed.orders = store.trim_orders(before(now, keeping.order_ms)).await?;
    trimmed.audit = store.trim_audit(before(now, keeping.audit_ms)).await?;
    metrics::trimmed("items", trimmed.items);
    metrics::trimmed("message_ids", trimmed.message_ids);
    metrics::trimmed("orders", trimmed.orders);
    metrics::trimmed("audit", trimmed.audit);
    Ok(trimmed)
}

fn before(now_ms: i64, age_ms: u64) -> i64 {
    now_ms.saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX))
}
