//! Names of auth's metrics, in one place.
//!
//! Labels are issuers of the configuration and words of fixed lists: nothing a caller chose.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Result;

/// Counts a verification of `kind` ("token", "key", "anonymous" or "subscription") by its outcome, and how long it took.
pub(crate) fn verified<T>(kind: &'static str, result: &Result<T>, took: Duration) {
    let outcome = result.as_ref().map_or_else(|error| error.reason.word(), |_| "OK");
    metrics::counter!("roomcast_auth_verifications_total", "kind" => kind, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("roomcast_auth_verification_seconds", "kind" => kind)
        .record(took.as_secs_f64());
}

/// Counts a question to the operator's backend ("connect" or "subscribe") by what came of it, and how long it took.
pub(crate) fn backend_asked(call: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("roomcast_auth_backend_requests_total", "call" => call, "outcome" => outcome)
        .increment(1);
    metrics::histogram!("roomcast_auth_backend_request_seconds", "call" => call)
        .record(took.as_secs_f64());
}

/// Counts a good key set.
pub(crate) fn keys_fetched(issuer: &str, keys: usize) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics::counter!("roomcast_auth_jwks_fetches_total", "issuer" => issuer.to_owned(), "outcome" => "ok")
        .increment(1);
    metrics::gauge!("roomcast_auth_jwks_fetched_timestamp_seconds", "issuer" => issuer.to_owned())
        .set(now.as_secs_f64());
    metrics::gauge!("roomcast_auth_jwks_keys", "issuer" => issuer.to_owned())
        .set(u32::try_from(keys).unwrap_or(u32::MAX));
}

/// Counts a fetch that brought no good key set.
pub(crate) fn fetch_failed(issuer: &str) {
    metrics::counter!("roomcast_auth_jwks_fetches_total", "issuer" => issuer.to_owned(), "outcome" => "failed")
        .increment(1);
}
