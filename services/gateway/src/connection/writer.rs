//! What waits for one socket, and the response body that the socket is fed from.
//!
//! Pushing never waits. All that is queued when the worker comes to the socket goes out in one
//! write. A room's feed pauses by itself while much is queued; replies and unpositioned pushes
//! that pile up, or a socket that takes nothing for long, end the connection with 3008.
//! Lives on one worker: no locks.
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use domain::ConnectionId;
use tokio::time::Instant;

use crate::limit::Limit;

/// A feed pauses while so many frames are queued. Their bytes are shared by all members of a room,
/// their places in the queue are this socket's own: small messages must not pin more than large ones.
const FEED_FRAMES_MAX: usize = 128;

/// How much of what is queued is an answer or a push without a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Positioned: its member's cursor knows how far it got.
    Feed,
    /// Everything else: lost if it is not sent.
    Reply,
}

/// Bounds of a writer.
#[derive(Debug, Clone, Copy)]
pub struct WriterLimits {
    /// The feed pauses while so many bytes are queued.
    pub feed_pause_bytes: usize,
    /// Replies and unpositioned pushes, in bytes.
    pub replies_bytes_max: usize,
    /// How long the socket may take nothing while something is queued.
    pub slow: Duration,
}

/// What a push led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is queued.
    Queued,
    /// The connection is closing or gone: it was dropped.
    Dropped,
    /// Too much is queued: the connection must be closed with 3008.
    Overflow,
}

/// Connections of a worker whose feed may go on. Shared by the worker and its writers.
#[derive(Debug, Default)]
pub struct Drained {
    ids: RefCell<Vec<ConnectionId>>,
    more: tokio::sync::Notify,
}

/// See the file's head.
pub struct Writer {
    id: ConnectionId,
    limits: WriterLimits,
    drained: Rc<Drained>,
    state: RefCell<State>,
    lost: tokio::sync::Notify,
}

struct State {
    queue: VecDeque<(Bytes, Class)>,
    bytes: usize,
    reply_bytes: usize,
    waker: Option<Waker>,
    feed_paused: bool,
    stage: Stage,
    /// When the socket last took something, or the queue was last empty.
    progress: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The last word is queued: nothing more is taken.
    Closing,
    /// Flush and end.
    Finished,
    /// The socket is gone.
    Gone,
}

/// The response body that a client reads. Keeps the body of the library alive, if there is one,
/// because the library ends its message stream when that is dropped.
pub struct SocketBody {
    writer: Rc<Writer>,
    _library: Option<BoxBody>,
}

impl Writer {
    /// A writer for one connection.
    pub fn new(id: ConnectionId, limits: WriterLimits, drained: Rc<Drained>) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            reply_bytes: 0,
            waker: None,
            feed_paused: false,
            stage: Stage::Open,
            progress: Instant::now(),
        };
        let lost = tokio::sync::Notify::new();
        Self { id, limits, drained, state: RefCell::new(state), lost }
    }

    /// Whether a member may feed it. If not, the worker is told when it may again.
    pub fn feed_open(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.stage != Stage::Open {
            return false;
        }
        let full = state.bytes >= self.limits.feed_pause_bytes;
        if !state.feed_paused && (full || state.queue.len() >= FEED_FRAMES_MAX) {
            state.feed_paused = true;
            Limit::FeedPause.bites();
        }
        !state.feed_paused
    }

    /// Queues a positioned push.
    pub fn feed(&self, frame: Bytes) -> Pushed {
        self.push(frame, Class::Feed, false)
    }

    /// Queues a reply or an unpositioned push.
    pub fn reply(&self, frame: Bytes) -> Pushed {
        self.push(frame, Class::Reply, false)
    }

    /// Queues a frame in front of all data: a ping must not wait behind it.
    pub fn urgent(&self, frame: Bytes) -> Pushed {
        self.push(frame, Class::Reply, true)
    }

    /// Queues the last word (a close frame, a disconnect push) behind what is queued, or, for a
    /// client that takes nothing, `instead` of it.
    pub fn close(&self, last: Bytes, instead: bool) {
        let mut state = self.state.borrow_mut();
        if state.stage != Stage::Open {
            return;
        }
        if instead {
            state.queue.clear();
            (state.bytes, state.reply_bytes) = (0, 0);
        }
        state.bytes += last.len();
        state.reply_bytes += last.len();
        state.queue.push_back((last, Class::Reply));
        state.stage = Stage::Closing;
        wake(&mut state);
    }

    /// Ends the body once all is flushed.
    pub fn finish(&self) {
        let mut state = self.state.borrow_mut();
        if state.stage != Stage::Gone {
            state.stage = Stage::Finished;
        }
        wake(&mut state);
    }

    /// Whether the socket is gone or the close is under way.
    pub fn ended(&self) -> bool {
        self.state.borrow().stage != Stage::Open
    }

    /// Whether the socket itself is gone.
    pub fn gone(&self) -> bool {
        self.state.borrow().stage == Stage::Gone
    }

    /// Waits until the socket is gone. For one waiter.
    pub async fn lost(&self) {
        while !self.gone() {
            self.lost.notified().await;
        }
    }

    /// Whether something is queued and the socket takes nothing for too long.
    pub fn stuck(&self) -> bool {
        let state = self.state.borrow();
        !state.queue.is_empty() && state.progress.elapsed() >= self.limits.slow
    }

    /// Bytes that are queued.
    pub fn queued(&self) -> usize {
        self.state.borrow().bytes
    }

    fn push(&self, frame: Bytes, class: Class, first: bool) -> Pushed {
        let mut state = self.state.borrow_mut();
        if state.stage != Stage::Open {
            return Pushed::Dropped;
        }
        if class == Class::Reply {
            state.reply_bytes += frame.len();
            if state.reply_bytes > self.limits.replies_bytes_max {
                Limit::Replies.bites();
                return Pushed::Overflow;
            }
        }
        if state.queue.is_empty() {
            state.progress = Instant::now();
        }
        state.bytes += frame.len();
        if first {
            state.queue.push_front((frame, class));
        } else {
            state.queue.push_back((frame, class));
        }
        wake(&mut state);
        Pushed::Queued
    }

    fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.state.borrow_mut();
        let Some((frame, class)) = state.queue.pop_front() else {
            if state.stage == Stage::Finished {
                return Poll::Ready(None);
            }
            if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        state.progress = Instant::now();
        state.bytes -= frame.len();
        if class == Class::Reply {
            state.reply_bytes -= frame.len();
        }
        let half_gone = state.bytes <= self.limits.feed_pause_bytes / 2
            && state.queue.len() <= FEED_FRAMES_MAX / 2;
        if state.feed_paused && half_gone {
            state.feed_paused = false;
            self.drained.push(self.id);
        }
        Poll::Ready(Some(frame))
    }
}

fn wake(state: &mut State) {
    if let Some(waker) = &state.waker {
        waker.wake_by_ref();
    }
}

impl Drained {
    fn push(&self, id: ConnectionId) {
        self.ids.borrow_mut().push(id);
        self.more.notify_one();
    }

    /// Waits until some connection's feed may go on, and takes all of them.
    pub async fn next(&self) -> Vec<ConnectionId> {
        loop {
            let ids = std::mem::take(&mut *self.ids.borrow_mut());
            if !ids.is_empty() {
                return ids;
            }
            self.more.notified().await;
        }
    }
}

impl SocketBody {
    /// The body that drains `writer`; `library` is what a handshake made.
    pub fn new(writer: Rc<Writer>, library: Option<BoxBody>) -> Self {
        Self { writer, _library: library }
    }
}

impl MessageBody for SocketBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.writer.poll_take(cx).map(|frame| frame.map(Ok))
    }
}

impl Drop for SocketBody {
    fn drop(&mut self) {
        let mut state = self.writer.state.borrow_mut();
        state.stage = Stage::Gone;
        state.queue.clear();
        (state.bytes, state.reply_bytes, state.waker) = (0, 0, None);
        self.writer.lost.notify_one();
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
