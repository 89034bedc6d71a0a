//! `unsubscribe`: stop reading a room. Always an empty answer, also if it was not read.
use domain::{Departure, RoomName};
use wire::{CloseCode, ReplyBody};

use crate::connection::Connection;

/// Answers the command; nothing of the room comes after the answer.
pub fn run(connection: &Connection, id: u32, channel: &str) {
    if channel.is_empty() {
        return connection.close(CloseCode::BadRequest, "empty channel");
    }
    if let Ok(room) = RoomName::parse(channel) {
        connection.leave(&room, Departure::Clean);
    }
    connection.reply(id, ReplyBody::Unsubscribe);
}
