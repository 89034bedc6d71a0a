//! `refresh`: a fresh token for the connection, of the same user.
//!
//! An ended token closes with 3005, after which the SDK comes back; a bad one or another user's
//! with 3500. What keeps auth from deciding is an error with which the SDK tries again.
use domain::{Credential, ErrorReason};
use wire::{CloseCode, RefreshRequest, RefreshResult, ReplyBody};

use super::connect::ttl_of;
use crate::clock::now_ms;
use crate::connection::{Connection, Identity};

/// Answers the command.
pub async fn run(connection: &Connection, identity: &Identity, id: u32, request: RefreshRequest) {
    if request.token.is_empty() {
        return connection.close(CloseCode::BadRequest, "a token is needed");
    }
    let peers = connection.gateway().peers();
    match peers.verify(Credential::Bearer(request.token)).await {
        Ok(verified) if verified.principal.id.seen() != identity.principal.id.seen() => {
            connection.close(CloseCode::InvalidToken, "");
        }
        Ok(verified) => {
            connection.renew(verified);
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
