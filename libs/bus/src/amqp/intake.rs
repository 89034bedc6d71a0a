//! What comes in: owns the consuming channel, decodes, hands over in order, acknowledges in batches.
//!
//! A delivery is acknowledged after it was handed to the gateway. A gateway that does not read stops
//! the acknowledgements, the prefetch bound stops the broker, and the queue drops its oldest.
use std::time::Duration;

use amqprs::channel::{BasicAckArguments, BasicConsumeArguments, BasicQosArguments, Channel};
use amqprs::consumer::AsyncConsumer;
use amqprs::{BasicProperties, Deliver};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::Names;
use super::link::{Link, Loss};
use crate::decode::{decode_direct, decode_room, decode_system};
use crate::{BusConfig, BusEvent, metrics};

/// How often a quiet channel is asked for a sign of life.
pub(super) const ASK: Duration = Duration::from_secs(10);

pub(super) struct Intake<'a> {
    link: &'a Link,
    channel: Channel,
    names: &'a Names,
    events: &'a mpsc::Sender<BusEvent>,
    deliveries: mpsc::Receiver<Delivery>,
    prefetch: u16,
}

struct Delivery {
    tag: u64,
    exchange: String,
    body: Vec<u8>,
}

/// The library's end. It is dropped when the consumption ends, which closes the channel to [`Intake`].
struct Inlet(mpsc::Sender<Delivery>);

impl<'a> Intake<'a> {
    /// Begins to consume the queue.
    pub(super) async fn begin(
        link: &'a Link,
        channel: Channel,
        queue: &str,
        names: &'a Names,
        events: &'a mpsc::Sender<BusEvent>,
        config: &BusConfig,
    ) -> Result<Self, Loss> {
        let prefetch = config.prefetch;
        let (inlet, deliveries) = mpsc::channel(prefetch.into());
        let intake = Self { link, channel, names, events, deliveries, prefetch };
        // Before the consumption: the library buffers without a bound, and this is the bound.
        intake.set_prefetch().await?;
        let args = BasicConsumeArguments::new(queue, "gateway").manual_ack(true).finish();
        link.call(intake.channel.basic_consume(Inlet(inlet), args)).await?;
        Ok(intake)
    }

    /// Runs until the link is lost. Stands still when the gateway is gone: others end the link then.
    pub(super) async fn run(mut self) -> Result<(), Loss> {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Half the prefetch, so that the broker sends on while a batch is handed over.
        let batch = usize::from(self.prefetch / 2).max(1);
        let mut held = Vec::with_capacity(batch);
        loop {
            tokio::select! {
                biased;
                loss = self.link.lost.wait() => return Err(loss),
                count = self.deliveries.recv_many(&mut held, batch) => {
                    if count == 0 {
                        return Err(Loss::Told("the consumption ended".into()));
                    }
                    match self.hand_over(&mut held).await {
                        Err(Loss::Unwanted) => std::future::pending().await,
                        handed => handed?,
                    }
                }
                _ = ask.tick() => self.set_prefetch().await?,
            }
        }
    }

    /// The same figure again changes nothing at the broker, and its answer is a sign of life.
    async fn set_prefetch(&self) -> Result<(), Loss> {
        let args = BasicQosArguments::new(0, self.prefetch, false);
        self.link.call(self.channel.basic_qos(args)).await
    }

    async fn hand_over(&self, held: &mut Vec<Delivery>) -> Result<(), Loss> {
        let Some(last) = held.last().map(|delivery| delivery.tag) else { return Ok(()) };
        for delivery in held.drain(..) {
            if let Some((label, event)) = self.read(delivery) {
                tell(self.link, self.events, event).await?;
                metrics::delivered(label);
            }
        }
        self.channel.basic_ack(BasicAckArguments::new(last, true)).await?;
        Ok(())
    }

    fn read(&self, delivery: Delivery) -> Option<(&'static str, BusEvent)> {
        let body = Bytes::from(delivery.body);
        let (label, read) = if delivery.exchange == self.names.events {
            ("events", decode_room(body).map(|event| event.map(BusEvent::Room)))
        } else if delivery.exchange == self.names.system {
            ("system", decode_system(body).map(|event| event.map(BusEvent::System)))
        } else {
            ("direct", decode_direct(body).map(|event| event.map(BusEvent::Direct)))
        };
        match read {
            Ok(event) => event.map(|event| (label, event)),
            Err(error) => {
                metrics::undecodable();
                tracing::warn!(exchange = label, %error, "a message on the bus was refused");
                None
            }
        }
    }
}

/// Hands an event to the gateway, unless the link or the gateway goes first.
pub(super) async fn tell(
    link: &Link,
    events: &mpsc::Sender<BusEvent>,
    event: BusEvent,
) -> Result<(), Loss> {
    tokio::select! {
        biased;
        loss = link.lost.wait() => Err(loss),
        sent = events.send(event) => sent.map_err(|_| Loss::Unwanted),
    }
}

#[async_trait]
impl AsyncConsumer for Inlet {
    async fn consume(&mut self, _: &Channel, deliver: Deliver, _: BasicProperties, body: Vec<u8>) {
        let (tag, exchange) = (deliver.delivery_tag(), deliver.exchange().clone());
        // Fails only if the intake ended before: then the link ends, too.
        let _ = self.0.send(Delivery { tag, exchange, body }).await;
    }
}
