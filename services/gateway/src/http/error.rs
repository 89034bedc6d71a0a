//! Errors of the HTTP side: always JSON, `{"error": {"reason", "message"}}`.
//!
//! One table from reasons to statuses. Whatever keeps the gateway from deciding is 503, never a
//! refusal. Messages hold no secret and no payload.
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use domain::{Error, ErrorReason};
use serde::Serialize;
use utoipa::ToSchema;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    error: Error,
    retry_after_s: Option<u32>,
}

/// What a failed request is answered with.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorAnswer {
    error: ErrorDetail,
}

/// Why it failed.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// The word that a program acts on.
    #[schema(example = "PERMISSION_DENIED")]
    reason: &'static str,
    /// The sentence that a person reads.
    message: String,
}

impl ApiError {
    /// A failure with a status of its own.
    pub fn new(status: StatusCode, reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { status, error: Error::new(reason, message), retry_after_s: None }
    }

    /// A malformed request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::invalid(message).into()
    }

    /// Nothing there, or no such method.
    pub fn not_found() -> Self {
        Error::new(ErrorReason::NotFound, "no such path").into()
    }

    /// Too much at this moment: to be tried again in so many seconds.
    pub fn busy(message: impl Into<String>, retry_after_s: u32) -> Self {
        let error = Error::unavailable(message);
        Self { retry_after_s: Some(retry_after_s), ..error.into() }
    }

    /// Too much of this caller.
    pub fn too_many(message: impl Into<String>) -> Self {
        Error::new(ErrorReason::RateLimited, message).into()
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let status = status_of(error.reason);
        let retry_after_s = error.transient().then_some(1);
        Self { status, error, retry_after_s }
    }
}

/// The status of each reason.
fn status_of(reason: ErrorReason) -> StatusCode {
    match reason {
        ErrorReason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorReason::Unavailable | ErrorReason::KeyUnknown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorReason::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorReason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorReason::InvalidCredential | ErrorReason::CredentialExpired => StatusCode::UNAUTHORIZED,
        ErrorReason::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorReason::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorReason::NotFound => StatusCode::NOT_FOUND,
        ErrorReason::MessageIdConflict | ErrorReason::AlreadyExists => StatusCode::CONFLICT,
        ErrorReason::LimitExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorReason::NotOffered => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorReason::PositionUnrecoverable => StatusCode::GONE,
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.error)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            response.insert_header((header::UPGRADE, "websocket"));
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        let detail =
            ErrorDetail { reason: self.error.reason.word(), message: self.error.message.clone() };
        response.json(ErrorAnswer { error: detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_heal_is_a_status_that_says_so() {
        for reason in ErrorReason::ALL.iter().filter(|reason| reason.transient()) {
            let error = ApiError::from(Error::new(*reason, ""));
            assert!(
                error.status().is_server_error() || error.status() == StatusCode::TOO_MANY_REQUESTS
            );
            assert!(error.error_response().headers().contains_key(header::RETRY_AFTER), "{reason}");
        }
    }

    #[test]
    fn only_a_credential_is_answered_with_401() {
        for reason in ErrorReason::ALL {
            let of_credential =
                matches!(reason, ErrorReason::InvalidCredential | ErrorReason::CredentialExpired);
            assert_eq!(status_of(*reason) == StatusCode::UNAUTHORIZED, of_credential, "{reason}");
        }
    }
}
