//! Makes a gateway's wishes true at the broker: owns the channel for declarations and bindings.
//!
//! Binds go out without waiting, with one waited for in each batch as a barrier; unbinds have no such
//! form in AMQP and are barriers themselves. Both are paced: a broker's other work waits for them.
use std::time::Duration;

use amqprs::channel::{Channel, QueueBindArguments, QueueDeclareArguments, QueueUnbindArguments};
use amqprs::{FieldTable, FieldValue};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Names;
use super::link::{Link, Loss};
use crate::wishes::{Step, Wishes};
use crate::{BindingKey, BusConfig, BusEvent, metrics};

const BATCH_MAX: usize = 256;
/// Batches a second that the pace is cut into, so that a slow pace is an even one.
const BATCHES_PER_SECOND: u32 = 8;

pub(super) struct Binder<'a> {
    link: &'a Link,
    channel: Channel,
    queue: &'a str,
    names: &'a Names,
    wishes: &'a Wishes,
    rate: u32,
    next: Instant,
}

impl<'a> Binder<'a> {
    /// Declares the gateway's queue, with the two bindings that always stand.
    pub(super) async fn declare(
        link: &'a Link,
        channel: Channel,
        (queue, direct_key): (&'a str, &str),
        names: &'a Names,
        wishes: &'a Wishes,
        config: &BusConfig,
    ) -> Result<Self, Loss> {
        let args = QueueDeclareArguments::new(queue)
            .exclusive(true)
            .auto_delete(true)
            .arguments(queue_arguments(config.queue_bytes_max)?)
            .finish();
        link.call(channel.queue_declare(args)).await?;
        for (exchange, key) in [(&names.system, ""), (&names.direct, direct_key)] {
            link.call(channel.queue_bind(QueueBindArguments::new(queue, exchange, key))).await?;
        }
        let (rate, next) = (config.binds_per_second, Instant::now());
        Ok(Self { link, channel, queue, names, wishes, rate, next })
    }

    /// Binds on a new queue all that was bound on the last, unless the bus closes. Gives the answers
    /// that became due.
    pub(super) async fn rebuild(
        &mut self,
        closing: &CancellationToken,
    ) -> Result<Vec<BusEvent>, Loss> {
        let mut left = self.wishes.lost();
        let mut events = Vec::new();
        while left > 0 {
            if closing.is_cancelled() {
                return Err(Loss::Unwanted);
            }
            let steps = self.take(left).await?;
            // Steps are fewer than keys if some keys asked for nothing.
            left = if steps.is_empty() { 0 } else { left.saturating_sub(steps.len()) };
            events.extend(self.apply(steps).await?);
        }
        Ok(events)
    }

    /// Does the next batch of what is wanted. Empty if nothing was.
    pub(super) async fn step(&mut self) -> Result<Option<Vec<BusEvent>>, Loss> {
        let steps = self.take(BATCH_MAX).await?;
        if steps.is_empty() { Ok(None) } else { self.apply(steps).await.map(Some) }
    }

    /// Asks whether the queue is still there; a broker that took it away closes the channel.
    pub(super) async fn ask(&self) -> Result<(), Loss> {
        let args = QueueDeclareArguments::new(self.queue).passive(true).finish();
        self.link.call(self.channel.queue_declare(args)).await.map(|_| ())
    }

    /// Waits for the pace, then takes steps.
    async fn take(&mut self, max: usize) -> Result<Vec<Step>, Loss> {
        tokio::select! {
            biased;
            loss = self.link.lost.wait() => return Err(loss),
            () = sleep_until(self.next) => {}
        }
        let even = (self.rate / BATCHES_PER_SECOND).max(1) as usize;
        let steps = self.wishes.take(max.min(even).min(BATCH_MAX));
        let pause =
            Duration::from_secs(1) * u32::try_from(steps.len()).unwrap_or(u32::MAX) / self.rate;
        self.next = Instant::now() + pause;
        Ok(steps)
    }

    async fn apply(&self, steps: Vec<Step>) -> Result<Vec<BusEvent>, Loss> {
        let barrier = steps.iter().rposition(|step| !matches!(step, Step::Tell(_)));
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Bind(key) => self.bind(key, barrier == Some(index)).await?,
                Step::Unbind(key) => self.unbind(key).await?,
                Step::Tell(_) => {}
            }
        }
        metrics::bind_steps(steps.len());
        let events = steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Bind(key) => self.wishes.did(&key, true),
                Step::Unbind(key) => self.wishes.did(&key, false),
                Step::Tell(event) => Some(event),
            })
            .collect();
        metrics::bindings(self.wishes.standing());
        Ok(events)
    }

    async fn bind(&self, key: &BindingKey, wait: bool) -> Result<(), Loss> {
        let key = key.routing_key();
        let args =
            QueueBindArguments::new(self.queue, &self.names.events, &key).no_wait(!wait).finish();
        self.link.call(self.channel.queue_bind(args)).await
    }

    async fn unbind(&self, key: &BindingKey) -> Result<(), Loss> {
        let key = key.routing_key();
        let args = QueueUnbindArguments::new(self.queue, &self.names.events, &key);
        self.link.call(self.channel.queue_unbind(args)).await
    }
}

/// Bounded, and the oldest goes first.
fn queue_arguments(bytes_max: u64) -> Result<FieldTable, Loss> {
    let unfit = |_| Loss::Told("a queue argument does not fit".into());
    let bytes = i64::try_from(bytes_max).map_err(unfit)?;
    let mut table = FieldTable::new();
    table.insert("x-max-length-bytes".try_into().map_err(unfit)?, FieldValue::l(bytes));
    let drop_head = "drop-head".try_into().map_err(unfit)?;
    table.insert("x-overflow".try_into().map_err(unfit)?, FieldValue::S(drop_head));
    Ok(table)
}
