//! The rooms service as gateways call it: each verb in a few lines, the work in the module of its
//! name.
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Body, Error, ErrorReason, Item, Position, Result};
use futures_util::stream::BoxStream;
use rpc::auth::Auth;
use rpc::presence::Presence;
use rpc::rooms::{
    Disconnect, FetchRange, Fetched, HeldRooms, History, HistoryPage, Join, Joined, Publish,
    Published, Rooms, Subscribe, Unsubscribe, WatchEvent, WatchStart,
};
use rpc::{Call, Deadline};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use crate::clock::now_ms;
use crate::digest::digest_of;
use crate::dispatch::Dispatch;
use crate::heads::Heads;
use crate::history::Reader;
use crate::kinds::Kinds;
use crate::log::Log;
use crate::membership::{self, Membership, PublishRight};
use crate::metrics;
use crate::moderation::{Moderation, audit};
use crate::store::{Along, Append, Appended, Store};

/// The rooms service of one pod. Implements `rpc::rooms::Rooms` and `rpc::admin::Admin`.
pub struct RoomsService {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) kinds: Arc<Kinds>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) log: Arc<Log>,
    pub(crate) reader: Reader,
    pub(crate) moderation: Moderation,
    pub(crate) heads: Arc<Heads>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) presence: Arc<dyn Presence>,
    pub(crate) auth: Arc<dyn Auth>,
    /// Places for audit rows of refused calls that wait to be written.
    pub(crate) refusals: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
}

/// Waits no longer than the caller does.
pub(crate) async fn within<T>(
    deadline: Deadline,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let late = || Error::new(ErrorReason::DeadlineExceeded, "not answered in time");
    tokio::time::timeout_at(deadline.0, work).await.unwrap_or_else(|_| Err(late()))
}

impl RoomsService {
    /// Waits until everything that was taken in is committed and answered, then closes the
    /// database. To be called after the shutdown token given to `start` was cancelled.
    pub async fn closed(&self) {
        self.tasks.wait().await;
        self.store.close().await;
    }

    /// Leaves the audit row of a call that the admin port refused before it came here. Returns at
    /// once; while too many such rows wait to be written the log alone tells of more.
    pub fn note_refused(self: &Arc<Self>, by: &domain::Principal, call: &str) {
        let Ok(place) = self.refusals.clone().try_acquire_owned() else { return };
        let (service, row) = (self.clone(), audit(&by.id, "refused", format!("call={call}")));
        self.tasks.spawn(async move {
            service.moderation.note(&row, &Error::denied()).await;
            drop(place);
        });
    }

    async fn take(&self, call: Call, request: Publish) -> Result<Published> {
        let kind = self.kinds.of(&request.room)?;
        if request.data.len() > kind.message_bytes_max {
            let text = format!("a message has {} bytes at most", kind.message_bytes_max);
            return Err(Error::new(ErrorReason::LimitExceeded, text));
        }
        if !kind.stored {
            self.membership.publish_ephemeral(kind, &request.principal, &request.room).await?;
            return self.send_ephemeral(request);
        }
        // Nothing is waited for before the item is in its lane: so one author's publishes keep
        // their order.
        let right = membership::may_publish(kind, &request.principal, &request.room)?;
        let published = self.append(call.deadline, request, right, Vec::new()).await;
        let unknown = |error: &Error| error.reason == ErrorReason::NotFound;
        published.map_err(|error| if unknown(&error) { Error::denied() } else { error })
    }

    /// Hands a message of a room without a log to the bus.
    pub(crate) fn send_ephemeral(&self, request: Publish) -> Result<Published> {
        let Publish { room, sender, message_id, gateway, tags, data, principal: _ } = request;
        let item = Item {
            offset: 0,
            message_id,
            time_ms: now_ms(),
            body: Body::Message { sender, gateway, tags, data },
            trace: runtime::trace::current(),
        };
        self.dispatch.ephemeral(room, item)?;
        Ok(Published { position: Position::default(), duplicate: false })
    }

    /// Adds a message to a room's log. `NotFound` for a room that does not exist and is not made.
    pub(crate) async fn append(
        &self,
        deadline: Deadline,
        request: Publish,
        PublishRight { needs, make_room }: PublishRight,
        along: Vec<Along>,
    ) -> Result<Published> {
        let Publish { room, principal, sender, message_id, gateway, tags, data } = request;
        let body = Body::Message { sender, gateway, tags, data };
        let item = Append {
            room,
            make_room,
            owner: principal.id,
            needs,
            message_id,
            digest: digest_of(&body),
            body,
            deadline,
            along,
        };
        let appended = self.log.append(item, runtime::trace::current()).await?;
        let Appended { position, duplicate, .. } = appended;
        Ok(Published { position, duplicate })
    }
}

#[async_trait]
impl Rooms for RoomsService {
    async fn join(&self, call: Call, request: Join) -> Result<Joined> {
        within(call.deadline, self.membership.join(&request.principal, &request.room)).await
    }

    async fn publish(&self, call: Call, request: Publish) -> Result<Published> {
        let published = within(call.deadline, self.take(call, request)).await;
        metrics::published(&published);
        published
    }

    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        within(call.deadline, self.reader.history(request)).await
    }

    async fn fetch(&self, call: Call, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        within(call.deadline, self.reader.fetch(ranges)).await
    }

    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        within(call.deadline, self.moderation.disconnect(request)).await
    }

    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        within(call.deadline, self.moderation.unsubscribe(request)).await
    }

    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        within(call.deadline, self.moderation.subscribe(request)).await
    }

    async fn watch(
        &self,
        start: WatchStart,
        held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        self.heads.watch(start, held).await
    }
}
