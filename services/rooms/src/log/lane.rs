//! One lane: a bounded queue and the task that commits what waits in it.
//!
//! Those that wait while a batch is committed make the next one; no timer. If an author's item
//! fails for a passing reason, what the same author has queued behind it for that room fails too,
//! so that its outbox can send both again in order.
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use domain::{Error, ErrorReason, Item, PrincipalId, Result, RoomName, TraceParent};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::LaneLimits;
use super::commit::commit;
use crate::dispatch::{Committed, Dispatch};
use crate::metrics;
use crate::store::plan::behind_a_failure;
use crate::store::{Append, Appended, Store};

pub(super) type Answer = oneshot::Receiver<Result<Appended>>;

/// A queue of publishes.
pub(super) struct Lane {
    number: usize,
    limits: LaneLimits,
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    closed: bool,
}

struct Waiting {
    item: Append,
    bytes: usize,
    trace: Option<TraceParent>,
    answer: oneshot::Sender<Result<Appended>>,
}

/// What the lane keeps of an item while the store has it.
struct Asker {
    room: RoomName,
    owner: PrincipalId,
    trace: Option<TraceParent>,
    answer: oneshot::Sender<Result<Appended>>,
}

impl Lane {
    pub(super) fn new(number: usize, limits: LaneLimits) -> Self {
        Self { number, limits, queue: Mutex::default(), news: Notify::new() }
    }

    /// Queues one item.
    pub(super) fn hand_over(&self, item: Append, trace: Option<TraceParent>) -> Result<Answer> {
        let bytes = item.body.bytes();
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.queue.lock();
            if queue.closed {
                return Err(Error::unavailable("the log is closing; try another pod"));
            }
            let full = queue.waiting.len() >= self.limits.waiting_items_max
                || queue.bytes + bytes > self.limits.waiting_bytes_max;
            if full {
                return Err(Error::new(ErrorReason::RateLimited, "too many publishes wait"));
            }
            queue.bytes += bytes;
            queue.waiting.push_back(Waiting { item, bytes, trace, answer });
        }
        metrics::waiting(1.0);
        self.news.notify_one();
        Ok(answered)
    }

    /// Takes nothing more; [`Lane::run`] ends when the queue is empty.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.news.notify_one();
    }

    /// Commits batch after batch until the lane is closed.
    pub(super) async fn run(self: Arc<Self>, store: Arc<dyn Store>, dispatch: Arc<Dispatch>) {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                self.settle(batch, &*store, &dispatch).await;
            } else if self.queue.lock().closed {
                return;
            } else {
                self.news.notified().await;
            }
        }
    }

    /// The next batch: in order, within the limits, at least one item if any waits.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = self.queue.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.limits.batch_items_max {
            let Some(next) = queue.waiting.front() else { break };
            if !batch.is_empty() && bytes + next.bytes > self.limits.batch_bytes_max {
                break;
            }
            bytes += next.bytes;
            batch.extend(queue.waiting.pop_front());
        }
        queue.bytes -= bytes;
        drop(queue);
        #[expect(clippy::cast_precision_loss, reason = "a batch has some hundred items")]
        metrics::waiting(-(batch.len() as f64));
        batch
    }

    /// Commits one batch, answers everybody, hands over what is new.
    async fn settle(&self, batch: Vec<Waiting>, store: &dyn Store, dispatch: &Dispatch) {
        let span = tracing::info_span!("commit", lane = self.number, items = batch.len());
        let (items, askers) = split(batch, &span);
        let started = Instant::now();
        let results = commit(store, &items, self.limits.commit_max).instrument(span.clone()).await;
        metrics::committed(items.len(), started.elapsed());
        self.fail_behind(&askers, &results);
        #[cfg(feature = "failpoints")]
        crate::failpoint::pass(crate::failpoint::BEFORE_ACK);
        let mut fresh = Vec::with_capacity(items.len());
        for ((item, asker), result) in items.into_iter().zip(askers).zip(results) {
            if let Ok(appended) = &result
                && !appended.duplicate
            {
                fresh.push(committed(item, appended, asker.trace));
            }
            // Whoever stopped waiting will ask again with the same message id.
            let _ = asker.answer.send(result);
        }
        #[cfg(feature = "failpoints")]
        crate::failpoint::pass(crate::failpoint::AFTER_COMMIT);
        span.in_scope(|| dispatch.committed(fresh));
    }

    /// Fails what an author has queued behind an item of its own that failed for a passing reason.
    fn fail_behind(&self, askers: &[Asker], results: &[Result<Appended>]) {
        let broken: HashSet<(&RoomName, &PrincipalId)> = askers
            .iter()
            .zip(results)
            .filter(|(_, result)| result.as_ref().is_err_and(Error::transient))
            .map(|(asker, _)| (&asker.room, &asker.owner))
            .collect();
        if broken.is_empty() {
            return;
        }
        let mut behind = Vec::new();
        {
            let mut queue = self.queue.lock();
            let waiting = std::mem::take(&mut queue.waiting);
            for next in waiting {
                if broken.contains(&(&next.item.room, &next.item.owner)) {
                    queue.bytes -= next.bytes;
                    behind.push(next.answer);
                } else {
                    queue.waiting.push_back(next);
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a queue has some thousand items")]
        metrics::waiting(-(behind.len() as f64));
        for answer in behind {
            let _ = answer.send(Err(behind_a_failure()));
        }
    }
}

fn split(batch: Vec<Waiting>, span: &tracing::Span) -> (Vec<Append>, Vec<Asker>) {
    let part = |waiting: Waiting| {
        let Waiting { item, trace, answer, .. } = waiting;
        if let Some(trace) = &trace {
            runtime::trace::link(span, trace);
        }
        let asker = Asker { room: item.room.clone(), owner: item.owner.clone(), trace, answer };
        (item, asker)
    };
    batch.into_iter().map(part).unzip()
}

fn committed(item: Append, appended: &Appended, trace: Option<TraceParent>) -> Committed {
    Committed {
        room: item.room,
        epoch: appended.position.epoch.clone(),
        item: Item {
            offset: appended.position.offset,
            message_id: item.message_id,
            time_ms: appended.time_ms,
            body: item.body,
            trace,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use domain::{Body, MessageId, Tags};
    use rpc::Deadline;

    use super::*;
    use crate::store::Needs;
    use crate::store::plan::too_late;

    fn limits() -> LaneLimits {
        LaneLimits {
            waiting_items_max: 4,
            waiting_bytes_max: 100,
            batch_items_max: 3,
            batch_bytes_max: 20,
            commit_max: Duration::from_secs(1),
        }
    }

    fn item(owner: &str, bytes: usize) -> Append {
        Append {
            room: RoomName::parse("general").unwrap(),
            make_room: false,
            owner: PrincipalId::new("iss", owner),
            needs: Needs::NoBan,
            message_id: MessageId::random(),
            digest: [0; 32],
            body: Body::Message {
                sender: None,
                gateway: None,
                tags: Tags::default(),
                data: Bytes::from(vec![b'x'; bytes]),
            },
            deadline: Deadline::after(Duration::from_secs(9)),
            along: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_full_lane_refuses_as_transient() {
        let lane = Lane::new(0, limits());
        let waiting: Vec<_> = (0..4).map(|_| lane.hand_over(item("u", 1), None).unwrap()).collect();
        let error = lane.hand_over(item("u", 1), None).unwrap_err();
        assert!(error.transient(), "{error}");
        drop(waiting);
        assert!(Lane::new(0, limits()).hand_over(item("u", 101), None).is_err());
    }

    #[tokio::test]
    async fn a_batch_keeps_the_order_and_the_limits() {
        let lane = Lane::new(0, limits());
        for bytes in [15, 4, 9, 50] {
            let _answer = lane.hand_over(item("u", bytes), None).unwrap();
        }
        let sizes = |batch: Vec<Waiting>| batch.iter().map(|w| w.bytes).collect::<Vec<_>>();
        assert_eq!(sizes(lane.take()), [15, 4]);
        assert_eq!(sizes(lane.take()), [9]);
        assert_eq!(sizes(lane.take()), [50], "larger than a batch, and still taken");
        assert_eq!(lane.queue.lock().bytes, 0);
    }

    #[tokio::test]
    async fn what_is_queued_behind_a_passing_failure_of_the_author_fails() {
        let lane = Lane::new(0, limits());
        let _first = lane.hand_over(item("u", 1), None).unwrap();
        let (_, askers) = split(lane.take(), &tracing::Span::none());
        let mut same = lane.hand_over(item("u", 1), None).unwrap();
        let mut other = lane.hand_over(item("v", 1), None).unwrap();
        lane.fail_behind(&askers, &[Err(too_late())]);
        assert!(same.try_recv().unwrap().unwrap_err().transient());
        assert!(other.try_recv().is_err(), "another author's item was failed");
        assert_eq!(lane.take().len(), 1);
        lane.fail_behind(&askers, &[Err(Error::denied())]);
    }
}
