//! The other services as this gateway's workers call them.
//!
//! A call is made on the process's own runtime, not on a worker's: what a client or a pool spawns
//! inside a worker would die with it. Every call has a deadline, also through the local door.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::{
    Admission, Admitted, Credential, Decision, Error, ErrorReason, Grant, PresenceCounts,
    PresenceEntry, PresenceTotals, Principal, PrincipalId, Result, RoomName, Verified,
};
use rpc::Call;
use rpc::auth::Auth;
use rpc::presence::Presence;
use rpc::rooms::{
    Disconnect, FetchRange, Fetched, History, HistoryPage, Join, Joined, Publish, Published, Rooms,
    Subscribe, Unsubscribe,
};
use tokio::runtime::Handle;
use tracing::Instrument;

const VERIFY_WAIT: Duration = Duration::from_secs(2);
/// SDKs give a command up after 5 s; the answer must be there before.
const COMMAND_WAIT: Duration = Duration::from_secs(3);
const PRESENCE_WAIT: Duration = Duration::from_secs(2);
/// What a door may overrun its deadline by before it is not waited for any more.
const OVERRUN: Duration = Duration::from_millis(300);

/// See the file's head.
pub struct Peers {
    auth: Arc<dyn Auth>,
    rooms: Arc<dyn Rooms>,
    presence: Arc<dyn Presence>,
    runtime: Handle,
    auth_away: AtomicBool,
}

impl Peers {
    /// Doors to the other services, called on `runtime`.
    pub fn new(
        auth: Arc<dyn Auth>,
        rooms: Arc<dyn Rooms>,
        presence: Arc<dyn Presence>,
        runtime: Handle,
    ) -> Self {
        Self { auth, rooms, presence, runtime, auth_away: AtomicBool::new(false) }
    }

    /// The runtime that owns everything but the sockets.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The rooms service itself, for streams.
    pub fn rooms(&self) -> &Arc<dyn Rooms> {
        &self.rooms
    }

    /// The presence service itself, for the lease.
    pub fn presence(&self) -> &Arc<dyn Presence> {
        &self.presence
    }

    /// Whether auth could not decide when it was last asked.
    pub fn auth_away(&self) -> bool {
        self.auth_away.load(Ordering::Relaxed)
    }

    /// Proves a credential.
    pub async fn verify(&self, credential: Credential) -> Result<Verified> {
        let auth = self.auth.clone();
        let answer = self
            .call(VERIFY_WAIT, move |call| async move { auth.verify(call, credential).await })
            .await;
        self.note_auth(&answer);
        answer
    }

    /// Lets a connection in or not; somebody outside may be asked.
    pub async fn admit(&self, admission: Admission) -> Result<Decision<Admitted>> {
        let auth = self.auth.clone();
        let answer = self
            .call(COMMAND_WAIT, move |call| async move { auth.admit(call, admission).await })
            .await;
        self.note_auth(&answer);
        answer
    }

    /// Says whether a principal may read a room of a guarded kind.
    pub async fn authorise(
        &self,
        principal: Principal,
        room: RoomName,
        data: Bytes,
    ) -> Result<Decision<Grant>> {
        let auth = self.auth.clone();
        let answer = self
            .call(COMMAND_WAIT, move |call| async move {
                auth.authorise(call, principal, room, data).await
            })
            .await;
        self.note_auth(&answer);
        answer
    }

    /// Proves a token for a room, shown by a principal.
    pub async fn verify_subscription(
        &self,
        principal: PrincipalId,
        room: RoomName,
        token: String,
    ) -> Result<Grant> {
        let auth = self.auth.clone();
        let answer = self
            .call(VERIFY_WAIT, move |call| async move {
                auth.verify_subscription(call, principal, room, token).await
            })
            .await;
        self.note_auth(&answer);
        answer
    }

    /// May the principal join, and where does the log stand?
    pub async fn join(&self, principal: Principal, room: RoomName) -> Result<Joined> {
        let rooms = self.rooms.clone();
        let request = Join { principal, room };
        self.call(COMMAND_WAIT, move |call| async move { rooms.join(call, request).await }).await
    }

    /// Adds a message.
    pub async fn publish(&self, request: Publish) -> Result<Published> {
        let rooms = self.rooms.clone();
        self.call(COMMAND_WAIT, move |call| async move { rooms.publish(call, request).await }).await
    }

    /// Reads a page of history for a principal.
    pub async fn history(&self, request: History) -> Result<HistoryPage> {
        let rooms = self.rooms.clone();
        self.call(COMMAND_WAIT, move |call| async move { rooms.history(call, request).await }).await
    }

    /// Reads one range of a log for this gateway.
    pub async fn fetch(&self, range: FetchRange) -> Result<Fetched> {
        let mut answers = self.fetch_all(vec![range]).await?;
        answers.pop().ok_or_else(|| Error::new(ErrorReason::Internal, "no answer to a range"))
    }

    /// Reads ranges of several logs; as many answers as ranges.
    pub async fn fetch_all(&self, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        let rooms = self.rooms.clone();
        let asked = ranges.len();
        let answers = self
            .call(COMMAND_WAIT, move |call| async move { rooms.fetch(call, ranges).await })
            .await?;
        if answers.len() != asked {
            return Err(Error::new(ErrorReason::Internal, "not one answer for each range"));
        }
        Ok(answers)
    }

    /// Who is in a room.
    pub async fn present(&self, room: RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        let presence = self.presence.clone();
        self.call(PRESENCE_WAIT, move |call| async move { presence.room(call, room, limit).await })
            .await
    }

    /// How many are in a room.
    pub async fn counts(&self, room: RoomName) -> Result<PresenceCounts> {
        let presence = self.presence.clone();
        self.call(PRESENCE_WAIT, move |call| async move { presence.room_counts(call, room).await })
            .await
    }

    /// How many are here at all.
    pub async fn totals(&self) -> Result<PresenceTotals> {
        let presence = self.presence.clone();
        self.call(PRESENCE_WAIT, move |call| async move { presence.totals(call).await }).await
    }

    /// Closes every connection of a principal.
    pub async fn disconnect(&self, request: Disconnect) -> Result<()> {
        let rooms = self.rooms.clone();
        self.call(COMMAND_WAIT, move |call| async move { rooms.disconnect(call, request).await })
            .await
    }

    /// Ends a principal's subscriptions to a room.
    pub async fn unsubscribe(&self, request: Unsubscribe) -> Result<()> {
        let rooms = self.rooms.clone();
        self.call(COMMAND_WAIT, move |call| async move { rooms.unsubscribe(call, request).await })
            .await
    }

    /// Subscribes a principal's connections to a room.
    pub async fn subscribe(&self, request: Subscribe) -> Result<()> {
        let rooms = self.rooms.clone();
        self.call(COMMAND_WAIT, move |call| async move { rooms.subscribe(call, request).await })
            .await
    }

    /// Notes whether auth could decide. A key that nobody knows is the token's fault: whoever forges
    /// tokens must not be able to lengthen the grace of credentials that have ended.
    fn note_auth<T>(&self, answer: &Result<T>) {
        let undecided =
            |error: &Error| error.transient() && error.reason != ErrorReason::KeyUnknown;
        self.auth_away.store(answer.as_ref().is_err_and(undecided), Ordering::Relaxed);
    }

    async fn call<T, F, W>(&self, wait: Duration, work: W) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
        W: FnOnce(Call) -> F,
    {
        let answer = self.runtime.spawn(work(Call::within(wait)).in_current_span());
        match tokio::time::timeout(wait + OVERRUN, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::new(ErrorReason::Internal, "the call broke off")),
            Err(_) => Err(Error::new(ErrorReason::DeadlineExceeded, "no answer in time")),
        }
    }
}
