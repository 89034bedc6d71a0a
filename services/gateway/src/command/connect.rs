//! `connect`: who is it? Everything behind it waits for the answer.
//!
//! Only a credential that is proved bad closes for good, and whom the operator's backend sends away
//! so; whatever keeps auth from deciding is an error reply with which the SDK comes back. Rooms that the token names are joined on the way, and
//! read from after the answer.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use domain::{
    Admission, Admitted, Decision, Error, ErrorReason, PresenceChange, Principal, PrincipalId,
    Refusal, Verified,
};
use serde_json::json;
use wire::{CloseCode, ConnectRequest, ConnectResult, ErrorBody, ReplyBody, SubscribeResult};

use super::server_side;
use super::subscribe::Entered;
use crate::clock::now_ms;
use crate::connection::timer::Clock;
use crate::connection::{Connection, Identity, Stage};
use crate::notice::SYSTEM_CHANNEL;
use crate::order;
use crate::translate::json_bytes;

/// Takes the first command of a connection.
pub async fn run(connection: &Rc<Connection>, id: u32, request: ConnectRequest) {
    metrics::counter!("roomcast_gateway_commands_total", "verb" => "connect").increment(1);
    if id == 0 {
        return connection.close(CloseCode::BadRequest, "a command without an id");
    }
    let anonymous = request.token.is_empty();
    let admission = Admission {
        token: request.token,
        data: request.data,
        name: request.name,
        version: request.version,
        headers: request.headers,
        address: connection.address(),
        refresh: None,
    };
    connection.set_stage(Stage::Connecting);
    let authenticated_ms = now_ms();
    let admitted = match admit(connection, admission).await {
        Ok(Decision::Granted(admitted)) => admitted,
        Ok(Decision::Refused(refusal)) => return refuse_in_words(connection, id, refusal),
        Err(error) if anonymous && error.reason == ErrorReason::InvalidCredential => {
            return connection.close(CloseCode::BadRequest, "a token is needed");
        }
        Err(error) => return refuse(connection, id, &error),
    };
    let Admitted { verified: Verified { principal, expires_at_ms, rooms }, guarded_kinds } =
        admitted;
    let (expires_at_ms, refreshable) = (Cell::new(expires_at_ms), !anonymous);
    let identity =
        Identity { principal, authenticated_ms, expires_at_ms, refreshable, guarded_kinds };
    let identity = Rc::new(identity);
    match server_side::join(connection, &identity.principal, rooms, request.subs).await {
        Ok(entered) => accept(connection, id, &identity, entered),
        Err(error) => {
            server_side::undo(connection);
            refuse(connection, id, &error);
        }
    }
}

async fn admit(connection: &Connection, admission: Admission) -> Result<Decision<Admitted>, Error> {
    let gateway = connection.gateway();
    // Many connects at once wait here, before they ask anybody.
    let _turn = gateway.connect_turn().await?;
    gateway.peers().admit(admission).await
}

/// Says no in the words of whoever decided.
fn refuse_in_words(connection: &Connection, id: u32, refusal: Refusal) {
    metrics::counter!("roomcast_gateway_connects_refused_total", "reason" => "BACKEND")
        .increment(1);
    match refusal {
        Refusal::Error { code, message, temporary } => {
            fail(connection, id, ErrorBody { code, message, temporary }, temporary);
        }
        Refusal::Disconnect { reason, reconnect } => {
            connection.close(order::code_of(reconnect), &reason);
        }
    }
}

fn refuse(connection: &Connection, id: u32, error: &Error) {
    metrics::counter!("roomcast_gateway_connects_refused_total", "reason" => error.reason.word())
        .increment(1);
    if error.reason == ErrorReason::KeyUnknown {
        // It may be new, so the client may come back; mostly it is forged, and nothing but this
        // keeps it from coming back as fast as it can.
        connection.gateway().hub().counted().offenders.offended(connection.address());
    }
    if let Some(code) = wire::close_of(error.reason) {
        return connection.close(code, "");
    }
    fail(connection, id, wire::error_of(error), error.transient());
}

/// Answers with an error; the client closes, or tries again on another connection.
fn fail(connection: &Connection, id: u32, error: ErrorBody, transient: bool) {
    connection.set_stage(Stage::Failed { transient });
    connection.refuse(id, error);
    let stale = Duration::from_millis(connection.limits().connect_timeout_ms);
    connection.worker().set_clock(stale, connection.id(), Clock::Stale);
}

/// Lets the connection act. Nothing is awaited, so that no push comes before the answer.
fn accept(
    connection: &Rc<Connection>,
    id: u32,
    identity: &Rc<Identity>,
    mut entered: Vec<Entered>,
) {
    let gateway = connection.gateway();
    if !gateway.hub().admit(&identity.principal.id) {
        server_side::undo(connection);
        let text = "too many connections of this user";
        return refuse(connection, id, &Error::new(ErrorReason::LimitExceeded, text));
    }
    connection.set_stage(Stage::Ready(identity.clone()));
    gateway.hub().connected(connection.address());
    // An order may have come meanwhile: it concerns this connection, or a room that it is in.
    let since = identity.authenticated_ms;
    let own = &identity.principal.id;
    let disconnects = |target: &PrincipalId| gateway.orders().disconnects(target, since);
    if let Some((code, reason)) = disconnects(own).or_else(|| disconnects(&own.seen())) {
        return connection.close(code, &reason);
    }
    entered.retain(|entered| server_side::still_holds(connection, identity, entered));
    gateway.roster().push(PresenceChange::Connected(connection.who(identity)));
    let mut result = result(connection, identity);
    for Entered { member, terms, result: subscribed } in &mut entered {
        connection.announce(identity, member, terms);
        result.subs.insert(member.room.name().as_str().to_owned(), std::mem::take(subscribed));
    }
    connection.reply(id, ReplyBody::Connect(Box::new(result)));
    entered.iter().for_each(|entered| entered.member.go_live());
    connection.start_pings();
    connection.arm_expiry(identity);
    // And one that came meanwhile may want it in a room.
    let mut ordered = gateway.orders().subscribes(own, since);
    if own.is_anonymous() {
        ordered.extend(gateway.orders().subscribes(&own.seen(), since));
    }
    ordered.iter().for_each(|ordered| server_side::obey(connection, ordered));
}

fn result(connection: &Connection, identity: &Identity) -> ConnectResult {
    let gateway = connection.gateway();
    let settings = connection.settings();
    let session = connection.session();
    let now = now_ms();
    // Who has no token to renew is not told of an end: it comes back by itself when that is there.
    let told = identity.expires_at_ms.get().filter(|_| identity.refreshable);
    let (expires, ttl) = ttl_of(told, now);
    let ping_s = u32::try_from(settings.ping_ms / 1_000).unwrap_or(u32::MAX);
    let mut subs = BTreeMap::new();
    if settings.system_channel {
        subs.insert(SYSTEM_CHANNEL.to_owned(), SubscribeResult::default());
    }
    if settings.user_channel {
        subs.insert(user_channel(&identity.principal), SubscribeResult::default());
    }
    ConnectResult {
        client: connection.id().to_string(),
        version: gateway.version().to_owned(),
        expires,
        ttl,
        data: data(connection, identity),
        subs,
        // Native pings are none of the protocol's business.
        ping: if connection.native_pings() { 0 } else { ping_s },
        pong: !connection.native_pings(),
        // Only for whose commands come by requests of their own: they name both.
        session: session.map(|session| session.reveal()).unwrap_or_default(),
        node: session.map(|_| gateway.id().to_string()).unwrap_or_default(),
        time: now,
    }
}

/// What the page needs to know of the connection.
fn data(connection: &Connection, identity: &Identity) -> Bytes {
    let gateway = connection.gateway();
    let settings = connection.settings();
    let channel = settings.user_channel.then(|| user_channel(&identity.principal));
    json_bytes(&json!({
        "gateway": gateway.id().as_str(),
        "user": identity.principal.id.user(),
        "name": identity.principal.name,
        "user_channel": channel,
        "degraded": gateway.degraded(),
    }))
}

fn user_channel(principal: &Principal) -> String {
    format!("user:{}", principal.id.hash())
}

/// Whether a credential ends, and after how many seconds: rounded up, never 0.
pub fn ttl_of(expires_at_ms: Option<i64>, now: i64) -> (bool, u32) {
    match expires_at_ms {
        None => (false, 0),
        Some(at) => {
            let seconds = (at - now).max(0).saturating_add(999) / 1_000;
            (true, u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_whole_seconds_and_never_zero() {
        assert_eq!(ttl_of(None, 5), (false, 0));
        assert_eq!(ttl_of(Some(10_001), 0), (true, 11));
        assert_eq!(ttl_of(Some(10_000), 0), (true, 10));
        assert_eq!(ttl_of(Some(0), 10_000), (true, 1));
        assert_eq!(ttl_of(Some(i64::MAX), 0), (true, u32::MAX));
    }
}
