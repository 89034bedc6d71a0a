//! Tokens of three seconds. The SDK asks the application for fresh ones; the gateway gives 3 s of grace.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use centrifuge::{State, TokenError};
use tokio::time::Instant;

use super::{Hall, Person, until};
use crate::s;

/// Where an application has its tokens from; each ends soon.
#[derive(Default)]
struct Source {
    asked: AtomicUsize,
    broken: AtomicBool,
}

impl Source {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(super) async fn play(hall: &Hall) {
    tokio::join!(
        refresh(hall),
        expiry_while_connected(hall),
        expiry_while_offline(hall),
        forged(hall)
    );
}

fn short_lived(hall: &Hall, door: usize, name: &'static str) -> (Person, Arc<Source>) {
    let source = Arc::new(Source::default());
    let (stage, from) = (Arc::clone(&hall.stage), Arc::clone(&source));
    let person = hall.person_with(door, move || {
        from.asked.fetch_add(1, Ordering::SeqCst);
        if from.broken.load(Ordering::SeqCst) {
            return Err(TokenError::Other("no tokens today".into()));
        }
        Ok(stage.token(name, 3))
    });
    (person, source)
}

/// Connected for longer than the first token and its grace last, and never away.
async fn refresh(hall: &Hall) {
    let (erin, source) = short_lived(hall, 0, "erin");
    erin.connect().await;
    until("four tokens", || source.asked() >= 4).await;
    assert_eq!((erin.client.state(), erin.life.connecting.count()), (State::Connected, 1));
    erin.client.close().await;
}

/// No fresh token to be had: the gateway closes, and the client is back when there are some again.
async fn expiry_while_connected(hall: &Hall) {
    let (frank, source) = short_lived(hall, 0, "frank");
    frank.connect().await;
    source.broken.store(true, Ordering::SeqCst);
    until("the close", || frank.life.connecting.all().contains(&3005)).await;
    source.broken.store(false, Ordering::SeqCst);
    until("the return", || frank.life.connected.count() == 2).await;
    frank.client.close().await;
}

/// The token ends while there is no way to the gateway: error 109 makes the SDK ask for another.
async fn expiry_while_offline(hall: &Hall) {
    let (grace, source) = short_lived(hall, 1, "grace");
    grace.connect().await;
    let ended = Instant::now() + s(4);
    hall.stage.doors[1].shut();
    until("the loss", || grace.life.connecting.count() == 2).await;
    let asked = source.asked();
    tokio::time::sleep_until(ended).await;
    hall.stage.doors[1].reopen();
    until("the return", || grace.life.connected.count() == 2).await;
    assert!(source.asked() > asked);
    grace.client.close().await;
}

/// A token that nobody trusted has signed ends it for good.
async fn forged(hall: &Hall) {
    let stage = Arc::clone(&hall.stage);
    let mallory = hall.person_with(0, move || Ok(stage.forged_token("mallory")));
    mallory.client.connect().unwrap();
    until("the end", || mallory.life.disconnected.all() == [3500]).await;
    mallory.client.close().await;
}
