//! Logs and traces of a process.
//!
//! Logs go to standard error, one line an event, as JSON or readable. They hold events only: a
//! line carries its own fields, and the trace id if its span is sampled. Traces go out by OTLP
//! if an endpoint is set; without one no layer wants a span. Nobody logs tokens or message bodies.
mod format;
mod otlp;

use std::io::IsTerminal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use format::JsonLines;

/// The section `[telemetry]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are: a level, or levels by module (`info,gateway=debug`).
    pub log_filter: String,
    /// Where traces go: an OTLP collector's gRPC address, as `http://otel-collector:4317`.
    /// Without one there are no traces.
    pub otlp_endpoint: Option<String>,
    /// Which part of the traces that begin here is kept, 0 to 1. A trace that comes in with a
    /// decision keeps it.
    pub sample_ratio: f64,
    /// Names this process among its like, in traces. The host's name if it is not given.
    pub instance: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Auto,
            log_filter: "info,actix_server=warn,sqlx=warn".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 1.0,
            instance: None,
        }
    }
}

impl TelemetryConfig {
    /// What serde cannot see.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(error) = EnvFilter::builder().parse(&self.log_filter) {
            problems.push(format!("log_filter: {error}"));
        }
        if let Some(endpoint) = &self.otlp_endpoint
            && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
        {
            problems.push("otlp_endpoint: not an address as http://host:4317".to_owned());
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.push("sample_ratio: not between 0 and 1".to_owned());
        }
        problems
    }
}

/// The running telemetry. Dropped without [`Telemetry::finish`], the last traces may be lost.
pub(crate) struct Telemetry {
    traces: Option<otlp::Traces>,
}

/// Installs logs and traces for the whole process. Fails if the OTLP address is of no use, or if
/// telemetry was installed before. To be called inside a tokio runtime.
pub(crate) fn install(name: &'static str, config: &TelemetryConfig) -> anyhow::Result<Telemetry> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![logs(name, config)?];
    let mut traces = None;
    if let Some(endpoint) = &config.otlp_endpoint {
        let started = otlp::Traces::start(name, endpoint, config)?;
        layers.push(Box::new(started.layer().with_filter(filter_fn(otlp::wanted))));
        traces = Some(started);
    }
    tracing_subscriber::registry().with(layers).try_init()?;
    if traces.is_some() {
        crate::trace::switch_on();
    }
    Ok(Telemetry { traces })
}

fn logs(
    name: &'static str,
    config: &TelemetryConfig,
) -> anyhow::Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let filter = EnvFilter::builder().parse(&config.log_filter)?;
    let events_only = filter_fn(|metadata| metadata.is_event());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let readable = match config.log_format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    Ok(if readable {
        lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter.and(events_only))
            .boxed()
    } else {
        lines.event_format(JsonLines::new(name)).with_filter(filter.and(events_only)).boxed()
    })
}

impl Telemetry {
    /// Sends what is left and ends. Bounded by the exporter's own time limit.
    pub(crate) async fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_have_no_problems() {
        assert_eq!(TelemetryConfig::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_key_is_named() {
        let config = TelemetryConfig {
            log_filter: "gateway=loudly".to_owned(),
            otlp_endpoint: Some("otel:4317".to_owned()),
            sample_ratio: 1.5,
            ..TelemetryConfig::default()
        };
        let problems = config.problems();
        for key in ["log_filter: ", "otlp_endpoint: ", "sample_ratio: "] {
            assert!(problems.iter().any(|text| text.starts_with(key)), "{key}: {problems:?}");
        }
    }
}
