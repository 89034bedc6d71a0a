//! A small implementation of every trait: it remembers what it heard and answers with the samples, or fails,
//! hangs or panics when it is told to.
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::*;
use futures_util::stream::{BoxStream, StreamExt};
use parking_lot::Mutex;
use rpc::Call;
use rpc::admin::*;
use rpc::auth::*;
use rpc::gateway::*;
use rpc::presence::*;
use rpc::rooms::*;
use tokio::sync::mpsc;

use super::samples as sample;

/// What to do with a call.
#[derive(Debug, Clone, Default)]
pub enum Mood {
    #[default]
    Answer,
    Fail(Error),
    Hang,
    Panic,
}

#[derive(Default)]
pub struct Answering {
    /// Each call's arguments.
    pub heard: Mutex<Vec<String>>,
    /// What was left of each call's deadline.
    pub left: Mutex<Vec<Duration>>,
    /// The credentials that were shown.
    pub shown: Mutex<Vec<String>>,
    /// The trace of each call.
    pub traces: Mutex<Vec<String>>,
    pub mood: Mutex<Mood>,
    /// What auth says to those who ask to be let in; `None` lets them in.
    pub refusal: Mutex<Option<Refusal>>,
    /// The role that auth finds.
    pub role: Mutex<String>,
    /// What the stream brings.
    pub events: Mutex<Vec<Result<WatchEvent>>>,
    pub held: Mutex<Vec<HeldRooms>>,
}

impl Answering {
    pub fn set(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    pub fn calls(&self) -> usize {
        self.heard.lock().len()
    }

    /// The arguments of the only call.
    pub fn only(&self) -> String {
        let mut heard = self.heard.lock();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.remove(0)
    }

    async fn hear<T>(&self, call: Call, what: impl Debug, answer: T) -> Result<T> {
        use opentelemetry::trace::TraceContextExt;
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let context = tracing::Span::current().context();
        self.traces.lock().push(context.span().span_context().trace_id().to_string());
        self.left.lock().push(call.deadline.left());
        self.heard.lock().push(format!("{what:?}"));
        let mood = self.mood.lock().clone();
        match mood {
            Mood::Answer => Ok(answer),
            Mood::Fail(error) => Err(error),
            Mood::Hang => std::future::pending().await,
            Mood::Panic => panic!("told to"),
        }
    }
}

#[async_trait]
impl Rooms for Answering {
    async fn join(&self, call: Call, request: Join) -> Result<Joined> {
        self.hear(call, request, sample::joined()).await
    }
    async fn publish(&self, call: Call, request: Publish) -> Result<Published> {
        self.hear(call, request, sample::published()).await
    }
    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        self.hear(call, request, sample::page()).await
    }
    async fn fetch(&self, call: Call, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        let answer = ranges.iter().map(|_| sample::fetched()).collect();
        self.hear(call, ranges, answer).await
    }
    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn watch(
        &self,
        start: WatchStart,
        mut held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        self.hear(Call::within(Duration::from_secs(1)), start, ()).await?;
        let first = held.recv().await;
        self.held.lock().extend(first);
        let events: Vec<_> = self.events.lock().clone();
        // As a real one: after what there is to say, it stays open.
        Ok(futures_util::stream::iter(events).chain(futures_util::stream::pending()).boxed())
    }
}

#[async_trait]
impl Auth for Answering {
    async fn verify(&self, call: Call, credential: Credential) -> Result<Verified> {
        let (kind, text) = match &credential {
            Credential::Bearer(token) => ("bearer", token.as_str()),
            Credential::ApiKey(key) => ("key", key.as_str()),
            Credential::Anonymous => ("anonymous", ""),
        };
        self.shown.lock().push(format!("{kind} {text}"));
        let role = self.role.lock().clone();
        self.hear(call, "verify", sample::verified(&role)).await
    }
    async fn verify_subscription(
        &self,
        call: Call,
        principal: PrincipalId,
        room: RoomName,
        token: String,
    ) -> Result<Grant> {
        self.hear(call, (principal, room, token), sample::grant()).await
    }
    async fn admit(&self, call: Call, admission: Admission) -> Result<Decision<Admitted>> {
        // What stands in it is not shown by `Debug`.
        let text = String::from_utf8_lossy(&admission.data);
        self.shown.lock().push(format!("{} {text} {:?}", admission.token, admission.headers));
        let refused = self.refusal.lock().clone();
        let admitted = refused.map_or(Decision::Granted(sample::admitted()), Decision::Refused);
        self.hear(call, admission, admitted).await
    }
    async fn authorise(
        &self,
        call: Call,
        principal: Principal,
        room: RoomName,
        data: Bytes,
    ) -> Result<Decision<Grant>> {
        let refused = self.refusal.lock().clone();
        let granted = refused.map_or(Decision::Granted(sample::grant()), Decision::Refused);
        self.hear(call, (principal, room, data), granted).await
    }
    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey> {
        self.hear(call, (by, new), sample::created_key()).await
    }
    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>> {
        self.hear(call, by, vec![sample::key()]).await
    }
    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()> {
        self.hear(call, (by, key_id), ()).await
    }
}

#[async_trait]
impl Gateway for Answering {
    async fn emulate(&self, call: Call, session: Session, frame: Bytes) -> Result<()> {
        self.hear(call, (session.reveal(), frame), ()).await
    }
}

#[async_trait]
impl Presence for Answering {
    async fn open_lease(
        &self,
        call: Call,
        gateway: GatewayId,
        life: Incarnation,
        peer_url: Option<String>,
    ) -> Result<Lease> {
        self.hear(call, (gateway, life, peer_url), sample::lease()).await
    }
    async fn renew_lease(&self, call: Call, lease: LeaseId) -> Result<LeaseState> {
        self.hear(call, lease, LeaseState::Lost).await
    }
    async fn close_lease(&self, call: Call, lease: LeaseId) -> Result<()> {
        self.hear(call, lease, ()).await
    }
    async fn apply(&self, call: Call, lease: LeaseId, batch: PresenceBatch) -> Result<LeaseState> {
        self.hear(call, (lease, batch), LeaseState::Held).await
    }
    async fn room(&self, call: Call, room: RoomName, limit: u32) -> Result<Vec<PresenceEntry>> {
        self.hear(call, (room, limit), vec![sample::entry()]).await
    }
    async fn room_counts(&self, call: Call, room: RoomName) -> Result<PresenceCounts> {
        self.hear(call, room, sample::counts()).await
    }
    async fn totals(&self, call: Call) -> Result<PresenceTotals> {
        self.hear(call, (), sample::totals()).await
    }
    async fn gateways(&self, call: Call) -> Result<Vec<GatewayInfo>> {
        self.hear(call, (), vec![sample::gateway_info()]).await
    }
    async fn connections(&self, call: Call, principal: PrincipalId) -> Result<Vec<PresenceEntry>> {
        self.hear(call, principal, vec![sample::entry()]).await
    }
}

#[async_trait]
impl Admin for Answering {
    async fn stats(&self, call: Call, by: Principal) -> Result<Stats> {
        self.hear(call, by, sample::stats()).await
    }
    async fn list_rooms(
        &self,
        call: Call,
        by: Principal,
        prefix: String,
        after: Option<RoomName>,
        limit: u32,
    ) -> Result<Vec<RoomInfo>> {
        self.hear(call, (by, prefix, after, limit), vec![sample::room_info()]).await
    }
    async fn describe_room(&self, call: Call, by: Principal, room: RoomName) -> Result<RoomDetail> {
        self.hear(call, (by, room), sample::detail()).await
    }
    async fn create_room(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        title: String,
    ) -> Result<RoomInfo> {
        self.hear(call, (by, room, title), sample::room_info()).await
    }
    async fn list_members(&self, call: Call, by: Principal, room: RoomName) -> Result<Vec<Member>> {
        self.hear(call, (by, room), vec![sample::member()]).await
    }
    async fn add_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        self.hear(call, (by, room, member), ()).await
    }
    async fn remove_member(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        member: PrincipalId,
    ) -> Result<()> {
        self.hear(call, (by, room, member), ()).await
    }
    async fn list_connections(
        &self,
        call: Call,
        by: Principal,
        of: ConnectionsOf,
    ) -> Result<Vec<PresenceEntry>> {
        self.hear(call, (by, of), vec![sample::entry()]).await
    }
    async fn history(&self, call: Call, request: History) -> Result<HistoryPage> {
        self.hear(call, request, sample::page()).await
    }
    async fn publish(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        message_id: MessageId,
        tags: Tags,
        data: Bytes,
    ) -> Result<Published> {
        self.hear(call, (by, room, message_id, tags, data), sample::published()).await
    }
    async fn broadcast(&self, call: Call, by: Principal, notice: Notice) -> Result<()> {
        self.hear(call, (by, notice), ()).await
    }
    async fn kick(&self, call: Call, by: Principal, kick: Kick) -> Result<Position> {
        self.hear(call, (by, kick), sample::position()).await
    }
    async fn unban(
        &self,
        call: Call,
        by: Principal,
        room: RoomName,
        target: PrincipalId,
    ) -> Result<()> {
        self.hear(call, (by, room, target), ()).await
    }
    async fn disconnect(&self, call: Call, request: Disconnect) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn unsubscribe(&self, call: Call, request: Unsubscribe) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn subscribe(&self, call: Call, request: Subscribe) -> Result<()> {
        self.hear(call, request, ()).await
    }
    async fn renew_epochs(&self, call: Call, by: Principal, room: Option<RoomName>) -> Result<u64> {
        self.hear(call, (by, room), 17).await
    }
    async fn list_audit(
        &self,
        call: Call,
        by: Principal,
        before_number: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        self.hear(call, (by, before_number, limit), vec![sample::audit_row()]).await
    }
    async fn create_key(&self, call: Call, by: Principal, new: NewKey) -> Result<CreatedKey> {
        self.hear(call, (by, new), sample::created_key()).await
    }
    async fn list_keys(&self, call: Call, by: Principal) -> Result<Vec<KeyInfo>> {
        self.hear(call, by, vec![sample::key()]).await
    }
    async fn revoke_key(&self, call: Call, by: Principal, key_id: String) -> Result<()> {
        self.hear(call, (by, key_id), ()).await
    }
}
