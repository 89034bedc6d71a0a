//! The header guard: judges WebSocket frames by their headers before a parser sees them.
//!
//! The parser behind it collects a whole frame before it looks at the length; the guard refuses a
//! frame on its declared length, with nothing of its payload kept. It counts fragments, refuses
//! what RFC 6455 forbids in a header, and what is begun and not finished in time. Legal bytes pass
//! as they are, without a copy unless a header was cut in two. After a refusal it reads on for a
//! while and throws away, so that the peer gets the close frame and not a reset; what looks like
//! the peer's answer to it ends the stream.
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use wire::CloseCode;

use crate::limit::Limit;

/// Two bytes, eight of length, four of mask.
const HEADER_BYTES_MAX: usize = 14;
/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;

const FIN: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const CLOSE: u8 = 0x8;

/// What is read and thrown away after a refusal, in bytes; whoever sends more is not worth it.
const THROWN_BYTES_MAX: usize = 256 * 1024;

/// What a peer may send.
#[derive(Debug, Clone, Copy)]
pub struct GuardLimits {
    /// Largest message, in bytes over all of its fragments, and so largest frame.
    pub message_bytes_max: usize,
    /// Most fragments of one message.
    pub fragments_max: u32,
    /// Payload bytes up to the end of the first message, in bytes over all frames.
    pub greeting_bytes_max: usize,
    /// A frame, or a message in fragments, must be finished so long after its first byte.
    pub frame_timeout: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 * 1024,
            fragments_max: 32,
            greeting_bytes_max: 64 * 1024,
            frame_timeout: Duration::from_secs(10),
        }
    }
}

/// What the guard saw so far, for the owner of the connection. Same thread only.
#[derive(Debug, Clone, Default)]
pub struct GuardReport(Rc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    close: Cell<Option<CloseCode>>,
    frame_started: Cell<Option<Instant>>,
    peer_closes: Cell<bool>,
    refused: Notify,
}

impl GuardReport {
    /// The code to close with, once the guard has refused the stream.
    pub fn close_code(&self) -> Option<CloseCode> {
        self.0.close.get()
    }

    /// Since when a frame, or a message in fragments, is begun and not finished.
    pub fn frame_started(&self) -> Option<Instant> {
        self.0.frame_started.get()
    }

    /// Whether a close frame of the peer was begun, a bad one too: it waits for ours and sends no other.
    pub fn peer_closes(&self) -> bool {
        self.0.peer_closes.get()
    }

    /// Waits until the guard refuses the stream. It does so while the stream is polled; what was
    /// legal before comes out of the stream first. For one waiter.
    pub async fn refused(&self) -> CloseCode {
        loop {
            match self.close_code() {
                Some(code) => return code,
                None => self.0.refused.notified().await,
            }
        }
    }

    fn refuse(&self, code: CloseCode) {
        self.0.close.set(Some(code));
        self.0.frame_started.set(None);
        self.0.refused.notify_one();
    }
}

/// The stream of legal bytes. Ends when the stream behind it does.
#[derive(Debug)]
pub struct Guard<S> {
    stream: S,
    judge: Judge,
    report: GuardReport,
    /// Bytes that were thrown away.
    thrown: usize,
    /// The last of them.
    tail: BytesMut,
    /// Made when a frame stays unfinished between two chunks.
    timeout: Option<Pin<Box<Sleep>>>,
}

impl<S> Guard<S> {
    /// Puts a guard before `stream`.
    pub fn new(stream: S, limits: GuardLimits) -> (Self, GuardReport) {
        let report = GuardReport::default();
        let guard = Self {
            stream,
            judge: Judge::new(limits),
            report: report.clone(),
            thrown: 0,
            tail: BytesMut::new(),
            timeout: None,
        };
        (guard, report)
    }

    /// Throws away what came after a refusal; whether it ends like an answer to our close.
    fn throw_away(&mut self, chunk: &[u8]) -> bool {
        self.thrown += chunk.len();
        let longest = 2 + 4 + CONTROL_BYTES_MAX as usize;
        self.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(longest)..]);
        let over = self.tail.len().saturating_sub(longest);
        let _older = self.tail.split_to(over);
        ends_with_close(&self.tail)
    }

    /// Lets the legal part of a chunk through.
    fn admit(&mut self, chunk: &Bytes) -> Bytes {
        let header = self.judge.header;
        let held = header.get(..self.judge.header_length).unwrap_or_default();
        let judged = self.judge.take(chunk);
        self.set_clock(&judged);
        let begun = judged.refused.is_some() && self.judge.header[0] & 0x0f == CLOSE;
        self.report.0.peer_closes.set(self.judge.closing || begun);
        if let Some(code) = judged.refused {
            self.report.refuse(code);
        }
        if held.is_empty() || judged.legal == 0 {
            return chunk.slice(..judged.legal);
        }
        let mut whole = BytesMut::with_capacity(held.len() + judged.legal);
        whole.extend_from_slice(held);
        whole.extend_from_slice(chunk.get(..judged.legal).unwrap_or_default());
        whole.freeze()
    }

    fn set_clock(&mut self, judged: &Judged) {
        let clock = &self.report.0.frame_started;
        if !self.judge.unfinished() {
            clock.set(None);
            self.timeout = None;
        } else if judged.finished_one || clock.get().is_none() {
            clock.set(Some(Instant::now()));
            self.timeout = None;
        }
    }

    /// Whether a frame has stood unfinished for too long; else this task is woken when it has.
    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(started) = self.report.frame_started() else { return false };
        let end = started + self.judge.limits.frame_timeout;
        let timeout = self.timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        timeout.as_mut().poll(cx).is_ready()
    }
}

impl<S> Stream for Guard<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.thrown >= THROWN_BYTES_MAX {
                // The rest stays with the peer; whoever waits for its answer does so for a while.
                return Poll::Pending;
            }
            match Pin::new(&mut this.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) if this.report.close_code().is_some() => {
                    if this.throw_away(&chunk) {
                        return Poll::Ready(None);
                    }
                }
                Poll::Ready(Some(Ok(chunk))) => {
                    let legal = this.admit(&chunk);
                    if !legal.is_empty() {
                        return Poll::Ready(Some(Ok(legal)));
                    }
                }
                Poll::Pending => {
                    if this.overdue(cx) {
                        Limit::FrameTimeout.bites();
                        this.report.refuse(CloseCode::FrameTimeout);
                        this.timeout = None;
                    }
                    return Poll::Pending;
                }
                end => return end,
            }
        }
    }
}

/// Whether bytes end with a masked close frame, wherever it began: after a refusal nobody knows
/// any more where frames begin.
fn ends_with_close(bytes: &[u8]) -> bool {
    let is_close = |start: usize| {
        let frame = bytes.get(start..).unwrap_or_default();
        let &[first, second, a, b, _, _, ref payload @ ..] = frame else { return false };
        let length = usize::from(second & !MASKED);
        let coded = match *payload {
            [] => true,
            [high, low, ..] => (1_000..5_000).contains(&u16::from_be_bytes([high ^ a, low ^ b])),
            _ => false,
        };
        first == FIN | CLOSE && second & MASKED != 0 && length == payload.len() && coded
    };
    (0..bytes.len()).any(is_close)
}

/// The verdict on one chunk.
#[derive(Debug, PartialEq)]
struct Judged {
    /// So many of its bytes may pass, together with the header bytes held back before.
    legal: usize,
    refused: Option<CloseCode>,
    /// A moment without an unfinished frame lay in it.
    finished_one: bool,
}

/// The state between two chunks. Knows nothing of streams and clocks.
#[derive(Debug)]
struct Judge {
    limits: GuardLimits,
    /// The bytes of a header that is not complete; not passed on yet.
    header: [u8; HEADER_BYTES_MAX],
    header_length: usize,
    /// Bytes of the current payload that are still to come.
    payload_left: u64,
    /// Fragments of the current message; 0 between messages.
    fragments: u32,
    message_bytes: u64,
    /// The current frame ends its message.
    last: bool,
    /// Payload bytes so far, until the first message is through.
    greeting_bytes: Option<u64>,
    /// A close frame came: nothing after it counts.
    closing: bool,
}

impl Judge {
    fn new(limits: GuardLimits) -> Self {
        Self {
            limits,
            header: [0; HEADER_BYTES_MAX],
            header_length: 0,
            payload_left: 0,
            fragments: 0,
            message_bytes: 0,
            last: true,
            greeting_bytes: Some(0),
            closing: false,
        }
    }

    /// Whether a frame or a message is begun and not finished.
    fn unfinished(&self) -> bool {
        self.header_length > 0 || self.payload_left > 0 || self.fragments > 0
    }

    fn take(&mut self, chunk: &[u8]) -> Judged {
        let mut judged = Judged { legal: 0, refused: None, finished_one: false };
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.payload_left > 0 {
                let rest = (chunk.len() - at) as u64;
                let now = self.payload_left.min(rest);
                self.payload_left -= now;
                // At most the rest of the chunk, so it fits.
                at += now as usize;
                judged.legal = at;
            } else if self.closing {
                break;
            } else {
                at += 1;
                match self.header_byte(byte) {
                    Ok(false) => continue,
                    Ok(true) => judged.legal = at,
                    Err(code) => {
                        judged.refused = Some(code);
                        break;
                    }
                }
            }
            if self.payload_left == 0 {
                self.end_frame();
                judged.finished_one |= !self.unfinished();
            }
        }
        judged
    }

    /// Takes one byte of a header; says whether that completed it.
    fn header_byte(&mut self, byte: u8) -> Result<bool, CloseCode> {
        self.header[self.header_length] = byte;
        self.header_length += 1;
        if self.header_length < 2 {
            return Ok(false);
        }
        if self.header_length == 2 {
            self.judge_first_two()?;
        }
        let length_bytes = match self.header[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.header_length == 2 + length_bytes {
            self.judge_length(length_bytes)?;
        }
        if self.header_length < 2 + length_bytes + 4 {
            return Ok(false);
        }
        self.begin_frame(length_bytes);
        Ok(true)
    }

    /// What the first two bytes alone forbid.
    fn judge_first_two(&self) -> Result<(), CloseCode> {
        let [first, second, ..] = self.header;
        let opcode = first & 0x0f;
        let length = u64::from(second & !MASKED);
        let legal = match opcode {
            CONTINUATION => self.fragments > 0,
            1 | 2 => self.fragments == 0,
            // A close has no payload, or a code of two bytes and a reason.
            CLOSE => first & FIN != 0 && length <= CONTROL_BYTES_MAX && length != 1,
            9 | 10 => first & FIN != 0 && length <= CONTROL_BYTES_MAX,
            _ => false,
        };
        if legal && first & RESERVED_BITS == 0 && second & MASKED != 0 {
            Ok(())
        } else {
            Err(CloseCode::Protocol)
        }
    }

    /// What the declared length forbids: judged before the mask and the payload come.
    fn judge_length(&self, length_bytes: usize) -> Result<(), CloseCode> {
        let declared = self.declared(length_bytes);
        let limits = &self.limits;
        let beyond = |sum: u64, most: usize| sum.saturating_add(declared) > most as u64;
        let limit = if !self.is_control() && beyond(self.message_bytes, limits.message_bytes_max) {
            Limit::MessageBytes
        } else if !self.is_control() && self.fragments >= limits.fragments_max {
            Limit::Fragments
        } else if self.greeting_bytes.is_some_and(|sum| beyond(sum, limits.greeting_bytes_max)) {
            Limit::BytesBeforeConnect
        } else {
            return Ok(());
        };
        limit.bites();
        Err(CloseCode::TooBig)
    }

    fn is_control(&self) -> bool {
        self.header[0] & 0x08 != 0
    }

    fn declared(&self, length_bytes: usize) -> u64 {
        if length_bytes == 0 {
            return u64::from(self.header[1] & !MASKED);
        }
        let digits = self.header.get(2..2 + length_bytes).unwrap_or_default();
        digits.iter().fold(0, |sum, digit| (sum << 8) | u64::from(*digit))
    }

    /// The header is complete and legal: its payload follows.
    fn begin_frame(&mut self, length_bytes: usize) {
        self.payload_left = self.declared(length_bytes);
        self.header_length = 0;
        if let Some(sum) = &mut self.greeting_bytes {
            *sum += self.payload_left;
        }
        if self.is_control() {
            self.closing = self.header[0] & 0x0f == CLOSE;
            return;
        }
        self.fragments += 1;
        self.message_bytes += self.payload_left;
        self.last = self.header[0] & FIN != 0;
    }

    /// The payload is through.
    fn end_frame(&mut self) {
        // A control frame may stand between the fragments of a message and changes nothing of it.
        if !self.is_control() && self.last {
            self.fragments = 0;
            self.message_bytes = 0;
            self.greeting_bytes = None;
        }
    }
}

#[cfg(test)]
mod tests;
