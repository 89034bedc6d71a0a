//! The consuming side: a queue of the gateway's own, made anew on every connection.
//!
//! The queue's name is new at each attempt, since a broker may still hold the last one for a connection
//! that it has not given up yet. `Up` is told when all wanted bindings stand, and before the first delivery.
use std::sync::Arc;
use std::time::Duration;

use domain::{GatewayId, Incarnation};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Shared;
use super::binder::Binder;
use super::intake::{ASK, Intake, tell};
use super::link::{Dialer, Link, Loss};
use super::publisher::declare;
use crate::wishes::Wishes;
use crate::{BusEvent, metrics};

/// Longest a close may unbind. What stands after it goes with the queue.
const UNBIND: Duration = Duration::from_secs(5);

/// What one gateway consumes.
pub(super) struct Consumption {
    pub(super) shared: Arc<Shared>,
    pub(super) gateway: GatewayId,
    pub(super) incarnation: Incarnation,
    pub(super) wishes: Arc<Wishes>,
    pub(super) events: mpsc::Sender<BusEvent>,
}

impl Consumption {
    /// Supervises the side until the bus closes or the gateway drops its end.
    pub(super) async fn run(self) {
        let mut dialer = Dialer::new(self.shared.clone(), "consume");
        for attempt in 1_u64.. {
            let Some(link) = self.while_down(dialer.dial()).await else { break };
            let mut up = false;
            let ended = Box::pin(self.session(&link, attempt, &mut up)).await;
            self.shared.health.consume(false);
            let lived = link.lived();
            link.close().await;
            self.wishes.lost();
            metrics::bindings(0);
            match ended {
                Ok(()) | Err(Loss::Unwanted) => break,
                Err(reason) => {
                    tracing::warn!(side = "consume", %reason, "the broker was lost");
                    metrics::reconnects("consume");
                }
            }
            // A gateway that does not read now learns it when it does.
            let told = async { !up || self.events.send(BusEvent::Down).await.is_ok() };
            if self.shared.closing.run_until_cancelled(told).await != Some(true)
                || self.while_down(dialer.rest(lived)).await.is_none()
            {
                break;
            }
        }
    }

    /// Waits for something while there is no connection: answers unbinds, which need none. `None` if
    /// the bus closes or the gateway is gone.
    async fn while_down<T>(&self, something: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(something);
        loop {
            for event in self.wishes.settle() {
                let sent = self.shared.closing.run_until_cancelled(self.events.send(event)).await;
                sent?.ok()?;
            }
            tokio::select! {
                biased;
                () = self.shared.closing.cancelled() => return None,
                () = self.events.closed() => return None,
                done = &mut something => return Some(done),
                () = self.wishes.changed() => {}
            }
        }
    }

    async fn session(&self, link: &Link, attempt: u64, up: &mut bool) -> Result<(), Loss> {
        let Shared { config, names, .. } = &*self.shared;
        let prefix = &config.prefix;
        let queue = format!("{prefix}gateway.{}.{}.{attempt}", self.gateway, self.incarnation);
        let direct_key = format!("gateway.{}", self.gateway);

        let channel = link.channel(None).await?;
        declare(link, &channel, names).await?;
        let own = (queue.as_str(), direct_key.as_str());
        let mut binder = Binder::declare(link, channel, own, names, &self.wishes, config).await?;
        let answers = binder.rebuild(&self.shared.closing).await?;
        tell(link, &self.events, BusEvent::Up).await?;
        *up = true;
        for event in answers {
            tell(link, &self.events, event).await?;
        }
        let channel = link.channel(None).await?;
        let intake = Intake::begin(link, channel, &queue, names, &self.events, config).await?;
        self.shared.health.consume(true);
        tracing::info!(queue, bindings = self.wishes.standing(), "the queue is consumed");

        // Dropping one in the midst of a call is right here: the link goes with it.
        tokio::select! {
            ended = self.serve(link, &mut binder) => ended,
            ended = Box::pin(intake.run()) => ended,
        }
    }

    /// Follows the wishes until the bus closes, and then ends all bindings: a queue that goes with
    /// many of them stalls everybody's publishes.
    async fn serve(&self, link: &Link, binder: &mut Binder<'_>) -> Result<(), Loss> {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                loss = link.lost.wait() => return Err(loss),
                () = self.shared.closing.cancelled() => break,
                () = self.events.closed() => break,
                _ = ask.tick() => binder.ask().await?,
                () = self.wishes.changed() => self.follow(link, binder).await?,
            }
        }
        self.wishes.clear();
        // Cut off in the midst of a call or not: the link is closed next.
        let unbound = timeout(UNBIND, async {
            while binder.step().await?.is_some() {}
            Ok::<_, Loss>(())
        });
        if !matches!(unbound.await, Ok(Ok(()))) {
            tracing::warn!(left = self.wishes.standing(), "closed with bindings");
        }
        Ok(())
    }

    /// Does all that is wanted, unless the bus closes or the gateway goes meanwhile.
    async fn follow(&self, link: &Link, binder: &mut Binder<'_>) -> Result<(), Loss> {
        while let Some(events) = binder.step().await? {
            for event in events {
                self.tell(link, event).await?;
            }
            if self.shared.closing.is_cancelled() || self.events.is_closed() {
                break;
            }
        }
        Ok(())
    }

    /// Tells the gateway, if it is there, and waits for it unless the bus closes: it may not read any more.
    async fn tell(&self, link: &Link, event: BusEvent) -> Result<(), Loss> {
        let told = tell(link, &self.events, event);
        match self.shared.closing.run_until_cancelled(told).await {
            None | Some(Err(Loss::Unwanted)) => Ok(()),
            Some(told) => told,
        }
    }
}
