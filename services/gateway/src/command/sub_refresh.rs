//! `sub_refresh`: subscriptions have no tokens of their own here, so there is nothing to refresh.
//!
//! A right that ended acts by an order or a kick, not by a token's age.
use domain::RoomName;
use wire::{ErrorCode, ReplyBody, SubRefreshRequest, SubRefreshResult};

use crate::connection::Connection;

/// Answers the command.
pub fn run(connection: &Connection, id: u32, request: &SubRefreshRequest) {
    let error = match RoomName::parse(&request.channel) {
        _ if request.kind != 0 => ErrorCode::NotAvailable,
        Ok(room) if connection.member(&room).is_none() => ErrorCode::PermissionDenied,
        Err(_) => ErrorCode::PermissionDenied,
        Ok(_) if request.token.is_empty() => ErrorCode::BadRequest,
        Ok(_) => {
            return connection.reply(id, ReplyBody::SubRefresh(SubRefreshResult::default()));
        }
    };
    connection.refuse(id, error.body());
}
