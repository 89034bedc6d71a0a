//! Readiness: named flags that the parts of a process raise when they can serve.
//!
//! The process is ready while every flag is up and it does not drain. A flag starts down. Flags
//! are few and made at the start, so the list is bounded by the code that makes them. How long the
//! process took until it was ready for the first time is told and measured.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// All flags of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Readiness {
    flags: Arc<Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>>,
    shutdown: CancellationToken,
    begun: Instant,
    /// Whether it was ready before.
    told: Arc<AtomicBool>,
}

/// One part's flag. Clones share it.
#[derive(Debug, Clone)]
pub struct ReadyFlag {
    up: Arc<AtomicBool>,
    all: Readiness,
}

/// What `/readyz` answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadyReport {
    /// Whether traffic should be sent here.
    pub ready: bool,
    /// Whether the process was told to stop.
    pub draining: bool,
    /// Each part's flag.
    pub flags: BTreeMap<&'static str, bool>,
}

impl Readiness {
    /// No flags yet; unready for good once `shutdown` is cancelled.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { flags: Arc::default(), shutdown, begun: Instant::now(), told: Arc::default() }
    }

    /// For a process that began before.
    #[must_use]
    pub fn since(mut self, begun: Instant) -> Self {
        self.begun = begun;
        self
    }

    /// The flag of that name, made (down) if there is none yet.
    pub fn flag(&self, name: &'static str) -> ReadyFlag {
        let mut flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        ReadyFlag { up: flags.entry(name).or_default().clone(), all: self.clone() }
    }

    /// How it stands now.
    pub fn report(&self) -> ReadyReport {
        let draining = self.shutdown.is_cancelled();
        let flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        let flags: BTreeMap<_, _> =
            flags.iter().map(|(name, flag)| (*name, flag.load(Ordering::Acquire))).collect();
        // No flag at all means that the start has not come to the first part yet.
        let ready = !draining && !flags.is_empty() && flags.values().all(|up| *up);
        ReadyReport { ready, draining, flags }
    }
}

impl ReadyFlag {
    /// Raises or lowers it.
    pub fn set(&self, up: bool) {
        self.up.store(up, Ordering::Release);
        let all = &self.all;
        if up && all.report().ready && !all.told.swap(true, Ordering::AcqRel) {
            let after = all.begun.elapsed();
            metrics::gauge!("roomcast_runtime_ready_after_seconds").set(after.as_secs_f64());
            tracing::info!(after_ms = after.as_millis() as u64, "ready");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_flag_up_and_not_draining() {
        let shutdown = CancellationToken::new();
        let readiness = Readiness::new(shutdown.clone());
        assert!(!readiness.report().ready, "ready before anything started");
        let (rooms, bus) = (readiness.flag("rooms"), readiness.flag("bus"));
        rooms.set(true);
        assert!(!readiness.report().ready);
        assert!(!readiness.told.load(Ordering::Acquire), "told before it is so");
        bus.set(true);
        assert!(readiness.report().ready);
        assert!(readiness.told.load(Ordering::Acquire));
        readiness.flag("bus").set(false);
        assert_eq!(readiness.report().flags, BTreeMap::from([("bus", false), ("rooms", true)]));
        bus.set(true);
        shutdown.cancel();
        let report = readiness.report();
        assert!(report.draining && !report.ready);
    }
}
