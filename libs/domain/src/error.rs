//! The one list of reasons for which a call fails.
//!
//! Mirrors the proto enum `roomcast.core.v1.ErrorReason`; `wire` maps each reason to an error
//! or close code of the client protocol in one table, `rpc` to a gRPC status in another.
use std::fmt;

/// Result of a call between the parts.
pub type Result<T> = std::result::Result<T, Error>;

/// A coded failure with a sentence for the caller. The sentence never holds a secret or a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Error {
    /// What a program acts on.
    pub reason: ErrorReason,
    /// What a person reads.
    pub message: String,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal / $number:literal $(: $transient:ident)?,)*) => {
        /// Why a call failed, machine-readable. The numbers are the proto enum's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorReason { $($(#[$doc])* $name = $number,)* }

        impl ErrorReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word that travels in `google.rpc.ErrorInfo.reason`, in JSON errors and in metrics.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Whether the same call may succeed later without any change by the caller.
            pub const fn transient(self) -> bool {
                match self { $(Self::$name => reasons!(@ $($transient)?),)* }
            }

            /// The reason with that word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.word() == word)
            }
        }
    };
    (@) => { false };
    (@ transient) => { true };
}

reasons! {
    /// A defect of ours. Logged where it happens.
    Internal = "INTERNAL" / 1: transient,
    /// A part that is needed cannot be reached, or asks to be left alone for a while.
    Unavailable = "UNAVAILABLE" / 2: transient,
    /// The caller's deadline passed. The outcome is unknown.
    DeadlineExceeded = "DEADLINE_EXCEEDED" / 3: transient,
    /// Too many calls of this kind now.
    RateLimited = "RATE_LIMITED" / 4: transient,
    /// The credential is proved bad.
    InvalidCredential = "INVALID_CREDENTIAL" / 5,
    /// The credential was good and has ended.
    CredentialExpired = "CREDENTIAL_EXPIRED" / 6,
    /// Not allowed, or there is no such room: the two give the same answer.
    PermissionDenied = "PERMISSION_DENIED" / 7,
    /// The request is malformed.
    InvalidArgument = "INVALID_ARGUMENT" / 8,
    /// What is named does not exist (admin calls only).
    NotFound = "NOT_FOUND" / 9,
    /// The message id was used for another payload.
    MessageIdConflict = "MESSAGE_ID_CONFLICT" / 10,
    /// Larger, longer or more than the limit.
    LimitExceeded = "LIMIT_EXCEEDED" / 11,
    /// The room's kind does not offer it.
    NotOffered = "NOT_OFFERED" / 12,
    /// The position lies in another epoch, or beyond what is kept.
    PositionUnrecoverable = "POSITION_UNRECOVERABLE" / 13,
    /// What is to be made exists.
    AlreadyExists = "ALREADY_EXISTS" / 14,
    /// The credential names a key that its issuer did not have when it was last asked: forged, or
    /// signed with one that is newer than that.
    KeyUnknown = "KEY_UNKNOWN" / 15: transient,
}

impl Error {
    /// An error with a sentence for the caller.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// A part cannot be reached.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorReason::Unavailable, message)
    }

    /// A malformed request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorReason::InvalidArgument, message)
    }

    /// Not allowed, or no such room.
    pub fn denied() -> Self {
        Self::new(ErrorReason::PermissionDenied, "not allowed, or no such room")
    }

    /// Whether the same call may succeed later.
    pub fn transient(&self) -> bool {
        self.reason.transient()
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
