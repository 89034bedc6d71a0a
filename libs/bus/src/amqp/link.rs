//! One connection to a broker: opening it, knowing that it was lost, throwing it away.
//!
//! The client library tells of a loss in many ways and sometimes not at all; all of them, and a look
//! each second, end in one token. After it nothing on the connection is used again.
use std::sync::Arc;
use std::time::Duration;

use amqprs::callbacks::{ChannelCallback, ConnectionCallback};
use amqprs::channel::Channel;
use amqprs::connection::Connection;
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, Close, CloseChannel, Nack, Return};
use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::confirms::Confirms;
use crate::config::Target;

const LOOK: Duration = Duration::from_secs(1);
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a connection is thrown away.
#[derive(Debug, thiserror::Error)]
pub(super) enum Loss {
    #[error("{0}")]
    Client(#[from] Error),
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("{0}")]
    Told(String),
    /// The gateway dropped its end, or the bus closes.
    #[error("nobody wants the connection any more")]
    Unwanted,
}

/// The one sign of a loss, and the first reason for it.
#[derive(Clone, Default)]
pub(super) struct Lost {
    token: CancellationToken,
    reason: Arc<Mutex<Option<String>>>,
}

/// An open connection.
pub(super) struct Link {
    connection: Connection,
    pub(super) lost: Lost,
    answer_timeout: Duration,
    since: Instant,
}

/// Opens connections to the configured addresses in turn, for ever.
pub(super) struct Dialer {
    shared: Arc<Shared>,
    side: &'static str,
    next: usize,
    waits: ExponentialBackoff,
}

/// Waits for a call on a channel. Without an answer in time the caller must drop the whole link: the
/// library does not survive a cancelled call.
pub(super) async fn answered<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Loss> {
    Ok(timeout(limit, call).await.map_err(|_| Loss::Silent(limit))??)
}

impl Lost {
    pub(super) fn tell(&self, reason: impl Into<String>) {
        self.reason.lock().get_or_insert_with(|| reason.into());
        self.token.cancel();
    }

    /// Waits for the loss. Safe to cancel.
    pub(super) async fn wait(&self) -> Loss {
        self.token.cancelled().await;
        Loss::Told(self.reason.lock().clone().unwrap_or_default())
    }
}

impl Dialer {
    pub(super) fn new(shared: Arc<Shared>, side: &'static str) -> Self {
        let waits = waits(&shared);
        Self { shared, side, next: 0, waits }
    }

    /// Gives the next connection that opens. Safe to cancel.
    pub(super) async fn dial(&mut self) -> Link {
        loop {
            let targets = &self.shared.brokers.targets;
            for _ in 0..targets.len() {
                let target = &targets[self.next % targets.len()];
                self.next += 1;
                match Box::pin(Link::open(target, self.side, &self.shared)).await {
                    Ok(link) => return link,
                    Err(error) => {
                        let (side, broker) = (self.side, target.place());
                        tracing::warn!(side, broker, %error, "the broker cannot be reached");
                    }
                }
            }
            self.wait().await;
        }
    }

    /// After a loss: at once if the connection had lived for long, else after a wait that grows.
    pub(super) async fn rest(&mut self, lived: Duration) {
        if lived > Duration::from_millis(self.shared.config.retry_max_ms) {
            self.waits = waits(&self.shared);
        } else {
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let longest = Duration::from_millis(self.shared.config.retry_max_ms);
        sleep(self.waits.next().unwrap_or(longest)).await;
    }
}

fn waits(shared: &Shared) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(shared.config.retry_min_ms))
        .with_max_delay(Duration::from_millis(shared.config.retry_max_ms))
        .with_jitter()
        .without_max_times()
        .build()
}

impl Link {
    async fn open(target: &Target, side: &str, shared: &Shared) -> Result<Self, Loss> {
        let limit = shared.config.connect_timeout();
        let mut args = shared.brokers.arguments(target, &format!("roomcast-{side}"));
        args.heartbeat(shared.config.heartbeat_s);
        let connection = answered(limit, Connection::open(&args)).await?;
        let lost = Lost::default();
        answered(limit, connection.register_callback(ConnectionWatch(lost.clone()))).await?;
        // The library's own listener misses a loss that came before it: it is begun at once, and is
        // not the only one.
        tokio::spawn(watch(connection.clone(), lost.clone()));
        let answer_timeout = shared.config.answer_timeout();
        Ok(Self { connection, lost, answer_timeout, since: Instant::now() })
    }

    /// Opens a channel whose end is the end of the link.
    pub(super) async fn channel(&self, confirms: Option<Arc<Confirms>>) -> Result<Channel, Loss> {
        let channel = self.call(self.connection.open_channel(None)).await?;
        let watch = ChannelWatch { lost: self.lost.clone(), confirms };
        self.call(channel.register_callback(watch)).await?;
        Ok(channel)
    }

    /// Waits for a call on one of its channels; an error means the end of the link.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Loss> {
        answered(self.answer_timeout, call).await
    }

    /// How long it has been open.
    pub(super) fn lived(&self) -> Duration {
        self.since.elapsed()
    }

    /// Says goodbye, if anybody still listens.
    pub(super) async fn close(self) {
        let _ = timeout(GOODBYE, self.connection.close()).await;
        self.lost.tell("closed by us");
    }
}

async fn watch(connection: Connection, lost: Lost) {
    let looking = async {
        while connection.is_open() {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        _ = lost.wait() => {}
        _ = connection.listen_network_io_failure() => lost.tell("the network failed"),
        () = looking => lost.tell("the connection was closed"),
    }
}

struct ConnectionWatch(Lost);

#[async_trait]
impl ConnectionCallback for ConnectionWatch {
    async fn close(&mut self, _: &Connection, close: Close) -> Result<(), Error> {
        self.0.tell(format!("the broker closed the connection: {close}"));
        Ok(())
    }

    // The library does not announce that it understands these two, so brokers do not send them: a
    // blocked connection shows as publishes without confirms.
    async fn blocked(&mut self, _: &Connection, _: String) {}

    async fn unblocked(&mut self, _: &Connection) {}

    async fn secret_updated(&mut self, _: &Connection) {}
}

struct ChannelWatch {
    lost: Lost,
    confirms: Option<Arc<Confirms>>,
}

#[async_trait]
impl ChannelCallback for ChannelWatch {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), Error> {
        self.lost.tell(format!("the broker closed a channel: {close}"));
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        self.lost.tell("the queue was deleted");
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        if let Some(confirms) = &self.confirms {
            confirms.settle(ack.delivery_tag(), ack.mutiple(), true);
        }
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        if let Some(confirms) = &self.confirms {
            confirms.settle(nack.delivery_tag(), nack.multiple(), false);
        }
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {}
}
