//! The name of a call, as spans and metrics show it, and whether it may be made twice.
//!
//! `roomcast_rpc_calls_total{service, method, outcome}` and `roomcast_rpc_call_seconds{service, method}`
//! count a call once, however many attempts it took; the outcome is `OK` or the reason's word.
use domain::Result;
use tokio::time::Instant;

/// A call's name, and whether it may be made twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) idempotent: bool,
    /// Whether an answer may take as long as the caller waits, because somebody outside is asked.
    pub(crate) patient: bool,
}

impl Method {
    /// A call that may be made twice.
    pub(crate) const fn idempotent(service: &'static str, name: &'static str) -> Self {
        Self { service, name, idempotent: true, patient: false }
    }

    /// A call that may be made twice, but not because its answer takes its time.
    pub(crate) const fn patient(service: &'static str, name: &'static str) -> Self {
        Self { service, name, idempotent: true, patient: true }
    }

    /// A call that is made once, whatever becomes of it.
    pub(crate) const fn once(service: &'static str, name: &'static str) -> Self {
        Self { service, name, idempotent: false, patient: false }
    }

    /// The span of a call as its caller sees it.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::info_span!(
            "rpc.call",
            otel.name = format!("{}.{}", self.service, self.name),
            otel.kind = "client",
            service = self.service,
            method = self.name,
        )
    }

    /// Counts and times a call.
    pub(crate) fn measure<T>(&self, began: Instant, outcome: &Result<T>) {
        let word = outcome.as_ref().map_or_else(|error| error.reason.word(), |_| "OK");
        let labels = [("service", self.service), ("method", self.name)];
        metrics::histogram!("roomcast_rpc_call_seconds", &labels)
            .record(began.elapsed().as_secs_f64());
        let labels = [("service", self.service), ("method", self.name), ("outcome", word)];
        metrics::counter!("roomcast_rpc_calls_total", &labels).increment(1);
    }
}
