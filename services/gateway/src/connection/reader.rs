//! The task that owns a connection: reads messages, hands commands on, and ends it.
//!
//! What a message means is a [`Take`]'s affair: [`Commands`] for every connection that ships. Commands of one frame and of later ones are taken in order; what follows a connect waits for
//! its answer. The end has one place: leave the rooms, flush, close frame, a bounded wait for the
//! peer's answer, drop.
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use domain::Departure;
use wire::{CloseCode, Command, DecodeError, Request};

use super::source::{Arrival, Source};
use super::{Connection, Ending, Stage, frame, lane};
use crate::command;
use crate::limit::offenders::is_offence;
use crate::limit::{Limit, LimitsConfig};
use crate::rate::Verdict;

/// How long the answers under way may take when a connection is to end after them.
const SETTLE: Duration = Duration::from_secs(3);

/// The longest that one frame's refused commands hold up the next frame.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Why the reading ended.
enum End {
    /// We close.
    Ours(Ending),
    /// The peer closed, with this code if it gave one.
    Theirs(Option<u16>),
    /// The link was lost.
    Lost,
}

/// What is done with the messages of a connection.
pub trait Take: 'static {
    /// Takes a whole message, `text` if it came as text. What it refuses closes the connection.
    /// Given up when the connection is to end.
    fn take(
        &self,
        connection: &Rc<Connection>,
        message: Bytes,
        text: bool,
    ) -> impl Future<Output = Result<(), Refused>>;
}

/// Why a message closes its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub CloseCode, pub &'static str);

/// Takes messages as frames of commands, text or not.
#[derive(Debug, Clone, Copy)]
pub struct Commands;

impl Take for Commands {
    async fn take(
        &self,
        connection: &Rc<Connection>,
        message: Bytes,
        _: bool,
    ) -> Result<(), Refused> {
        let most = connection.limits().commands_per_frame_max;
        let malformed = |error| {
            if error == DecodeError::TooMany {
                Limit::CommandsPerFrame.bites();
            }
            Refused(CloseCode::BadRequest, "malformed frame")
        };
        let commands = connection.carrier().format().decode(&message, most);
        let commands = commands.map_err(malformed)?;
        let passed = connection.rates.borrow_mut().take_frame(message.len());
        for command in commands {
            if connection.asked_to_end() {
                break;
            }
            accept(connection, command, passed).await;
        }
        Ok(())
    }
}

/// Reads until the connection ends, then ends it.
pub async fn run(connection: Rc<Connection>, mut source: impl Source, take: impl Take) {
    let end = read(&connection, &mut source, &take).await;
    if broke_rules(&connection, &end) {
        connection.gateway().hub().counted().offenders.offended(connection.address());
    }
    match end {
        End::Ours(ending) => {
            if ending.when_answered {
                connection.lanes.settle(SETTLE).await;
            }
            connection.retire(departure_of(ending.code));
            metrics::counter!("roomcast_gateway_closes_total", "code" => code_text(ending.code))
                .increment(1);
            let last = connection.carrier().last(ending.code, &ending.reason);
            connection.writer.close(last, ending.code == CloseCode::Slow);
            let wait = Duration::from_millis(connection.limits().close_ms);
            // Either way the socket goes now.
            if tokio::time::timeout(wait, source.closed()).await.is_err() {
                Limit::Close.bites();
            }
        }
        End::Theirs(code) => {
            connection.retire(Departure::Clean);
            let echo = code.map_or_else(frame::close_empty, |code| frame::close(code, ""));
            connection.writer.close(echo, false);
        }
        End::Lost => connection.retire(Departure::Lost),
    }
    connection.writer.finish();
}

/// Whether somebody broke the rules, who might come back at once. To leave before a word was said
/// costs the gateway a connection too.
fn broke_rules(connection: &Connection, end: &End) -> bool {
    match end {
        End::Ours(ending) => is_offence(ending.code),
        End::Theirs(_) | End::Lost => matches!(connection.stage(), Stage::Fresh),
    }
}

async fn read(connection: &Rc<Connection>, source: &mut impl Source, take: &impl Take) -> End {
    loop {
        let arrival = tokio::select! {
            biased;
            () = connection.ended.notified() => return wish(connection),
            arrival = source.next() => arrival,
        };
        let (message, text) = match arrival {
            Arrival::Text(message) => (message, true),
            Arrival::Binary(message) => (message, false),
            Arrival::Ping(payload) => {
                // The standard lets only the last of many pings be answered.
                if may_go_on(connection) {
                    connection.push_reply(frame::pong(&payload));
                } else {
                    pause(connection, 1).await;
                }
                continue;
            }
            Arrival::Pong => {
                // Unasked pongs are legal in the standard.
                let asked = connection.native_pings() && connection.pong();
                if !asked && !may_go_on(connection) {
                    pause(connection, 1).await;
                }
                continue;
            }
            Arrival::Refused(code) => return ours(code, code.text()),
            Arrival::Closed(code) => return End::Theirs(code),
            Arrival::Lost => return End::Lost,
        };
        let refused = connection.rates.borrow().refused();
        tokio::select! {
            biased;
            () = connection.ended.notified() => return wish(connection),
            taken = take.take(connection, message, text) => {
                if let Err(Refused(code, reason)) = taken {
                    return ours(code, reason);
                }
            }
        }
        let refused = connection.rates.borrow().refused().wrapping_sub(refused);
        tokio::select! {
            biased;
            () = connection.ended.notified() => return wish(connection),
            () = pause(connection, refused) => {}
        }
    }
}

/// Lets one wait whose commands were refused, for half as long as its rate takes to allow as many:
/// who floods is read hardly faster than that, and costs the others on its worker no more. Half,
/// so that more are refused than pass, and who does not stop is closed in the end.
async fn pause(connection: &Connection, refused: u32) {
    if refused > 0 {
        let rate = connection.limits().commands_per_second.max(1);
        let wait = Duration::from_millis(500 * u64::from(refused)) / rate;
        tokio::time::sleep(wait.min(PAUSE_MAX)).await;
    }
}

/// Whether one more control frame may be dealt with; who does not stop is closed.
fn may_go_on(connection: &Connection) -> bool {
    let verdict = connection.rates.borrow_mut().take(1, true);
    if verdict == Verdict::Close {
        connection.close(CloseCode::TooManyRequests, "");
    }
    verdict == Verdict::Pass
}

/// As how many commands a request counts.
fn cost(limits: &LimitsConfig, request: &Request) -> u32 {
    match request {
        Request::Subscribe(_) => limits.subscribe_cost,
        Request::History(_) | Request::Presence(_) | Request::PresenceStats(_) => {
            limits.history_cost
        }
        _ => 1,
    }
}

/// Takes one command of a frame that `passed` its rate or did not. Returns when the next one may
/// be taken.
async fn accept(connection: &Rc<Connection>, command: Command, passed: bool) {
    let bad = |text: &str| connection.close(CloseCode::BadRequest, text);
    let Command { id, request } = command;
    match (connection.stage(), request) {
        (Stage::Fresh, Some(Request::Connect(request))) => {
            command::connect::run(connection, id, request).await;
        }
        (Stage::Fresh, _) => bad("connect first"),
        (Stage::Connecting | Stage::Failed { .. }, _) => bad("not connected"),
        (Stage::Ready(_), None) => {
            if !connection.pong() {
                bad("a pong without a ping");
            }
        }
        (Stage::Ready(_), Some(Request::Connect(_))) => bad("connected already"),
        (Stage::Ready(_), Some(Request::Ping)) => bad("only the server pings"),
        (Stage::Ready(_), Some(Request::Send(_))) => {
            connection.close(CloseCode::NotAvailable, "");
        }
        (Stage::Ready(_), Some(_)) if id == 0 => bad("a command without an id"),
        (Stage::Ready(_), Some(request)) => {
            let cost = cost(connection.limits(), &request);
            let verdict = connection.rates.borrow_mut().take(cost, passed);
            match verdict {
                Verdict::Pass => {
                    lane::enter(connection, Command { id, request: Some(request) }).await;
                }
                Verdict::Refuse => {
                    connection.refuse(id, wire::ErrorCode::TooManyRequests.body());
                }
                Verdict::Close => connection.close(CloseCode::TooManyRequests, ""),
            }
        }
    }
}

fn wish(connection: &Connection) -> End {
    match connection.ending.borrow().clone() {
        Some(ending) => End::Ours(ending),
        // Nobody notifies without a wish; ending it is the safe answer.
        None => End::Lost,
    }
}

fn ours(code: CloseCode, reason: &str) -> End {
    End::Ours(Ending { code, reason: reason.to_owned(), when_answered: false })
}

/// Others learn at once of those who will not come back; the rest may be back in a moment.
fn departure_of(code: CloseCode) -> Departure {
    if (3_500..4_000).contains(&code.code()) { Departure::Clean } else { Departure::Lost }
}

fn code_text(code: CloseCode) -> String {
    code.code().to_string()
}
