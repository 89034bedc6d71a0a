//! The stream of heads and orders, both ends of it.
//!
//! The caller's end passes errors on and ends: who watches opens another, and that one goes to another
//! endpoint if there is one. The server's end stops with `Unavailable` when its process drains. Silence is
//! not judged here: heartbeats come through, and who watches counts them.
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::{Error, ErrorReason, Result, RoomName};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use proto::rooms::v1;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use super::{HeldRooms, Rooms, WatchEvent, WatchStart};
use crate::channel::Replica;
use crate::convert::{IntoDomain, IntoProto, gateway, required, room};
use crate::door::answered;
use crate::server::Draining;
use crate::{retry::Failure, status};

/// How long the one who opens a stream may take to say who it is.
const START_WAIT: Duration = Duration::from_secs(5);
/// Changes of held rooms that wait for the service; then the caller waits.
const HELD_WAITING_MAX: usize = 16;

/// What the caller sends up: who it is, and then the rooms that it holds.
#[derive(Debug)]
pub(super) struct Upward {
    start: Option<v1::WatchStart>,
    held: mpsc::Receiver<HeldRooms>,
}

impl Upward {
    pub(super) fn new(start: WatchStart, held: mpsc::Receiver<HeldRooms>) -> Self {
        let (gateway_id, orders_after) = (start.gateway.to_string(), start.orders_after);
        Self { start: Some(v1::WatchStart { gateway_id, orders_after }), held }
    }
}

impl Stream for Upward {
    type Item = v1::WatchRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<v1::WatchRequest>> {
        use v1::watch_request::Request;
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(v1::WatchRequest { request: Some(Request::Start(start)) }));
        }
        let names = |rooms: Vec<RoomName>| rooms.into_iter().map(|room| room.to_string()).collect();
        self.held.poll_recv(cx).map(|change| {
            let change = change?;
            let change = v1::HeldRooms { add: names(change.add), remove: names(change.remove) };
            Some(v1::WatchRequest { request: Some(Request::Held(change)) })
        })
    }
}

/// What the caller gets: ends with an error, and tells the endpoint's breaker if the way broke.
pub(super) fn events(
    replica: Arc<Replica>,
    answers: Streaming<v1::WatchResponse>,
) -> BoxStream<'static, Result<WatchEvent>> {
    let ended = Err(Status::unavailable("the stream ended"));
    let answers = answers.chain(stream::iter([ended]));
    // Whatever fails, the stream is over after it.
    let events = answers.scan(false, move |over, answer| {
        let next = match answer {
            _ if *over => None,
            Ok(answer) => Some(answered(event(answer)).transpose()),
            Err(status) => {
                let failure = Failure::of(&status);
                if !matches!(failure, Failure::Answered(_)) {
                    replica.breaker.failed();
                }
                Some(Some(Err(failure.error().clone())))
            }
        };
        *over |= matches!(next, Some(Some(Err(_))));
        std::future::ready(next)
    });
    // What a newer peer says and we do not know is passed over.
    events.filter_map(std::future::ready).boxed()
}

/// Serves one stream.
pub(super) async fn serve(
    rooms: &dyn Rooms,
    mut requests: Streaming<v1::WatchRequest>,
    draining: Option<Draining>,
) -> Result<BoxStream<'static, std::result::Result<v1::WatchResponse, Status>>> {
    let late = |_| Error::new(ErrorReason::DeadlineExceeded, "nobody said who opens the stream");
    let first = tokio::time::timeout(START_WAIT, requests.message()).await.map_err(late)?;
    let first =
        first.map_err(|status| status::from_status(&status))?.and_then(|first| first.request);
    let Some(v1::watch_request::Request::Start(start)) = first else {
        return Err(Error::invalid("a stream begins with its start"));
    };
    let start =
        WatchStart { gateway: gateway(&start.gateway_id)?, orders_after: start.orders_after };
    let (held_in, held) = mpsc::channel(HELD_WAITING_MAX);
    // Before the service is asked: it may wait for the first rooms before it answers.
    let reading = AbortOnDropHandle::new(tokio::spawn(read_held(requests, held_in)));
    let events = rooms.watch(start, held).await?;
    let drained = async move {
        match draining {
            Some(Draining(token)) => token.cancelled_owned().await,
            None => std::future::pending().await,
        }
    };
    let answers = events
        .map(|event| event.map(response).map_err(|error| status::to_status(&error)))
        .take_until(Box::pin(drained))
        .chain(stream::iter([Err(status::to_status(&Error::unavailable("the stream ended")))]));
    // The reader lives as long as the stream that it belongs to.
    Ok(answers.map(move |answer| (answer, &reading).0).boxed())
}

/// Hands the changes of held rooms on, until either side goes.
async fn read_held(mut requests: Streaming<v1::WatchRequest>, held: mpsc::Sender<HeldRooms>) {
    while let Ok(Some(v1::WatchRequest { request })) = requests.message().await {
        let Some(v1::watch_request::Request::Held(change)) = request else { continue };
        let names =
            |names: Vec<String>| names.iter().map(|name| room(name)).collect::<Result<Vec<_>>>();
        let (Ok(add), Ok(remove)) = (names(change.add), names(change.remove)) else {
            tracing::warn!("a gateway holds a room whose name is none: its stream is ended");
            return;
        };
        if held.send(HeldRooms { add, remove }).await.is_err() {
            return;
        }
    }
}

fn event(answer: v1::WatchResponse) -> Result<Option<WatchEvent>> {
    use v1::watch_response::Event;
    Ok(match answer.event {
        None => None,
        Some(Event::Opened(opened)) => {
            Some(WatchEvent::Opened { orders_after: opened.orders_after })
        }
        Some(Event::Heads(heads)) => {
            let head = |head: v1::RoomHead| Ok((room(&head.room)?, required(head.head, "head")?));
            Some(WatchEvent::Heads(heads.heads.into_iter().map(head).collect::<Result<_>>()?))
        }
        Some(Event::Order(order)) => order.into_domain()?.map(WatchEvent::Order),
        Some(Event::Heartbeat(_)) => Some(WatchEvent::Heartbeat),
    })
}

fn response(event: WatchEvent) -> v1::WatchResponse {
    use v1::watch_response::Event;
    let event = match event {
        WatchEvent::Opened { orders_after } => Event::Opened(v1::WatchOpened { orders_after }),
        WatchEvent::Heads(heads) => {
            let head = |(room, head): (RoomName, _)| v1::RoomHead {
                room: room.to_string(),
                head: Some(head),
            };
            let heads = heads.into_iter().map(|(room, at)| head((room, at.into_proto()))).collect();
            Event::Heads(v1::Heads { heads })
        }
        WatchEvent::Order(order) => Event::Order(order.into_proto()),
        WatchEvent::Heartbeat => Event::Heartbeat(v1::Heartbeat {}),
    };
    v1::WatchResponse { event: Some(event) }
}
