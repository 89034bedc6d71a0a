//! `domain::Error` as a gRPC status, and back.
//!
//! The reason travels as `google.rpc.ErrorInfo{domain: "roomcast", reason}`, so that nothing is lost on
//! the way; the gRPC code is for foreign callers and proxies. A status without our `ErrorInfo` came
//! from something in between: it never proves a credential or a right bad.
use std::collections::HashMap;

use domain::{Error, ErrorReason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of our `ErrorInfo`.
const DOMAIN: &str = "roomcast";
/// What tonic says when `grpc-timeout` passed.
const TIMEOUT_EXPIRED: &str = "Timeout expired";
/// A status travels in headers, which are bounded.
const MESSAGE_CHARS_MAX: usize = 512;

/// The status of an error.
pub(crate) fn to_status(error: &Error) -> Status {
    let message: String = error.message.chars().take(MESSAGE_CHARS_MAX).collect();
    let details = ErrorDetails::with_error_info(error.reason.word(), DOMAIN, HashMap::new());
    Status::with_error_details(code(error.reason), message, details)
}

/// The error of a status. What something in between said is for the log: it may name hosts, and
/// the message may go out to clients.
pub(crate) fn from_status(status: &Status) -> Error {
    if let Some(reason) = coded(status) {
        return Error::new(reason, status.message());
    }
    let reason = foreign(status);
    tracing::debug!(%status, "a call was answered by something in between");
    Error::new(reason, plain(reason))
}

/// The reason that a service of ours gave; `None` if the status is not one of ours.
pub(crate) fn coded(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    // A newer peer may have words that are not known here: the code decides then.
    if info.domain == DOMAIN { ErrorReason::from_word(&info.reason) } else { None }
}

fn code(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::Internal => Code::Internal,
        ErrorReason::Unavailable | ErrorReason::KeyUnknown => Code::Unavailable,
        ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::RateLimited => Code::ResourceExhausted,
        ErrorReason::InvalidCredential | ErrorReason::CredentialExpired => Code::Unauthenticated,
        ErrorReason::PermissionDenied => Code::PermissionDenied,
        ErrorReason::InvalidArgument | ErrorReason::LimitExceeded => Code::InvalidArgument,
        ErrorReason::NotFound => Code::NotFound,
        ErrorReason::MessageIdConflict | ErrorReason::NotOffered => Code::FailedPrecondition,
        ErrorReason::PositionUnrecoverable => Code::OutOfRange,
        ErrorReason::AlreadyExists => Code::AlreadyExists,
    }
}

/// What is said for a status that no service of ours made.
fn plain(reason: ErrorReason) -> &'static str {
    match reason {
        ErrorReason::DeadlineExceeded => "a service did not answer in time",
        ErrorReason::Unavailable => "a service cannot be reached",
        ErrorReason::RateLimited => "a service has too much to do",
        ErrorReason::LimitExceeded => "larger than services take from each other",
        _ => "a service could not be asked",
    }
}

/// The reason of a status that no service of ours made.
fn foreign(status: &Status) -> ErrorReason {
    match status.code() {
        Code::Cancelled if status.message() == TIMEOUT_EXPIRED => ErrorReason::DeadlineExceeded,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::Unavailable | Code::Cancelled | Code::Aborted => ErrorReason::Unavailable,
        Code::ResourceExhausted => ErrorReason::RateLimited,
        // tonic's own answer to a message over the size limit.
        Code::OutOfRange => ErrorReason::LimitExceeded,
        Code::InvalidArgument => ErrorReason::InvalidArgument,
        Code::NotFound => ErrorReason::NotFound,
        Code::AlreadyExists => ErrorReason::AlreadyExists,
        _ => ErrorReason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_way_there_and_back() {
        for &reason in ErrorReason::ALL {
            let error = Error::new(reason, "why — and 'how'");
            assert_eq!(from_status(&to_status(&error)), error);
        }
    }

    #[test]
    fn the_proto_enum_has_the_same_names_and_numbers() {
        use proto::core::v1::ErrorReason as Proto;
        for &reason in ErrorReason::ALL {
            let twin = Proto::try_from(reason as i32).unwrap();
            assert_eq!(twin.as_str_name(), format!("ERROR_REASON_{}", reason.word()));
        }
        assert!(
            Proto::try_from(ErrorReason::ALL.len() as i32 + 1).is_err(),
            "a reason is missing here"
        );
    }

    #[test]
    fn a_foreign_refusal_proves_nothing_against_the_credential() {
        for code in [Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented] {
            assert!(from_status(&Status::new(code, "a proxy says no")).transient(), "{code:?}");
        }
    }

    #[test]
    fn what_something_in_between_says_is_not_passed_on() {
        let error = from_status(&Status::unavailable("dns error: rooms.internal:50051"));
        assert_eq!(error, Error::unavailable("a service cannot be reached"));
    }

    #[test]
    fn an_error_info_of_another_domain_is_not_ours() {
        let details =
            ErrorDetails::with_error_info("INVALID_CREDENTIAL", "elsewhere", HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "", details);
        assert_eq!(from_status(&status).reason, ErrorReason::Unavailable);
    }
}
