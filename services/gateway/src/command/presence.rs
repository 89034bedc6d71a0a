//! `presence`: who is in a room, the caller too.
use wire::{ClientInfo, PresenceResult, ReplyBody};

use super::{may_look, room_or_refuse};
use crate::connection::{Connection, Identity};
use crate::translate;

/// Entries of one answer.
const ENTRIES_MAX: u32 = 1_000;
/// What the entries of one answer may show, in bytes: it must fit into a connection's queue.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Answers the command.
pub async fn run(connection: &Connection, identity: &Identity, id: u32, channel: &str) {
    let Some(room) = room_or_refuse(connection, id, channel) else { return };
    if let Err(error) = may_look(connection, identity, &room).await {
        return connection.refuse(id, error);
    }
    let gateway = connection.gateway();
    // A caller that has just subscribed must see itself.
    gateway.roster().flush().await;
    match gateway.peers().present(room, ENTRIES_MAX).await {
        Ok(entries) => {
            let shown = |entry: &domain::PresenceEntry| {
                (entry.who.connection.to_string(), translate::who_info(&entry.who))
            };
            let mut bytes = 0;
            let fits = |(_, info): &(String, ClientInfo)| {
                bytes += translate::shown_bytes(info);
                bytes <= ANSWER_BYTES_MAX
            };
            let presence = entries.iter().map(shown).take_while(fits).collect();
            connection.reply(id, ReplyBody::Presence(PresenceResult { presence }));
        }
        Err(error) => connection.refuse(id, wire::error_of(&error)),
    }
}
