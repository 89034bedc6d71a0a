//! A gateway as the other gateways know it.
mod remote;
mod server;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Result, Session};

use crate::Call;

pub use remote::RemoteGateway;
pub use server::server;

/// What one gateway asks of another.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Brings a frame to a connection whose frames come by requests of their own, behind those that
    /// came before it. Answered once the frame waits for its connection; what it leads to is the
    /// connection's own affair. Not idempotent: a frame that was brought twice is read twice.
    ///
    /// `NotFound` for a session that is not open there, `LimitExceeded` for a frame that is too
    /// large, `RateLimited` while too much waits for the connection.
    async fn emulate(&self, call: Call, session: Session, frame: Bytes) -> Result<()>;
}
