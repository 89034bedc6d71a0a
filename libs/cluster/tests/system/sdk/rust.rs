//! The official Rust SDK through every story, in both formats. It is a dependency of tests alone.
mod chat;
mod formats;
mod limits;
mod recovery;
mod tokens;

use std::sync::{Arc, Mutex};

use centrifuge::{
    Client, ClientInfo, Error, Protocol, Publication, SubscribedEvent, Subscription,
    SubscriptionBuilder, TokenError,
};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testkit::poll;

use super::stage::Stage;
use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sdk_does_everything_in_json() {
    play(Protocol::Json).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_sdk_does_everything_in_protobuf() {
    play(Protocol::Protobuf).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_protobuf_share_a_room() {
    let _turn = turn().await;
    let stage = Arc::new(Stage::start().await);
    formats::play(&Hall { stage, protocol: Protocol::Json }).await;
}

/// No batches: the SDK sends a command as it comes.
async fn play(protocol: Protocol) {
    let _turn = turn().await;
    let hall = Hall { stage: Arc::new(Stage::start().await), protocol };
    chat::play(&hall).await;
    limits::play(&hall).await;
    recovery::play(&hall).await;
    tokens::play(&hall).await;
}

/// Where the stories are played, and in which format.
struct Hall {
    stage: Arc<Stage>,
    protocol: Protocol,
}

/// What becomes of a client.
#[derive(Default)]
struct Life {
    connecting: Notes<u32>,
    connected: Notes<String>,
    disconnected: Notes<u32>,
    server_side: Notes<String>,
}

/// What a subscription hears.
#[derive(Default)]
struct Heard {
    subscribed: Notes<SubscribedEvent>,
    unsubscribed: Notes<u32>,
    publications: Notes<Publication>,
    joined: Notes<String>,
    left: Notes<String>,
}

/// A list that handlers write and the story reads.
struct Notes<T>(Mutex<Vec<T>>);

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Notes<T> {
    fn add(&self, item: T) {
        self.0.lock().unwrap().push(item);
    }

    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Somebody behind a door.
struct Person {
    client: Client,
    life: Arc<Life>,
}

impl Hall {
    /// The same place in another format.
    fn speaking(&self, protocol: Protocol) -> Self {
        Self { stage: Arc::clone(&self.stage), protocol }
    }

    /// Somebody with a token that lasts.
    fn person(&self, door: usize, name: &'static str) -> Person {
        let stage = Arc::clone(&self.stage);
        self.person_with(door, move || Ok(stage.token(name, 600)))
    }

    /// Somebody who has tokens from there.
    fn person_with<F>(&self, door: usize, token: F) -> Person
    where
        F: Fn() -> Result<String, TokenError> + Send + Sync + 'static,
    {
        let life = Arc::new(Life::default());
        let [connecting, connected, disconnected, server_side] = [0; 4].map(|_| Arc::clone(&life));
        let address = self.stage.doors[door].address();
        let client = Client::builder(format!("ws://{address}/ws"))
            .protocol(self.protocol)
            .min_reconnect_delay(std::time::Duration::from_millis(50))
            .max_reconnect_delay(std::time::Duration::from_millis(500))
            .get_token(move |_| std::future::ready(token().map(Some)))
            .on_connecting(move |_, event| connecting.connecting.add(event.code))
            .on_connected(move |_, event| connected.connected.add(event.client_id))
            .on_disconnected(move |_, event| disconnected.disconnected.add(event.code))
            .on_subscribed(move |_, event| server_side.server_side.add(event.channel))
            .build()
            .unwrap();
        Person { client, life }
    }
}

impl Person {
    async fn connect(&self) {
        self.client.connect().unwrap();
        self.client.ready(Some(s(20))).await.unwrap();
    }

    /// A subscription that can recover, and all that it hears.
    fn listen(&self, room: &str) -> Ear {
        self.listen_with(room, |subscription| subscription)
    }

    fn listen_with(
        &self,
        room: &str,
        options: impl FnOnce(SubscriptionBuilder) -> SubscriptionBuilder,
    ) -> Ear {
        let heard = Arc::new(Heard::default());
        let [subscribed, unsubscribed, publications, joined, left] =
            [0; 5].map(|_| Arc::clone(&heard));
        let subscription = self
            .client
            .new_subscription(room)
            .positioned(true)
            .recoverable(true)
            .join_leave(true)
            .min_resubscribe_delay(std::time::Duration::from_millis(50))
            .max_resubscribe_delay(std::time::Duration::from_millis(500))
            .on_subscribed(move |_, event| subscribed.subscribed.add(event))
            .on_unsubscribed(move |_, event| unsubscribed.unsubscribed.add(event.code))
            .on_publication(move |_, event| publications.publications.add(event.publication))
            .on_join(move |_, event| joined.joined.add(name_of(&event.info)))
            .on_leave(move |_, event| left.left.add(name_of(&event.info)));
        Ear { subscription: options(subscription).build().unwrap(), heard }
    }
}

/// A subscription and what it heard.
struct Ear {
    subscription: Subscription,
    heard: Arc<Heard>,
}

impl Ear {
    /// Subscribes and gives what the SDK says of it.
    async fn subscribe(&self) -> SubscribedEvent {
        let before = self.heard.subscribed.count();
        self.subscription.subscribe();
        until("subscribed", || self.heard.subscribed.count() > before).await;
        self.heard.subscribed.all().pop().unwrap()
    }

    /// Publishes so many messages without waiting for answers, and then for all of them.
    async fn say(&self, count: usize) {
        let texts = (0..count).map(|index| json!({"text": index.to_string()}).to_string());
        try_join_all(texts.map(|text| self.subscription.publish(text))).await.unwrap();
    }

    /// Every offset was heard, once and in order; a push may come after the publish's answer.
    async fn heard_all(&self, first: u64, last: u64) {
        let offsets = || -> Vec<u64> {
            self.heard.publications.all().iter().map(|publication| publication.offset).collect()
        };
        let what = format!("offsets up to {last}");
        until(&what, || offsets().last().is_some_and(|offset| *offset >= last)).await;
        assert_eq!(offsets(), (first..=last).collect::<Vec<_>>());
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    poll::until(s(20), what, || std::future::ready(holds())).await.unwrap();
}

fn value(data: &[u8]) -> Value {
    serde_json::from_slice(data).unwrap()
}

fn name_of(info: &ClientInfo) -> String {
    value(info.conn_info.as_ref().unwrap())["name"].as_str().unwrap().to_owned()
}

/// The code of the error that something ended with; 0 for none.
fn refusal<T>(ended: Result<T, Error>) -> u32 {
    match ended {
        Ok(_) => 0,
        Err(Error::Server(error)) => error.code,
        Err(error) => panic!("{error}"),
    }
}
