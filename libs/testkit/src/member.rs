//! A member of rooms as an SDK with an outbox would be one: comes back by itself, on any gateway,
//! with its positions; sends each message until it is acknowledged, under one message id.
//!
//! Writes down all that it sees. It repairs nothing: a hole or a repeat stays in its records.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::{Client, CommandError, Incoming, Publication, Push, Refusal, Subscribed};
use crate::history::{Entry, MemberLog, Outcome, Published, Recorder, Seen, print_of};

/// Longest wait before another try to connect.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How often rooms that are due are asked for.
const RESUBSCRIBE_WAIT: Duration = Duration::from_millis(100);

/// Who a member is and where it may go.
#[derive(Clone)]
pub struct MemberOptions {
    /// Its name in the records.
    pub name: Arc<str>,
    /// Its access token.
    pub token: String,
    /// Gateways' socket URLs; it begins with the one at `first` and goes round.
    pub urls: Vec<String>,
    /// Where to begin.
    pub first: usize,
    /// The rooms that it joins.
    pub rooms: Vec<Arc<str>>,
}

/// A running member.
pub struct Member {
    name: Arc<str>,
    state: Arc<State>,
    client: watch::Receiver<Option<Arc<Client>>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    recorder: Recorder,
}

struct State {
    options: MemberOptions,
    recorder: Recorder,
    rooms: Mutex<HashMap<Arc<str>, RoomState>>,
    signals: Mutex<Vec<(Arc<str>, &'static str, Value)>>,
    notices: Mutex<Vec<Value>>,
    refusals: Mutex<Vec<(Arc<str>, Refusal)>>,
}

#[derive(Default)]
struct RoomState {
    position: Option<(Arc<str>, u64)>,
    seen: Vec<Seen>,
    live: bool,
}

#[derive(Deserialize)]
struct Keyed {
    #[serde(default)]
    id: Arc<str>,
}

impl Member {
    /// Starts a member; it is not yet connected.
    pub fn start(options: MemberOptions, recorder: &Recorder) -> Self {
        let rooms = options.rooms.iter().map(|room| (room.clone(), RoomState::default())).collect();
        let name = options.name.clone();
        let state = Arc::new(State {
            options,
            recorder: recorder.clone(),
            rooms: Mutex::new(rooms),
            signals: Mutex::default(),
            notices: Mutex::default(),
            refusals: Mutex::default(),
        });
        let (connected, client) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(live(state.clone(), connected, stopped));
        Self { name, state, client, stop, task, recorder: recorder.clone() }
    }

    /// Waits until every room is subscribed, `wait` at most.
    pub async fn ready(&self, wait: Duration) -> anyhow::Result<()> {
        crate::poll::until(wait, "all rooms subscribed", || async {
            self.state.rooms.lock().values().all(|room| room.live)
        })
        .await
    }

    /// Waits until the member stands at `offset` of a room, `wait` at most.
    pub async fn reaches(&self, room: &str, offset: u64, wait: Duration) -> anyhow::Result<()> {
        crate::poll::until(wait, "the member at the head", || async {
            self.position(room).is_some_and(|(_, at)| at >= offset)
        })
        .await
    }

    /// Where it stands in a room.
    pub fn position(&self, room: &str) -> Option<(Arc<str>, u64)> {
        self.state.rooms.lock().get(room)?.position.clone()
    }

    /// Whether it is subscribed now.
    pub fn is_live(&self, room: &str) -> bool {
        self.state.rooms.lock().get(room).is_some_and(|room| room.live)
    }

    /// Joins and leaves that it was told so far: room, `join` or `leave`, info.
    pub fn signals(&self) -> Vec<(Arc<str>, &'static str, Value)> {
        self.state.signals.lock().clone()
    }

    /// Publications of server-side channels that it was told so far.
    pub fn notices(&self) -> Vec<Value> {
        self.state.notices.lock().clone()
    }

    /// Subscribes that were refused for good.
    pub fn refusals(&self) -> Vec<(Arc<str>, Refusal)> {
        self.state.refusals.lock().clone()
    }

    /// The connection that it holds now, if any.
    pub fn client(&self) -> Option<Arc<Client>> {
        self.client.borrow().clone()
    }

    /// Publishes until the server answers for good, `wait` at most. One id for all tries.
    pub async fn publish(&self, room: &Arc<str>, text: &str, wait: Duration) -> Outcome {
        let key: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let data = json!({"id": &*key, "kind": "text", "text": text}).to_string();
        let invoked_us = self.recorder.now_us();
        let begun = tokio::time::Instant::now();
        let mut tries = 0;
        let mut refused_once_unknown = false;
        let outcome = loop {
            if begun.elapsed() > wait {
                break Outcome::Info;
            }
            let Some(client) = self.connected(wait.saturating_sub(begun.elapsed())).await else {
                break Outcome::Info;
            };
            tries += 1;
            let call = json!({"method": "room.send", "data": {"room": &**room, "id": &*key,
                "data": serde_json::value::RawValue::from_string(data.clone()).ok()}});
            match client.command("rpc", call).await {
                Ok(result) => break acked(&result, self.recorder.now_us()),
                Err(CommandError::Refused(refusal)) if refusal.temporary => {
                    tokio::time::sleep(Duration::from_millis(50 * u64::from(tries.min(10)))).await;
                }
                Err(CommandError::Refused(_)) if !refused_once_unknown => break Outcome::Fail,
                Err(CommandError::Refused(_)) => break Outcome::Info,
                Err(CommandError::Unanswered(_)) => {
                    refused_once_unknown = true;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        self.recorder.published(Published {
            room: room.clone(),
            sender: self.name.clone(),
            key,
            print: print_of(data.as_bytes()),
            invoked_us,
            tries,
            outcome: outcome.clone(),
        });
        outcome
    }

    async fn connected(&self, wait: Duration) -> Option<Arc<Client>> {
        let mut client = self.client.clone();
        let found = tokio::time::timeout(wait, client.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }

    /// Closes and hands its records over.
    pub async fn finish(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
        let mut rooms = self.state.rooms.lock();
        for (room, state) in rooms.drain() {
            self.recorder.seen(MemberLog { member: self.name.clone(), room, seen: state.seen });
        }
    }
}

fn acked(result: &Value, at_us: u64) -> Outcome {
    let data = &result["data"];
    match (data["epoch"].as_str(), data["offset"].as_u64()) {
        (Some(epoch), Some(offset)) => Outcome::Ok { epoch: epoch.into(), offset, at_us },
        _ => Outcome::Info,
    }
}

/// Holds a connection for as long as the member lives.
async fn live(
    state: Arc<State>,
    connected: watch::Sender<Option<Arc<Client>>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut at = state.options.first;
    let mut failures = 0u32;
    while !*stopped.borrow() {
        let url = &state.options.urls[at % state.options.urls.len()];
        tokio::select! {
            _ = stopped.changed() => break,
            held = hold(&state, url, &connected) => match held {
                Ok(()) => failures = 0,
                Err(_) => failures += 1,
            },
        }
        connected.send_replace(None);
        state.rooms.lock().values_mut().for_each(|room| room.live = false);
        at += 1;
        let cap = BACKOFF_MAX.min(Duration::from_millis(50 << failures.min(6)));
        let jitter = cap.mul_f64(rand::random::<f64>());
        tokio::select! {
            _ = stopped.changed() => break,
            () = tokio::time::sleep(jitter) => {}
        }
    }
    connected.send_replace(None);
}

/// One connection, from its opening to its end. Fails if it never got signed in.
async fn hold(
    state: &Arc<State>,
    url: &str,
    connected: &watch::Sender<Option<Arc<Client>>>,
) -> anyhow::Result<()> {
    let (client, mut incoming) = Client::open(url).await?;
    let client = Arc::new(client);
    client.command("connect", json!({"token": state.options.token, "name": "member"})).await?;
    connected.send_replace(Some(client.clone()));
    let mut asked = Asked::default();
    let mut due: Vec<Arc<str>> = state.options.rooms.clone();
    let mut tick = tokio::time::interval(RESUBSCRIBE_WAIT);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                for room in due.drain(..) {
                    asked.subscribe(state, &client, room).await?;
                }
                if asked.overdue() {
                    return Ok(());
                }
            }
            message = incoming.recv() => match message {
                Some(Incoming::Push(push)) => due.extend(state.take(push)),
                Some(Incoming::Reply(id, result)) => due.extend(asked.answered(state, id, result)),
                Some(Incoming::Closed(code, _)) => {
                    state.recorder.closed(code);
                    return Ok(());
                }
                None => return Ok(()),
            },
        }
    }
}

/// Subscribes on their way: room and when it was asked.
#[derive(Default)]
struct Asked {
    by_id: HashMap<u32, (Arc<str>, u64, tokio::time::Instant)>,
}

impl Asked {
    async fn subscribe(
        &mut self,
        state: &State,
        client: &Client,
        room: Arc<str>,
    ) -> Result<(), CommandError> {
        let position = state.rooms.lock().get(&room).and_then(|room| room.position.clone());
        let arguments = match position {
            Some((epoch, offset)) => json!({"channel": &*room, "recover": true, "epoch": &*epoch,
                "offset": offset, "join_leave": true}),
            None => {
                json!({"channel": &*room, "positioned": true, "recoverable": true, "join_leave": true})
            }
        };
        let asked_us = state.recorder.now_us();
        let id = client.begin_in_band("subscribe", arguments).await?;
        self.by_id.insert(id, (room, asked_us, tokio::time::Instant::now()));
        Ok(())
    }

    /// An SDK drops the whole connection when a subscribe stays unanswered for 5 s.
    fn overdue(&self) -> bool {
        self.by_id.values().any(|(_, _, at)| at.elapsed() > Duration::from_secs(5))
    }

    /// Takes a subscribe's answer; gives the room back if it is to be asked again.
    fn answered(
        &mut self,
        state: &State,
        id: u32,
        result: Result<Value, Refusal>,
    ) -> Option<Arc<str>> {
        let (room, asked_us, _) = self.by_id.remove(&id)?;
        match result {
            Ok(result) => {
                if let Ok(subscribed) = serde_json::from_value(result) {
                    state.subscribed(&room, subscribed, asked_us);
                }
                None
            }
            Err(refusal) if refusal.temporary => Some(room),
            Err(refusal) => {
                state.refusals.lock().push((room, refusal));
                None
            }
        }
    }
}

impl State {
    fn subscribed(&self, room: &Arc<str>, result: Subscribed, asked_us: u64) {
        let at_us = self.recorder.now_us();
        let mut rooms = self.rooms.lock();
        let Some(state) = rooms.get_mut(room) else { return };
        state.live = true;
        state.position = Some((result.epoch.clone(), result.offset));
        state.seen.push(Seen::Subscribed {
            epoch: result.epoch,
            offset: result.offset,
            was_recovering: result.was_recovering,
            recovered: result.recovered,
            asked_us,
        });
        for publication in &result.publications {
            state.deliver(publication, at_us);
        }
    }

    /// Takes a push; gives a room back that is to be subscribed again.
    fn take(&self, push: Push) -> Option<Arc<str>> {
        let at_us = self.recorder.now_us();
        let mut rooms = self.rooms.lock();
        let Some(state) = rooms.get_mut(&push.channel) else {
            drop(rooms);
            if let Some(publication) = push.publication {
                let text = publication.data.get();
                self.notices.lock().extend(serde_json::from_str::<Value>(text));
            }
            return None;
        };
        if let Some(publication) = push.publication {
            state.deliver(&publication, at_us);
        } else if let Some(ended) = push.unsubscribe {
            state.live = false;
            let again = ended["code"].as_u64().is_some_and(|code| code >= 2500);
            return again.then(|| push.channel.clone());
        } else if let Some((what, info)) =
            push.join.map(|info| ("join", info)).or(push.leave.map(|info| ("leave", info)))
        {
            drop(rooms);
            self.signals.lock().push((push.channel, what, info["info"].clone()));
        }
        None
    }
}

impl RoomState {
    fn deliver(&mut self, publication: &Publication, at_us: u64) {
        let text = publication.data.get();
        let key = serde_json::from_str::<Keyed>(text).map(|keyed| keyed.id).unwrap_or_default();
        let epoch = self.position.as_ref().map(|(epoch, _)| epoch.clone()).unwrap_or_default();
        if publication.offset > 0 {
            self.position = Some((epoch.clone(), publication.offset));
        }
        let entry =
            Entry { epoch, offset: publication.offset, key, print: print_of(text.as_bytes()) };
        self.seen.push(Seen::Delivered { entry, at_us });
    }
}
