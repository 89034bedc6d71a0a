//! Whether the services of a port are ready, as `grpc.health.v1` tells it.
//!
//! The port and each of its services have the same state: not serving, until told otherwise.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_health::server::HealthReporter;

/// The state of a port's services. Clones are one and the same.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    shared: Arc<Shared>,
}

struct Shared {
    serving: AtomicBool,
    names: Mutex<Vec<&'static str>>,
}

impl Health {
    /// Not serving yet.
    pub(super) fn new() -> (Self, HealthServer<impl HealthRpc>) {
        let (reporter, server) = tonic_health::server::health_reporter();
        // The empty name is the port as a whole.
        let shared = Shared { serving: AtomicBool::new(false), names: Mutex::new(vec![""]) };
        (Self { reporter, shared: Arc::new(shared) }, server)
    }

    pub(super) fn add(&self, name: &'static str) {
        self.shared.names.lock().push(name);
    }

    /// Turns all of them on or off.
    pub async fn set(&self, serving: bool) {
        self.shared.serving.store(serving, Ordering::SeqCst);
        self.publish().await;
    }

    /// Tells the state to those who ask.
    pub(super) async fn publish(&self) {
        let serving = self.shared.serving.load(Ordering::SeqCst);
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        let names = self.shared.names.lock().clone();
        for name in names {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
