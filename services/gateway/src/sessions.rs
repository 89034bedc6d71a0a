//! The connections whose frames come by requests of their own, found by their secret.
//!
//! Each has a letterbox, bounded in frames and in bytes, that its worker empties in order. Putting
//! something in never waits. A session is open as long as the reader of its connection lives.
use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Error, ErrorReason, Result, Session};
use parking_lot::RwLock;
use rpc::Call;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limit::Limit;

/// Frames that may wait for one connection.
const FRAMES_MAX: usize = 64;
/// Bytes that may wait for one connection, in messages of the largest size.
const MESSAGES_MAX: usize = 4;
/// What a frame costs at least, in bytes.
const FRAME_BYTES_MIN: usize = 256;

/// See the file's head.
pub struct Sessions {
    open: RwLock<HashMap<Session, Slot>>,
    message_bytes_max: usize,
}

/// Where frames for one connection are put in.
#[derive(Clone)]
struct Slot {
    frames: mpsc::Sender<Letter>,
    bytes: Arc<Semaphore>,
}

/// A frame, and the place that it takes until it is read.
struct Letter {
    frame: Bytes,
    _place: OwnedSemaphorePermit,
}

/// Where a connection takes its frames out. Its session ends with it.
pub struct Letterbox {
    sessions: Arc<Sessions>,
    session: Session,
    letters: mpsc::Receiver<Letter>,
}

impl Sessions {
    /// None yet; frames have `message_bytes_max` bytes at most.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { open: RwLock::default(), message_bytes_max }
    }

    /// Opens a session.
    pub fn open(self: &Arc<Self>, session: Session) -> Letterbox {
        let (frames, letters) = mpsc::channel(FRAMES_MAX);
        let bytes = (self.message_bytes_max * MESSAGES_MAX).min(Semaphore::MAX_PERMITS);
        let slot = Slot { frames, bytes: Arc::new(Semaphore::new(bytes)) };
        self.open.write().insert(session, slot);
        Letterbox { sessions: self.clone(), session, letters }
    }

    /// Puts a frame behind those that came before.
    ///
    /// `NotFound` for a session that is not open here, `LimitExceeded` for a frame that is too
    /// large, `RateLimited` while too much waits.
    pub fn deliver(&self, session: &Session, frame: Bytes) -> Result<()> {
        if frame.len() > self.message_bytes_max {
            Limit::MessageBytes.bites();
            let text = format!("a frame has at most {} bytes", self.message_bytes_max);
            return Err(Error::new(ErrorReason::LimitExceeded, text));
        }
        let Some(slot) = self.open.read().get(session).cloned() else { return Err(unknown()) };
        let full = || {
            Limit::CommandsInFlight.bites();
            Error::new(ErrorReason::RateLimited, "too much waits for this connection")
        };
        let bytes = u32::try_from(frame.len().max(FRAME_BYTES_MIN)).unwrap_or(u32::MAX);
        let place = slot.bytes.try_acquire_many_owned(bytes).map_err(|_| full())?;
        slot.frames.try_send(Letter { frame, _place: place }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => full(),
            mpsc::error::TrySendError::Closed(_) => unknown(),
        })
    }
}

/// What is said of a session that nobody has.
pub fn unknown() -> Error {
    Error::new(ErrorReason::NotFound, "no such session here")
}

#[async_trait]
impl rpc::gateway::Gateway for Sessions {
    async fn emulate(&self, _: Call, session: Session, frame: Bytes) -> Result<()> {
        self.deliver(&session, frame)
    }
}

impl Letterbox {
    /// The next frame. Nothing is lost by whoever stops waiting.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.letters.recv().await.map(|letter| letter.frame)
    }
}

impl Drop for Letterbox {
    fn drop(&mut self) {
        self.sessions.open.write().remove(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(n: u8) -> Session {
        Session::from_bytes([n; 16])
    }

    fn reason(answer: Result<()>) -> Option<ErrorReason> {
        answer.err().map(|error| error.reason)
    }

    #[tokio::test]
    async fn frames_come_out_in_order_and_only_of_an_open_session() {
        let sessions = Arc::new(Sessions::new(1_024));
        let (mut one, mut two) = (sessions.open(session(1)), sessions.open(session(2)));
        for n in 0..50_u8 {
            sessions.deliver(&session(1), Bytes::from(vec![n])).unwrap();
            sessions.deliver(&session(2), Bytes::from(vec![n + 100])).unwrap();
            assert_eq!(one.next().await.unwrap()[..], [n]);
            assert_eq!(two.next().await.unwrap()[..], [n + 100]);
        }
        drop(one);
        let late = sessions.deliver(&session(1), Bytes::new());
        assert_eq!(reason(late), Some(ErrorReason::NotFound));
        assert_eq!(sessions.open.read().len(), 1);
        let large = sessions.deliver(&session(2), vec![0; 1_025].into());
        assert_eq!(reason(large), Some(ErrorReason::LimitExceeded));
    }

    #[tokio::test]
    async fn what_is_not_read_is_bounded_in_frames_and_in_bytes() {
        let sessions = Arc::new(Sessions::new(64 * 1_024));
        let (mut one, _two) = (sessions.open(session(1)), sessions.open(session(2)));
        let put = |n: u8, bytes: usize| sessions.deliver(&session(n), vec![0; bytes].into());
        let taken = (0..1_000).take_while(|_| put(1, 1).is_ok()).count();
        assert_eq!(taken, FRAMES_MAX);
        assert_eq!(reason(put(1, 1)), Some(ErrorReason::RateLimited));
        one.next().await;
        assert_eq!(put(1, 1), Ok(()));
        let taken = (0..1_000).take_while(|_| put(2, 64 * 1_024).is_ok()).count();
        assert_eq!(taken, MESSAGES_MAX);
        assert_eq!(reason(put(2, 1)), Some(ErrorReason::RateLimited));
    }
}
