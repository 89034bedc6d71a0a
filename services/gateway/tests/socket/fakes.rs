//! Small parts for a gateway: auth that believes a token's text, logs in memory, presence that
//! notes what it is told. Each can be told to fail. The real ones are tried with the gateway in
//! the tests across services.
mod presence;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bus::{Bus, Outbound};
use bytes::Bytes;
use domain::{
    Admission, Admitted, Body, Credential, Decision, Envelope, Epoch, Error, ErrorReason, Event,
    Grant, Item, JoinLeave, LeaseId, MessageId, Order, Position, Principal, PrincipalId, Recovery,
    Refusal, Result, Rights, RoomBatch, RoomEvent, RoomName, RoomSettings, RoomTraffic, Signal,
    Tags, Verified,
};
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use rpc::Call;
use rpc::auth::{Auth, CreatedKey, KeyInfo, NewKey};
use rpc::rooms::{
    Disconnect, FetchRange, Fetched, HeldRooms, History, HistoryPage, Join, Joined, Publish,
    Published, Rooms, Subscribe, Unsubscribe, WatchEvent, WatchStart,
};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

pub use presence::FakePresence;

/// The issuer of every principal here.
pub const ISSUER: &str = "test";

/// Whom a token named so stands for.
pub fn id_of(user: &str) -> PrincipalId {
    PrincipalId::new(ISSUER, user)
}

/// `bad` is a bad token, `old` an ended one, `guest` nobody's in particular; any other is its
/// user's name. A token for a room is `bad`, `old`, `other` (for something else) or JSON.
#[derive(Default)]
pub struct FakeAuth {
    pub away: AtomicBool,
    /// Whether a connect needs no token.
    pub anonymous: AtomicBool,
    pub ttl_ms: Mutex<Option<i64>>,
    /// How long each credential takes to prove.
    pub pause_ms: AtomicU64,
    /// What each token shows of its bearer from now on.
    pub info: Mutex<Bytes>,
    /// What each token says of rooms from now on.
    pub rooms: Mutex<Vec<Grant>>,
    /// What somebody behind it says to everybody who asks; `None` is a yes.
    pub refusal: Mutex<Option<Refusal>>,
    /// Kinds of rooms that it wants to be asked for.
    pub guarded: Mutex<Vec<String>>,
    /// How long its grants hold.
    pub grant_ttl_ms: Mutex<Option<i64>>,
    /// Who wished for which room, and the application's own bytes.
    pub asked: Mutex<Vec<(String, Bytes)>>,
    pub admissions: Mutex<Vec<Admission>>,
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorReason::InvalidCredential, text)
}

#[async_trait]
impl Auth for FakeAuth {
    async fn verify(&self, _: Call, credential: Credential) -> Result<Verified> {
        tokio::time::sleep(Duration::from_millis(self.pause_ms.load(Ordering::SeqCst))).await;
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("auth is away"));
        }
        let anonymous = self.anonymous.load(Ordering::SeqCst);
        let token = match credential {
            Credential::Bearer(token) => token,
            Credential::Anonymous if anonymous => "guest".to_owned(),
            _ => return Err(invalid("no token")),
        };
        match token.as_str() {
            "bad" => Err(Error::new(ErrorReason::InvalidCredential, "bad token")),
            "old" => Err(Error::new(ErrorReason::CredentialExpired, "ended token")),
            user => {
                let (id, name) = match user {
                    "guest" => {
                        (PrincipalId::anonymous(LeaseId::random().to_string()), String::new())
                    }
                    user => (id_of(user), user.to_uppercase()),
                };
                let (info, roles, grants) = (self.info.lock().clone(), Vec::new(), Vec::new());
                let principal = Principal { id, name, info, roles, grants };
                let expires_at_ms = (*self.ttl_ms.lock()).map(|ttl| now_ms() + ttl);
                Ok(Verified { principal, expires_at_ms, rooms: self.rooms.lock().clone() })
            }
        }
    }

    async fn admit(&self, call: Call, admission: Admission) -> Result<Decision<Admitted>> {
        self.admissions.lock().push(admission.clone());
        if let Some(refusal) = self.refusal.lock().clone() {
            return Ok(Decision::Refused(refusal));
        }
        let verified = self.verify(call, admission.credential()).await?;
        let guarded_kinds = self.guarded.lock().clone();
        Ok(Decision::Granted(Admitted { verified, guarded_kinds }))
    }

    async fn authorise(
        &self,
        _: Call,
        principal: Principal,
        room: RoomName,
        data: Bytes,
    ) -> Result<Decision<Grant>> {
        self.asked.lock().push((format!("{} {room}", principal.id.user()), data));
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("auth is away"));
        }
        if let Some(refusal) = self.refusal.lock().clone() {
            return Ok(Decision::Refused(refusal));
        }
        let until_ms = (*self.grant_ttl_ms.lock()).map(|ttl| now_ms() + ttl);
        Ok(Decision::Granted(Grant { until_ms, data: "{\"v\":1}".into(), ..Grant::new(room) }))
    }

    async fn verify_subscription(
        &self,
        _: Call,
        _: PrincipalId,
        room: RoomName,
        token: String,
    ) -> Result<Grant> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("auth is away"));
        }
        match token.as_str() {
            "old" => Err(Error::new(ErrorReason::CredentialExpired, "ended token")),
            "other" => Err(Error::denied()),
            text => {
                let claims: serde_json::Value =
                    serde_json::from_str(text).map_err(|_| invalid("bad token"))?;
                let info = claims.get("info").map(ToString::to_string).unwrap_or_default().into();
                let until_ms = claims["ttl_ms"].as_i64().map(|ttl| now_ms() + ttl);
                Ok(Grant { until_ms, info, ..Grant::new(room) })
            }
        }
    }

    async fn create_key(&self, _: Call, _: Principal, _: NewKey) -> Result<CreatedKey> {
        Err(Error::denied())
    }

    async fn list_keys(&self, _: Call, _: Principal) -> Result<Vec<KeyInfo>> {
        Err(Error::denied())
    }

    async fn revoke_key(&self, _: Call, _: Principal, _: String) -> Result<()> {
        Err(Error::denied())
    }
}

struct Log {
    epoch: Epoch,
    items: Vec<Item>,
    oldest: u64,
}

/// Logs in memory. Rooms named `secret…` may not be joined, `ticket…` only with a grant, and `gone…`
/// cannot be asked at all; those named `live…` have no log, those named `…raw…` take any bytes, and
/// in those named `cache…` the newest item is all that a client gets who comes back. Those named
/// `delta…` allow patches; those named `sift…` and `live…`, filters.
pub struct FakeRooms {
    bus: Arc<dyn Bus>,
    logs: Arc<Mutex<HashMap<RoomName, Log>>>,
    /// Whether joins fail as if no pod answered.
    pub away: AtomicBool,
    /// Whether the bus is told of what is committed.
    pub hints: AtomicBool,
    /// Publishes with this payload fail without a clear outcome.
    pub poison: Mutex<Option<Bytes>>,
    pub orders: broadcast::Sender<Order>,
}

impl FakeRooms {
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self {
            bus,
            logs: Arc::default(),
            away: AtomicBool::new(false),
            hints: AtomicBool::new(true),
            poison: Mutex::default(),
            orders: broadcast::channel(16).0,
        }
    }

    /// Adds an item as another gateway's publish would.
    pub fn commit(&self, room: &str, body: Body) -> Position {
        let room = RoomName::parse(room).unwrap();
        self.append(&room, MessageId::random(), body)
    }

    pub fn kick(&self, room: &str, user: &str) -> Position {
        let (target, by) = (id_of(user), id_of("admin"));
        self.commit(room, Body::Event(Event::Kick { target, by, reason: "spam".to_owned() }))
    }

    pub fn say(&self, room: &str, data: impl Into<Bytes>) -> Position {
        let data = data.into();
        let tags = Tags::default();
        self.commit(room, Body::Message { sender: None, gateway: None, tags, data })
    }

    /// Tells a room's members of somebody who came or went.
    pub fn signal(&self, room: &str, signal: Signal) {
        let (room, traffic) = (RoomName::parse(room).unwrap(), RoomTraffic::Signals(vec![signal]));
        self.bus.publish(Outbound::Room(RoomEvent { room, traffic }));
    }

    /// Begins a room's log anew.
    pub fn renew(&self, room: &str) {
        let room = RoomName::parse(room).unwrap();
        self.logs.lock().insert(room, Log { epoch: Epoch::random(), items: Vec::new(), oldest: 0 });
    }

    /// Forgets what is older than `oldest`.
    pub fn forget(&self, room: &str, oldest: u64) {
        let room = RoomName::parse(room).unwrap();
        let mut logs = self.logs.lock();
        let log = logs.get_mut(&room).unwrap();
        log.items.retain(|item| item.offset >= oldest);
        log.oldest = oldest;
    }

    fn append(&self, room: &RoomName, message_id: MessageId, body: Body) -> Position {
        let stored = stored(room);
        let mut logs = self.logs.lock();
        let log = log_of(&mut logs, room);
        let last = log.items.last().map_or(log.oldest.saturating_sub(1), |item| item.offset);
        let offset = if stored { last + 1 } else { 0 };
        let item = Item { offset, message_id, time_ms: now_ms(), body, trace: None };
        let traffic = if stored {
            log.items.push(item.clone());
            log.oldest = log.oldest.max(1);
            RoomTraffic::Items(RoomBatch { epoch: log.epoch.clone(), items: vec![item] })
        } else {
            RoomTraffic::Ephemeral(vec![item])
        };
        let epoch = if stored { log.epoch.clone() } else { Epoch::default() };
        drop(logs);
        if self.hints.load(Ordering::SeqCst) {
            self.bus.publish(Outbound::Room(RoomEvent { room: room.clone(), traffic }));
        }
        Position { epoch, offset }
    }

    fn head(&self, room: &RoomName) -> Position {
        head_of(log_of(&mut self.logs.lock(), room))
    }
}

fn log_of<'a>(logs: &'a mut HashMap<RoomName, Log>, room: &RoomName) -> &'a mut Log {
    logs.entry(room.clone()).or_insert_with(|| Log {
        epoch: Epoch::random(),
        items: Vec::new(),
        oldest: 0,
    })
}

fn head_of(log: &Log) -> Position {
    let offset = log.items.last().map_or(log.oldest.saturating_sub(1), |item| item.offset);
    Position { epoch: log.epoch.clone(), offset }
}

fn ticket(principal: &Principal, room: &RoomName) -> Result<()> {
    let needed = room.as_str().starts_with("ticket");
    if needed && principal.grants.as_slice() != std::slice::from_ref(room) {
        return Err(Error::denied());
    }
    Ok(())
}

fn stored(room: &RoomName) -> bool {
    !room.as_str().starts_with("live")
}

pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

#[async_trait]
impl Rooms for FakeRooms {
    async fn join(&self, _: Call, request: Join) -> Result<Joined> {
        if request.room.as_str().starts_with("secret") {
            return Err(Error::denied());
        }
        if request.room.as_str().starts_with("gone") || self.away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("rooms is away"));
        }
        ticket(&request.principal, &request.room)?;
        let stored = stored(&request.room);
        let head = if stored { self.head(&request.room) } else { Position::default() };
        let raw = request.room.as_str().contains("raw");
        let envelope = if raw { Envelope::None } else { Envelope::Chat };
        let join_leave = JoinLeave::Connection;
        let cache = request.room.as_str().starts_with("cache");
        let recovery = if cache { Recovery::Cache } else { Recovery::Log };
        let begins = |word| request.room.as_str().starts_with(word);
        let (delta, filters) = (begins("delta"), begins("sift") || begins("live"));
        let settings =
            RoomSettings { stored, presence: true, join_leave, envelope, recovery, delta, filters };
        Ok(Joined { settings, rights: Rights { publish: true, moderate: false }, head })
    }

    async fn publish(&self, _: Call, request: Publish) -> Result<Published> {
        if self.poison.lock().as_ref() == Some(&request.data) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Err(Error::unavailable("poisoned"));
        }
        ticket(&request.principal, &request.room)?;
        let known = self.logs.lock().get(&request.room).and_then(|log| {
            let mut items = log.items.iter();
            let same = items.find(|item| item.message_id == request.message_id)?;
            Some(same.position(&log.epoch))
        });
        if let Some(position) = known {
            return Ok(Published { position, duplicate: true });
        }
        let Publish { room, sender, gateway, tags, data, message_id, .. } = request;
        let position =
            self.append(&room, message_id, Body::Message { sender, gateway, tags, data });
        Ok(Published { position, duplicate: false })
    }

    async fn history(&self, _: Call, request: History) -> Result<HistoryPage> {
        ticket(&request.principal, &request.room)?;
        let mut logs = self.logs.lock();
        let log = log_of(&mut logs, &request.room);
        let since = request.since.map_or(0, |since| since.offset);
        let items = log.items.iter().filter(|item| item.offset > since).cloned();
        let items = items.take(request.limit.min(300) as usize).collect();
        Ok(HistoryPage { items, head: head_of(log) })
    }

    async fn fetch(&self, _: Call, ranges: Vec<FetchRange>) -> Result<Vec<Fetched>> {
        let mut logs = self.logs.lock();
        let answer = |range: FetchRange| {
            let log = log_of(&mut logs, &range.room);
            let kept = log.epoch == range.epoch && range.after + 1 >= log.oldest;
            let inside =
                |item: &&Item| kept && item.offset > range.after && item.offset <= range.until;
            let items = log.items.iter().filter(inside).take(100).cloned().collect();
            Fetched { head: head_of(log), oldest: log.oldest, items }
        };
        Ok(ranges.into_iter().map(answer).collect())
    }

    async fn disconnect(&self, _: Call, _: Disconnect) -> Result<()> {
        Err(Error::denied())
    }

    async fn unsubscribe(&self, _: Call, _: Unsubscribe) -> Result<()> {
        Err(Error::denied())
    }

    async fn subscribe(&self, _: Call, _: Subscribe) -> Result<()> {
        Err(Error::denied())
    }

    async fn watch(
        &self,
        start: WatchStart,
        mut held: mpsc::Receiver<HeldRooms>,
    ) -> Result<BoxStream<'static, Result<WatchEvent>>> {
        let (events, stream) = mpsc::channel(64);
        let mut orders = self.orders.subscribe();
        let begin = start.orders_after.unwrap_or(0);
        let _sent = events.send(Ok(WatchEvent::Opened { orders_after: begin })).await;
        let logs = self.logs.clone();
        tokio::spawn(async move {
            let mut rooms = HashMap::<RoomName, Option<Position>>::new();
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                let event = tokio::select! {
                    change = held.recv() => {
                        let Some(change) = change else { return };
                        rooms.extend(change.add.into_iter().map(|room| (room, None)));
                        change.remove.iter().for_each(|room| { rooms.remove(room); });
                        continue;
                    }
                    Ok(order) = orders.recv() => WatchEvent::Order(order),
                    _ = ticks.tick() => {
                        let mut logs = logs.lock();
                        let mut moved = Vec::new();
                        for (room, told) in &mut rooms {
                            let head = head_of(log_of(&mut logs, room));
                            if told.as_ref() != Some(&head) {
                                *told = Some(head.clone());
                                moved.push((room.clone(), head));
                            }
                        }
                        if moved.is_empty() { WatchEvent::Heartbeat } else { WatchEvent::Heads(moved) }
                    }
                };
                if events.send(Ok(event)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Box::pin(ReceiverStream::new(stream)))
    }
}
