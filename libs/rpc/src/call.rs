//! What every call carries: until when its caller waits.
//!
//! The trace context is not here: it is the current `tracing` span, which the remote door
//! puts into the metadata and the server side takes out again.
use std::time::Duration;

use tokio::time::Instant;

/// The moment after which nobody waits for the answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Instant);

/// The frame of one call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Until when the caller waits. Travels as `grpc-timeout`.
    pub deadline: Deadline,
}

impl Deadline {
    /// `wait` from now.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// What is left of it; zero once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }
}

impl Call {
    /// A call whose caller waits for `wait`.
    pub fn within(wait: Duration) -> Self {
        Self { deadline: Deadline::after(wait) }
    }
}
