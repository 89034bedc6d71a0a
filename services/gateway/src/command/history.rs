//! `history`: a page of a room's log, with the rights that rooms gives.
use domain::{Epoch, Position};
use rpc::rooms::History;
use wire::{HistoryRequest, HistoryResult, Publication, ReplyBody};

use super::room_or_refuse;
use crate::connection::{Connection, Identity};
use crate::translate;

/// Bytes of payloads in one answer; the client reads on from the last one that it got.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Answers the command.
pub async fn run(connection: &Connection, identity: &Identity, id: u32, request: HistoryRequest) {
    let Some(room) = room_or_refuse(connection, id, &request.channel) else { return };
    let since = request
        .since
        .map(|since| Position { epoch: Epoch::new(since.epoch), offset: since.offset });
    let asked = History {
        principal: connection.acting(identity, &room),
        room,
        since,
        // Negative asks for as many as allowed.
        limit: u32::try_from(request.limit).unwrap_or(u32::MAX),
        reverse: request.reverse,
    };
    match connection.gateway().peers().history(asked).await {
        Ok(page) => {
            let mut bytes = 0;
            let fits = |publication: &Publication| {
                let first = bytes == 0;
                bytes += publication.data.len() + translate::beside_bytes(publication) + 1;
                first || bytes <= ANSWER_BYTES_MAX
            };
            let publications =
                page.items.iter().map(translate::publication).take_while(fits).collect();
            let epoch = page.head.epoch.as_str().to_owned();
            let result = HistoryResult { publications, epoch, offset: page.head.offset };
            connection.reply(id, ReplyBody::History(result));
        }
        Err(error) => connection.refuse(id, wire::error_of(&error)),
    }
}
