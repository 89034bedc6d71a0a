//! One trace from the caller's span to the handler's.
use std::time::Duration;

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use rpc::Call;
use rpc::rooms::{RemoteRooms, Rooms};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use super::port::{Port, calling};
use super::round_trip::publish;

#[tokio::test]
async fn the_handler_runs_in_the_callers_trace() {
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    // For the whole process: the server runs on threads of its own. The only test that sets it.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();

    let port = Port::open();
    let remote = RemoteRooms::open(&calling(&[port.address])).unwrap();
    let mut traces = Vec::new();
    for _ in 0..2 {
        let span = tracing::info_span!("click");
        traces.push(span.context().span().span_context().trace_id().to_string());
        remote
            .publish(Call::within(Duration::from_secs(5)), publish())
            .instrument(span)
            .await
            .unwrap();
    }
    assert_ne!(traces[0], traces[1]);
    assert_eq!(*port.service.traces.lock(), traces);
}
