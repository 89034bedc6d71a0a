//! The trace context on the wire: `traceparent`, out of the current span and into the handler's.
//!
//! While no layer makes traces the current span has no context: nothing is sent then, and what comes
//! in is passed over.
use std::sync::LazyLock;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Our own, not the process's: between our services nothing but W3C is spoken.
static W3C: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

/// Puts the current span's context into outgoing metadata.
pub(crate) fn inject(metadata: &mut MetadataMap) {
    W3C.inject_context(&Span::current().context(), &mut Outgoing(metadata));
}

/// Makes `span` a child of the context in incoming metadata, if there is any. To be called before the
/// span is first entered.
pub(crate) fn adopt(span: &Span, metadata: &MetadataMap) {
    let incoming = Incoming(metadata);
    if incoming.get("traceparent").is_some() {
        // Fails only where no layer makes traces or the span is filtered out: nothing to follow then.
        let _unwanted = span.set_parent(W3C.extract(&incoming));
    }
}

struct Outgoing<'a>(&'a mut MetadataMap);
struct Incoming<'a>(&'a MetadataMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (key.parse::<MetadataKey<_>>(), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.as_ref().keys().map(http::HeaderName::as_str).collect()
    }
}
