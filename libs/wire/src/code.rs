//! Codes of errors, unsubscribes and closes, and the one table from reasons to codes.
//!
//! The ranges say what an SDK does: see `CloseCode::terminal`. A transient failure never becomes
//! a terminal code. The reference page is written from these tables.
use domain::{Error, ErrorReason};

use crate::ErrorBody;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $($(#[$item_doc:meta])* $item:ident = $code:literal $reason:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$item_doc])* $item = $code,)* }

        impl $name {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$item,)*];

            /// The number on the wire.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The short text beside it. Never JSON: two SDKs would parse it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$item => $reason,)* }
            }
        }
    };
}

codes! {
    /// Codes of error replies.
    ErrorCode:
    /// Try again.
    Internal = 100 "internal server error",
    /// Not signed in.
    Unauthorized = 101 "unauthorized",
    /// No such channel.
    UnknownChannel = 102 "unknown channel",
    /// Not allowed.
    PermissionDenied = 103 "permission denied",
    /// No such rpc.
    MethodNotFound = 104 "method not found",
    /// Subscribed already, or about to be.
    AlreadySubscribed = 105 "already subscribed",
    /// More than the limit.
    LimitExceeded = 106 "limit exceeded",
    /// Malformed.
    BadRequest = 107 "bad request",
    /// Not offered here.
    NotAvailable = 108 "not available",
    /// The token has ended.
    TokenExpired = 109 "token expired",
    /// The subscription or connection has ended.
    Expired = 110 "expired",
    /// Slow down.
    TooManyRequests = 111 "too many requests",
    /// The position cannot be recovered.
    UnrecoverablePosition = 112 "unrecoverable position",
    /// Ours: the message id was used for another payload.
    MessageIdConflict = 409 "message id was used for another payload",
}

codes! {
    /// Codes of unsubscribe pushes.
    UnsubscribeCode:
    /// By the server, for good: kicked, or told by a backend.
    Server = 2000 "server unsubscribe",
    /// The server cannot go on from the client's position.
    InsufficientState = 2500 "insufficient state",
    /// The subscription's token has ended.
    Expired = 2501 "subscription expired",
}

codes! {
    /// Codes of close frames. 3500-3999 and 4500-4999 are terminal: the SDKs do not come back.
    CloseCode:
    /// Native: a frame that breaks RFC 6455.
    Protocol = 1002 "protocol error",
    /// Native: text that is no UTF-8.
    InvalidText = 1007 "invalid utf-8",
    /// Native: larger than the limit.
    TooBig = 1009 "message too big",
    /// The gateway goes.
    Shutdown = 3001 "shutdown",
    /// A defect of ours.
    Internal = 3004 "internal server error",
    /// The token ended and was not refreshed.
    Expired = 3005 "connection expired",
    /// A subscription that the server made has ended and was not refreshed.
    SubscriptionExpired = 3006 "subscription expired",
    /// It does not read what is sent.
    Slow = 3008 "slow",
    /// The room's state is lost.
    InsufficientState = 3010 "insufficient state",
    /// Come back at once.
    ForceReconnect = 3011 "force reconnect",
    /// No pong in time.
    NoPong = 3012 "no pong",
    /// Slow down.
    TooManyRequests = 3013 "too many requests",
    /// The token is proved bad.
    InvalidToken = 3500 "invalid token",
    /// Breaks the protocol.
    BadRequest = 3501 "bad request",
    /// Connected, but never usable.
    Stale = 3502 "stale",
    /// Told by a backend, for good.
    ForceDisconnect = 3503 "force disconnect",
    /// A payload that the format cannot carry.
    InappropriateProtocol = 3506 "inappropriate protocol",
    /// Not offered.
    NotAvailable = 3508 "not available",
    /// Ours: no connect came in time; the SDK may be fetching a token.
    ConnectTimeout = 4000 "no connect in time",
    /// Ours: a started frame was not finished in time.
    FrameTimeout = 4001 "frame not finished in time",
}

/// The error reply for a failed call.
pub fn error_of(error: &Error) -> ErrorBody {
    let code = match error.reason {
        ErrorReason::Internal
        | ErrorReason::Unavailable
        | ErrorReason::DeadlineExceeded
        | ErrorReason::KeyUnknown => ErrorCode::Internal,
        ErrorReason::RateLimited => ErrorCode::TooManyRequests,
        ErrorReason::InvalidCredential => ErrorCode::Unauthorized,
        ErrorReason::CredentialExpired => ErrorCode::TokenExpired,
        ErrorReason::PermissionDenied => ErrorCode::PermissionDenied,
        ErrorReason::InvalidArgument => ErrorCode::BadRequest,
        ErrorReason::NotFound => ErrorCode::UnknownChannel,
        ErrorReason::MessageIdConflict | ErrorReason::AlreadyExists => ErrorCode::MessageIdConflict,
        ErrorReason::LimitExceeded => ErrorCode::LimitExceeded,
        ErrorReason::NotOffered => ErrorCode::NotAvailable,
        ErrorReason::PositionUnrecoverable => ErrorCode::UnrecoverablePosition,
    };
    ErrorBody {
        code: code.code().into(),
        message: error.message.clone(),
        temporary: error.transient(),
    }
}

/// The close for a failed `connect`, if it is one: `None` answers with [`error_of`] instead.
/// Only a credential that is proved bad closes for good.
pub fn close_of(reason: ErrorReason) -> Option<CloseCode> {
    match reason {
        ErrorReason::InvalidCredential => Some(CloseCode::InvalidToken),
        _ => None,
    }
}

impl ErrorCode {
    /// The error reply with this code and its own text.
    pub fn body(self) -> ErrorBody {
        let temporary = matches!(self, Self::Internal | Self::TooManyRequests);
        ErrorBody { code: self.code().into(), message: self.text().to_owned(), temporary }
    }
}

impl CloseCode {
    /// Whether the SDKs stay away after it. Below 3000 they always come back.
    pub const fn terminal(self) -> bool {
        matches!(self.code(), 3500..=3999 | 4500..=4999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_heal_never_becomes_a_terminal_code() {
        for reason in ErrorReason::ALL.iter().filter(|reason| reason.transient()) {
            assert!(
                close_of(*reason).is_none_or(|code| !code.terminal()),
                "{reason} closes for good"
            );
            assert!(error_of(&Error::new(*reason, "")).temporary, "{reason} is not temporary");
        }
    }

    #[test]
    fn texts_fit_a_close_frame_and_are_no_json() {
        for code in CloseCode::ALL {
            assert!(code.text().len() <= 123);
            assert!(serde_json::from_str::<serde_json::Value>(code.text()).is_err());
        }
    }
}
