//! The verbs of the protocol, a file each: check, ask, answer.
//!
//! A verb answers its command itself, because a subscribe must be answered before its room's
//! first push. Nothing here knows a room's rules: rooms does, and its errors become codes in `wire`.
pub mod connect;
pub mod history;
pub mod presence;
pub mod presence_stats;
pub mod publish;
pub mod refresh;
pub mod rpc;
pub mod server_side;
pub mod sub_refresh;
pub mod subscribe;
pub mod unsubscribe;

use std::rc::Rc;

use domain::{Error, Principal, RoomName, RoomSettings};
use wire::{CloseCode, Command, ErrorBody, ErrorCode, Request};

use crate::connection::{Connection, Identity};

/// Whether the commands behind this one may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// They may.
    On,
    /// A publish failed without a clear outcome: the publishes behind it must fail too.
    Broken(ErrorBody),
}

/// Runs one command of a connection that may act.
pub async fn run(connection: &Rc<Connection>, command: Command) -> Flow {
    let Command { id, request: Some(request) } = command else { return Flow::On };
    let Some(identity) = connection.identity() else { return Flow::On };
    metrics::counter!("roomcast_gateway_commands_total", "verb" => verb(&request)).increment(1);
    match request {
        Request::Publish(request) => {
            return publish::run(connection, &identity, id, request).await;
        }
        Request::Rpc(request) => return rpc::run(connection, &identity, id, request).await,
        Request::Subscribe(request) => {
            Box::pin(subscribe::run(connection, &identity, id, request)).await;
        }
        Request::Unsubscribe(channel) => unsubscribe::run(connection, id, &channel),
        Request::Presence(channel) => presence::run(connection, &identity, id, &channel).await,
        Request::PresenceStats(channel) => {
            presence_stats::run(connection, &identity, id, &channel).await;
        }
        Request::History(request) => history::run(connection, &identity, id, request).await,
        Request::Refresh(request) => refresh::run(connection, &identity, id, request).await,
        Request::SubRefresh(request) => {
            sub_refresh::run(connection, &identity, id, request).await;
        }
        // Taken care of by the reader.
        Request::Connect(_) | Request::Ping | Request::Send(_) => {}
    }
    Flow::On
}

/// A channel as a room's name. An empty one breaks the protocol and closes the connection.
fn room_of(connection: &Connection, channel: &str) -> Result<RoomName, Option<ErrorBody>> {
    if channel.is_empty() {
        connection.close(CloseCode::BadRequest, "empty channel");
        return Err(None);
    }
    RoomName::parse(channel).map_err(|_| Some(ErrorCode::BadRequest.body()))
}

/// Room of `channel`, or the command is answered already.
fn room_or_refuse(connection: &Connection, id: u32, channel: &str) -> Option<RoomName> {
    match room_of(connection, channel) {
        Ok(room) => Some(room),
        Err(error) => {
            if let Some(error) = error {
                connection.refuse(id, error);
            }
            None
        }
    }
}

/// What a room's kind is like: from the room if it is here, from the last that was seen of its
/// kind, else from rooms. `None` if the principal may not know.
async fn settings_of(
    connection: &Connection,
    principal: &Principal,
    room: &RoomName,
) -> Result<Option<RoomSettings>, Error> {
    let gateway = connection.gateway();
    if let Some(known) = gateway.settings_of(room) {
        return Ok(Some(known));
    }
    match gateway.peers().join(principal.clone(), room.clone()).await {
        Ok(joined) => {
            gateway.learn_settings(room, joined.settings);
            Ok(Some(joined.settings))
        }
        Err(error) if error.transient() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a connection may look at who is in a room: its subscribers may, and moderators.
async fn may_look(
    connection: &Connection,
    identity: &Identity,
    room: &RoomName,
) -> Result<RoomSettings, ErrorBody> {
    let settings = match connection.member(room) {
        Some(member) => member.room.settings(),
        None => {
            let peers = connection.gateway().peers();
            let joined = peers.join(identity.principal.clone(), room.clone()).await;
            let joined = joined.map_err(|error| wire::error_of(&error))?;
            if !joined.rights.moderate {
                return Err(ErrorCode::PermissionDenied.body());
            }
            joined.settings
        }
    };
    if settings.presence { Ok(settings) } else { Err(ErrorCode::NotAvailable.body()) }
}

fn verb(request: &Request) -> &'static str {
    match request {
        Request::Connect(_) => "connect",
        Request::Subscribe(_) => "subscribe",
        Request::Unsubscribe(_) => "unsubscribe",
        Request::Publish(_) => "publish",
        Request::Presence(_) => "presence",
        Request::PresenceStats(_) => "presence_stats",
        Request::History(_) => "history",
        Request::Ping => "ping",
        Request::Send(_) => "send",
        Request::Rpc(_) => "rpc",
        Request::Refresh(_) => "refresh",
        Request::SubRefresh(_) => "sub_refresh",
    }
}
