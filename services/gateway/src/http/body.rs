//! Bodies of requests: bounded in bytes and in time. Those of API calls are JSON objects with
//! known keys only.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use bytes::Bytes;
use domain::ErrorReason;
use serde::de::DeserializeOwned;

use super::ApiError;
use crate::limit::{Limit, LimitsConfig};

/// What a body is held to, and which limits that is.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// So many bytes.
    pub bytes: usize,
    /// So much time.
    pub wait: Duration,
    /// The limits of bytes and of time.
    pub limits: [Limit; 2],
}

/// The limits of API calls' bodies.
const OF_CALLS: [Limit; 2] = [Limit::BodyBytes, Limit::BodyTimeout];
/// The limits of frames that come as bodies.
pub const OF_FRAMES: [Limit; 2] = [Limit::MessageBytes, Limit::FrameTimeout];

/// Reads the body of an API call.
pub async fn read<T: DeserializeOwned>(
    payload: web::Payload,
    limits: &LimitsConfig,
) -> Result<T, ApiError> {
    let wait = Duration::from_millis(limits.body_timeout_ms);
    let bound = Bound { bytes: limits.body_bytes_max, wait, limits: OF_CALLS };
    let bytes = bytes(payload, bound).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::invalid(format!("body: {error}")))
}

/// Reads a body as it is.
pub async fn bytes(payload: web::Payload, bound: Bound) -> Result<Bytes, ApiError> {
    let [of_bytes, of_time] = bound.limits;
    match tokio::time::timeout(bound.wait, payload.to_bytes_limited(bound.bytes)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_))) => Err(ApiError::invalid("the body broke off")),
        Ok(Err(_)) => Err(too_large(bound.bytes, of_bytes)),
        Err(_) => {
            of_time.bites();
            let message = "the body did not come in time";
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(ApiError::new(status, ErrorReason::InvalidArgument, message))
        }
    }
}

/// What is said of a body with more than `bytes_max` bytes, which is counted.
pub fn too_large(bytes_max: usize, limit: Limit) -> ApiError {
    limit.bites();
    let message = format!("a body has at most {bytes_max} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorReason::LimitExceeded, message)
}
