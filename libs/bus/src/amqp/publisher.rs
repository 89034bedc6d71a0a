//! The publishing side: takes from the buffer, hands to the broker, never lets anybody wait.
//!
//! It owns the one publishing channel. Few publishes are on their way without a confirm; the rest
//! wait in the buffer, which drops its oldest. An idle publisher sends a probe that no queue takes, so that
//! a frozen or blocking broker is known without traffic.
use std::sync::Arc;
use std::time::Duration;

use amqprs::channel::{
    BasicPublishArguments, Channel, ConfirmSelectArguments, ExchangeDeclareArguments,
};
use amqprs::{BasicProperties, DELIVERY_MODE_TRANSIENT};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::confirms::Confirms;
use super::link::{Dialer, Link, Loss};
use super::{Names, Shared};
use crate::{Outbound, encode, encode_direct, encode_room, encode_system, metrics};

/// Longest wait of a close for what was handed over.
const FLUSH: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// Messages sent before the signs of life are looked at again.
const TURN: usize = 64;
/// A connection that confirmed nothing for so long may be dead in a way that nobody tells.
const GIVE_UP: Duration = Duration::from_secs(60);
/// No queue is ever bound by this key.
const PROBE_KEY: &str = "probe";

/// Supervises the side until the bus closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut dialer = Dialer::new(shared.clone(), "publish");
    loop {
        let link = tokio::select! {
            biased;
            () = closed(&shared) => break,
            link = dialer.dial() => link,
        };
        let ended = Box::pin(session(&link, &shared)).await;
        shared.health.publish(false);
        let lived = link.lived();
        link.close().await;
        match ended {
            Ok(()) => break,
            Err(reason) => {
                tracing::warn!(side = "publish", %reason, "the broker was lost");
                metrics::reconnects("publish");
            }
        }
        tokio::select! {
            () = closed(&shared) => break,
            () = dialer.rest(lived) => {}
        }
    }
}

/// A close, and a moment more if something is still to be sent.
async fn closed(shared: &Shared) {
    shared.closing.cancelled().await;
    if !shared.buffer.is_empty() {
        sleep(FLUSH).await;
    }
}

/// Publishes on one connection until it is lost (an error) or the bus closes.
async fn session(link: &Link, shared: &Shared) -> Result<(), Loss> {
    let config = &shared.config;
    let confirms = Arc::new(Confirms::new(config.unconfirmed_max, config.buffer_bytes_max));
    let channel = link.channel(Some(confirms.clone())).await?;
    link.call(channel.confirm_select(ConfirmSelectArguments::new(false))).await?;
    declare(link, &channel, &shared.names).await?;
    let mut sender = Sender { channel, confirms, shared, asked: Instant::now() };
    // Up means confirmed: declaring alone succeeds on a broker that blocks publishers.
    sender.probe().await?;
    let ended = sender.serve(link).await;
    metrics::unconfirmed(sender.confirms.count() as u64);
    ended
}

struct Sender<'a> {
    channel: Channel,
    confirms: Arc<Confirms>,
    shared: &'a Shared,
    /// When the broker was last given something to confirm.
    asked: Instant,
}

impl Sender<'_> {
    async fn serve(&mut self, link: &Link) -> Result<(), Loss> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closing = self.shared.closing.clone();
        let mut deadline: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                loss = link.lost.wait() => return Err(loss),
                () = closing.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + FLUSH);
                }
                _ = tick.tick() => {
                    let done = self.shared.buffer.is_empty() && self.confirms.count() == 0;
                    if deadline.is_some_and(|deadline| done || Instant::now() > deadline) {
                        return Ok(());
                    }
                    self.look().await?;
                }
                () = ready(&self.confirms, self.shared) => self.send().await?,
            }
        }
    }

    /// Judges the broker by its confirms, and gives it something to confirm if it has nothing.
    async fn look(&mut self) -> Result<(), Loss> {
        let config = &self.shared.config;
        self.shared.health.publish(self.confirms.flow(Duration::from_millis(config.stall_ms)));
        if self.confirms.age() > GIVE_UP {
            return Err(Loss::Silent(GIVE_UP));
        }
        let idle = self.asked.elapsed() > Duration::from_millis(config.probe_ms);
        if idle && self.confirms.count() == 0 {
            self.probe().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Loss> {
        for _ in 0..TURN {
            if !self.confirms.has_room() {
                break;
            }
            let Some(out) = self.shared.buffer.pop(encode::join) else { break };
            let label = metrics::exchange(&out);
            let names = &self.shared.names;
            let (exchange, key, body) = match out {
                Outbound::Room(event) => {
                    let key = format!("room.{}.{}", event.room, event.room.shard().0);
                    (&names.events, key, encode_room(event))
                }
                Outbound::System(event) => (&names.system, String::new(), encode_system(event)),
                Outbound::Direct(to, event) => {
                    (&names.direct, format!("gateway.{to}"), encode_direct(event))
                }
            };
            self.hand_over(exchange, &key, body).await?;
            metrics::published(label);
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<(), Loss> {
        self.hand_over(&self.shared.names.direct, PROBE_KEY, Vec::new()).await
    }

    /// Waits for no answer and hardly ever at all: the library queues more than may be unconfirmed.
    async fn hand_over(&mut self, exchange: &str, key: &str, body: Vec<u8>) -> Result<(), Loss> {
        let mut properties = BasicProperties::default();
        properties.with_delivery_mode(DELIVERY_MODE_TRANSIENT);
        let args = BasicPublishArguments::new(exchange, key);
        self.confirms.sent(body.len());
        self.asked = Instant::now();
        self.channel.basic_publish(properties, body, args).await?;
        Ok(())
    }
}

/// Something waits, and may be sent.
async fn ready(confirms: &Confirms, shared: &Shared) {
    confirms.room().await;
    shared.buffer.filled().await;
}

/// Makes the three exchanges, or finds them as they must be.
pub(super) async fn declare(link: &Link, channel: &Channel, names: &Names) -> Result<(), Loss> {
    let exchanges =
        [(&names.events, "topic"), (&names.system, "fanout"), (&names.direct, "direct")];
    for (name, kind) in exchanges {
        let args = ExchangeDeclareArguments::new(name, kind).durable(true).finish();
        link.call(channel.exchange_declare(args)).await?;
    }
    Ok(())
}
