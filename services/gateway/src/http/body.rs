//! Bodies of API calls: bounded in bytes and in time, JSON objects with known keys only.
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use domain::ErrorReason;
use serde::de::DeserializeOwned;

use super::{ApiError, HttpConfig};

/// Reads a body.
pub async fn read<T: DeserializeOwned>(
    payload: web::Payload,
    config: &HttpConfig,
) -> Result<T, ApiError> {
    let wait = Duration::from_millis(config.body_timeout_ms);
    let body = payload.to_bytes_limited(config.body_bytes_max);
    let bytes = match tokio::time::timeout(wait, body).await {
        Ok(Ok(Ok(bytes))) => bytes,
        Ok(Ok(Err(_))) => return Err(ApiError::invalid("the body broke off")),
        Ok(Err(_)) => {
            let message = format!("a body has at most {} bytes", config.body_bytes_max);
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorReason::LimitExceeded,
                message,
            ));
        }
        Err(_) => {
            let message = "the body did not come in time";
            return Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                ErrorReason::InvalidArgument,
                message,
            ));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| ApiError::invalid(format!("body: {error}")))
}
