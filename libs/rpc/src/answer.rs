//! The server side of one call, whichever it is.
//!
//! Takes the deadline and the trace out of the metadata, runs the handler in a span of its own, and turns
//! its error into a status. A handler that panics fails its own call, not all calls of the connection.
use std::panic::AssertUnwindSafe;

use domain::{Error, ErrorReason, Result};
use futures_util::FutureExt;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::{Call, deadline, status, trace};

/// Answers one call.
pub(crate) async fn answer<M, T, R, F>(
    service: &'static str,
    method: &'static str,
    request: Request<M>,
    run: R,
) -> std::result::Result<Response<T>, Status>
where
    R: FnOnce(Call, M) -> F,
    F: Future<Output = Result<T>>,
{
    let (metadata, _, message) = request.into_parts();
    let call = deadline::incoming(&metadata);
    let span = tracing::info_span!(
        "rpc.answer",
        otel.name = format!("{service}.{method}"),
        otel.kind = "server",
        service,
        method,
    );
    trace::adopt(&span, &metadata);
    let running = AssertUnwindSafe(async { run(call, message).await }).catch_unwind();
    let outcome = Box::pin(running).instrument(span).await.unwrap_or_else(|_| {
        tracing::error!(service, method, "a handler panicked");
        Err(Error::new(ErrorReason::Internal, "a defect"))
    });
    outcome.map(Response::new).map_err(|error| status::to_status(&error))
}
