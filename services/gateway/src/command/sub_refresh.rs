//! `sub_refresh`: a fresh token for a subscription, for the same room and the same user.
//!
//! An ended token ends the subscription with 2501, after which the SDK subscribes with another; a
//! bad one, or one for something else, closes with 3500. What keeps auth from deciding is an error
//! with which the SDK tries again.
use domain::{ErrorReason, RoomName};
use wire::{CloseCode, ErrorCode, ReplyBody, SubRefreshRequest, SubRefreshResult};

use super::connect::ttl_of;
use crate::clock::now_ms;
use crate::connection::{Connection, Identity};

/// Answers the command.
pub async fn run(
    connection: &Connection,
    identity: &Identity,
    id: u32,
    request: SubRefreshRequest,
) {
    let room = match RoomName::parse(&request.channel) {
        _ if request.kind != 0 => Err(ErrorCode::NotAvailable),
        Ok(room) if connection.member(&room).is_some() => Ok(room),
        _ => Err(ErrorCode::PermissionDenied),
    };
    let room = match room {
        Ok(_) if request.token.is_empty() => {
            return connection.refuse(id, ErrorCode::BadRequest.body());
        }
        Ok(room) => room,
        Err(error) => return connection.refuse(id, error.body()),
    };
    let (peers, who) = (connection.gateway().peers(), identity.principal.id.clone());
    let verified = peers.verify_subscription(who, room.clone(), request.token).await;
    // It may have ended while auth was asked.
    let Some(terms) = connection.terms(&room) else {
        return connection.refuse(id, ErrorCode::PermissionDenied.body());
    };
    match verified {
        Ok(grant) => {
            terms.until_ms.set(grant.until_ms);
            connection.arm_subscription(&terms);
            let (expires, ttl) = ttl_of(grant.until_ms, now_ms());
            connection.reply(id, ReplyBody::SubRefresh(SubRefreshResult { expires, ttl }));
        }
        Err(error) => match error.reason {
            ErrorReason::CredentialExpired => {
                // The push first: an error alone would end the subscription for good.
                connection.expire_subscription(&room);
                connection.refuse(id, ErrorCode::Expired.body());
            }
            ErrorReason::InvalidCredential | ErrorReason::PermissionDenied => {
                connection.close(CloseCode::InvalidToken, "");
            }
            _ => connection.refuse(id, wire::error_of(&error)),
        },
    }
}
