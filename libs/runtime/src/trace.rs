//! Trace context at the borders that gRPC does not cover: stored rows, broker messages, frames.
//!
//! Text is W3C `traceparent`. While no OTLP endpoint is set all three calls do nothing, at the
//! price of one atomic read. A text that does not parse is ignored: it came from outside.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Whether a layer that makes traces is installed.
static ON: AtomicBool = AtomicBool::new(false);

/// Told by the telemetry's start.
pub(crate) fn switch_on() {
    ON.store(true, Ordering::Relaxed);
}

/// The current span's `traceparent`, if the span is sampled.
pub fn current() -> Option<Arc<str>> {
    if !ON.load(Ordering::Relaxed) {
        return None;
    }
    let context = Span::current().context();
    let span = context.span();
    let it = span.span_context();
    (it.is_valid() && it.is_sampled())
        .then(|| format!("00-{}-{}-01", it.trace_id(), it.span_id()).into())
}

/// The current span's trace id, for log lines; `None` without a sampled span.
pub fn current_id() -> Option<Arc<str>> {
    current().map(|text| text[3..35].into())
}

/// Makes `span` a child of what `traceparent` names. To be called before the span is first entered.
pub fn follow(span: &Span, traceparent: &str) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    if let Some(parent) = parse(traceparent) {
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        // A span that no layer wants cannot have a parent; that is no failure.
        let _unwanted = span.set_parent(context);
    }
}

/// Links `span` to what `traceparent` names: a cause among several, as a batch has.
pub fn link(span: &Span, traceparent: &str) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    if let Some(cause) = parse(traceparent) {
        span.add_link(cause);
    }
}

/// Reads `00-<32 hex>-<16 hex>-<2 hex>`; a later version may have more fields after these.
fn parse(text: &str) -> Option<SpanContext> {
    let mut fields = text.split('-');
    let (version, trace, span, flags) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let hex = |field: &str, length: usize| {
        field.len() == length
            && field.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    };
    if !hex(version, 2) || version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    if !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read() {
        let context = parse(GOOD).unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert!(!parse(&GOOD.replace("-01", "-00")).unwrap().is_sampled());
        assert!(parse(&format!("{}-more", GOOD.replacen("00", "01", 1))).is_some());
    }

    #[test]
    fn what_is_none_is_ignored() {
        let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        for bad in [
            "",
            "00",
            "x",
            &GOOD[..54],
            &format!("{GOOD}-x"),
            &GOOD.to_uppercase(),
            zero.as_str(),
            &GOOD.replacen("00", "ff", 1),
            "00-4bf92f35-00f067aa0ba902b7-01",
            "é-é-é-é",
        ] {
            assert!(parse(bad).is_none(), "{bad:?} was read");
        }
    }

    #[test]
    fn nothing_is_asked_of_a_process_without_traces() {
        assert_eq!(current(), None);
        follow(&Span::current(), GOOD);
        link(&Span::current(), GOOD);
    }
}
