//! Bodies of requests: bounded in bytes and in time. Those of API calls are JSON objects with
//! known keys only.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use bytes::Bytes;
use domain::ErrorReason;
use serde::de::DeserializeOwned;

use super::{ApiError, HttpConfig};

/// Reads the body of an API call.
pub async fn read<T: DeserializeOwned>(
    payload: web::Payload,
    config: &HttpConfig,
) -> Result<T, ApiError> {
    let wait = Duration::from_millis(config.body_timeout_ms);
    let bytes = bytes(payload, config.body_bytes_max, wait).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::invalid(format!("body: {error}")))
}

/// Reads a body as it is.
pub async fn bytes(
    payload: web::Payload,
    bytes_max: usize,
    wait: Duration,
) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(wait, payload.to_bytes_limited(bytes_max)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_))) => Err(ApiError::invalid("the body broke off")),
        Ok(Err(_)) => Err(too_large(bytes_max)),
        Err(_) => {
            let message = "the body did not come in time";
            let status = StatusCode::REQUEST_TIMEOUT;
            Err(ApiError::new(status, ErrorReason::InvalidArgument, message))
        }
    }
}

/// What is said of a body with more than `bytes_max` bytes.
pub fn too_large(bytes_max: usize) -> ApiError {
    let message = format!("a body has at most {bytes_max} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorReason::LimitExceeded, message)
}
