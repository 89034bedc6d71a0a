//! Traces by OTLP over gRPC, in batches, off the threads that serve.
//!
//! Sampling is parent based: a trace that comes in keeps the decision it came with. A collector
//! that is away costs traces, never requests: the queue is bounded and drops.
use std::time::Duration;

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tracing::{Level, Metadata, Subscriber, warn};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::TelemetryConfig;

/// How long one batch may take to be sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last batches may take when the process ends.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Crates below us whose spans say nothing of a message's way, or would trace the exporter itself.
const FOREIGN: [&str; 9] =
    ["h2", "hyper", "tonic", "tower", "opentelemetry", "actix", "sqlx", "amqprs", "reqwest"];

/// The running export of traces.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts it. The collector need not be there.
    pub(super) fn start(
        name: &'static str,
        endpoint: &str,
        config: &TelemetryConfig,
    ) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(SEND_TIMEOUT)
            .build()
            .context("telemetry.otlp_endpoint")?;
        let instance = config.instance.clone().unwrap_or_else(host_name);
        let resource = Resource::builder()
            .with_service_name(crate::process::program(name))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance))
            .build();
        let ratio = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("roomcast");
        Ok(Self { provider, tracer })
    }

    /// The layer that turns spans into traces. Log events stay logs.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
    }

    /// Sends what is left.
    pub(super) async fn finish(self) {
        // It blocks until the exporter's thread has answered.
        let ended = tokio::task::spawn_blocking(move || {
            self.provider.shutdown_with_timeout(FINISH_TIMEOUT)
        });
        if let Ok(Err(error)) = ended.await {
            warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Whether a span or event goes into traces: spans of ours, from level info up.
pub(super) fn wanted(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::INFO && !foreign(metadata.target())
}

fn foreign(target: &str) -> bool {
    let krate = target.split("::").next().unwrap_or(target);
    FOREIGN.iter().any(|name| {
        krate.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn only_our_spans_are_traced() {
        for theirs in ["h2::client", "hyper", "tonic::transport", "opentelemetry_sdk", "actix_web"]
        {
            assert!(foreign(theirs), "{theirs}");
        }
        for ours in ["gateway::command", "rpc::door", "rooms", "h2o"] {
            assert!(!foreign(ours), "{ours}");
        }
    }
}
