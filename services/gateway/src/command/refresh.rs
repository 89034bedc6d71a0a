//! `refresh`: a fresh token for the connection, of the same user.
//!
//! An ended token closes with 3005, after which the SDK comes back; a bad one or another user's
//! with 3500. What keeps auth from deciding is an error with which the SDK tries again.
use domain::{Admission, Decision, ErrorReason, Refusal};
use wire::{CloseCode, ErrorBody, RefreshRequest, RefreshResult, ReplyBody};

use super::connect::ttl_of;
use crate::clock::now_ms;
use crate::connection::{Connection, Identity};
use crate::order;

/// Answers the command.
pub async fn run(connection: &Connection, identity: &Identity, id: u32, request: RefreshRequest) {
    if request.token.is_empty() {
        return connection.close(CloseCode::BadRequest, "a token is needed");
    }
    let peers = connection.gateway().peers();
    let own = &identity.principal.id;
    let admission = Admission {
        token: request.token,
        address: connection.address(),
        refresh: Some(own.clone()),
        ..Admission::default()
    };
    match peers.admit(admission).await {
        Ok(Decision::Granted(admitted)) if admitted.verified.principal.id.seen() != own.seen() => {
            connection.close(CloseCode::InvalidToken, "");
        }
        Ok(Decision::Refused(Refusal::Error { code, message, temporary })) => {
            connection.refuse(id, ErrorBody { code, message, temporary });
        }
        Ok(Decision::Refused(Refusal::Disconnect { reason, reconnect })) => {
            connection.close(order::code_of(reconnect), &reason);
        }
        Ok(Decision::Granted(admitted)) => {
            connection.renew(admitted);
            let (expires, ttl) = match connection.identity() {
                Some(renewed) => ttl_of(renewed.expires_at_ms.get(), now_ms()),
                None => return,
            };
            let client = connection.id().to_string();
            let version = connection.gateway().version().to_owned();
            let result = RefreshResult { client, version, expires, ttl };
            connection.reply(id, ReplyBody::Refresh(result));
        }
        Err(error) => match error.reason {
            ErrorReason::CredentialExpired => connection.close(CloseCode::Expired, ""),
            ErrorReason::InvalidCredential => connection.close(CloseCode::InvalidToken, ""),
            _ => connection.refuse(id, wire::error_of(&error)),
        },
    }
}
