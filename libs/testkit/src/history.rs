//! What the clients of a run saw, written down outside of the system under test.
//!
//! Each member writes its own records; the checker joins them at the end. Times are microseconds
//! of one monotonic clock.
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

/// What one delivery, acknowledged publish or row of the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The epoch.
    pub epoch: Arc<str>,
    /// The offset.
    pub offset: u64,
    /// The message id within the payload; empty for events.
    pub key: Arc<str>,
    /// A fingerprint of the payload.
    pub print: u64,
}

/// How a publish ended, as far as its client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged at this place.
    Ok {
        /// The epoch.
        epoch: Arc<str>,
        /// The offset.
        offset: u64,
        /// When the answer came.
        at_us: u64,
    },
    /// Refused for good.
    Fail,
    /// Unknown: it may stand in the log or not.
    Info,
}

/// One publish, with all its tries.
#[derive(Debug, Clone)]
pub struct Published {
    /// The room.
    pub room: Arc<str>,
    /// Who.
    pub sender: Arc<str>,
    /// The message id.
    pub key: Arc<str>,
    /// A fingerprint of the payload.
    pub print: u64,
    /// When it was first sent.
    pub invoked_us: u64,
    /// How many times it was sent.
    pub tries: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// What one member saw of one room, in order.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A subscribe was answered.
    Subscribed {
        /// The epoch.
        epoch: Arc<str>,
        /// The head, or the member's own offset after a recovery.
        offset: u64,
        /// Whether recovery was asked.
        was_recovering: bool,
        /// Whether it was granted.
        recovered: bool,
        /// When the subscribe was sent.
        asked_us: u64,
    },
    /// An item came.
    Delivered {
        /// What.
        entry: Entry,
        /// When.
        at_us: u64,
    },
}

/// Everything that one run saw.
#[derive(Default)]
pub struct Records {
    /// Publishes, all of them.
    pub published: Vec<Published>,
    /// By member and room.
    pub seen: Vec<MemberLog>,
    /// Close codes that members met.
    pub closes: Vec<(u64, u16)>,
}

/// What one member saw of one room.
#[derive(Debug, Clone)]
pub struct MemberLog {
    /// Which member.
    pub member: Arc<str>,
    /// Which room.
    pub room: Arc<str>,
    /// In order.
    pub seen: Vec<Seen>,
}

/// Where members write.
#[derive(Clone)]
pub struct Recorder {
    begun: Instant,
    records: Arc<Mutex<Records>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { begun: Instant::now(), records: Arc::default() }
    }
}

impl Recorder {
    /// Microseconds since the recorder was made.
    pub fn now_us(&self) -> u64 {
        self.begun.elapsed().as_micros() as u64
    }

    /// Writes a finished publish down.
    pub fn published(&self, publish: Published) {
        self.records.lock().published.push(publish);
    }

    /// Writes down what a member saw of a room.
    pub fn seen(&self, log: MemberLog) {
        self.records.lock().seen.push(log);
    }

    /// Writes a close down.
    pub fn closed(&self, code: u16) {
        let at = self.now_us();
        self.records.lock().closes.push((at, code));
    }

    /// Takes everything, leaving nothing.
    pub fn take(&self) -> Records {
        std::mem::take(&mut self.records.lock())
    }
}

/// A fingerprint of a payload: equal for equal bytes, in one process.
pub fn print_of(bytes: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
