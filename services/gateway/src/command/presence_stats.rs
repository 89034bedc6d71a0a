//! `presence_stats`: how many are in a room. Unknown is an error, never zero.
use wire::{PresenceStatsResult, ReplyBody};

use super::{may_look, room_or_refuse};
use crate::connection::{Connection, Identity};

/// Answers the command.
pub async fn run(connection: &Connection, identity: &Identity, id: u32, channel: &str) {
    let Some(room) = room_or_refuse(connection, id, channel) else { return };
    if let Err(error) = may_look(connection, identity, &room).await {
        return connection.refuse(id, error);
    }
    let gateway = connection.gateway();
    gateway.roster().flush().await;
    match gateway.peers().counts(room).await {
        Ok(counts) => {
            let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
            connection.reply(
                id,
                ReplyBody::PresenceStats(PresenceStatsResult {
                    num_clients: small(counts.connections),
                    num_users: small(counts.principals),
                }),
            );
        }
        Err(error) => connection.refuse(id, wire::error_of(&error)),
    }
}
