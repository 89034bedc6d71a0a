//! Keys that change while people connect all the time: nobody notices.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use testkit::client::Client;
use testkit::parts::{Keycloak, shared_keycloak};
use testkit::poll;

use crate::{House, s, turn};

/// How many connect at the same time.
const CROWD: usize = 3;
/// Connects that must have gone well before and after each change.
const ENOUGH: usize = 30;

/// What the crowd did.
#[derive(Default)]
struct Tally {
    connects: AtomicUsize,
    failures: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Tally {
    /// Waits for so many more good connects.
    async fn goes_on(&self) {
        let until = self.connects.load(Ordering::SeqCst) + ENOUGH;
        let enough = || async { self.connects.load(Ordering::SeqCst) >= until };
        poll::until(s(60), "connects that go well", enough).await.unwrap();
    }
}

/// Connects with a token of this moment, and again, until it is over.
async fn connects(keycloak: Keycloak, url: String, tally: Arc<Tally>) {
    let person = keycloak.new_person("load", &[]).await.unwrap();
    let mut tokens = keycloak.sign_in(&person).await.unwrap();
    while !tally.over.load(Ordering::SeqCst) {
        tokens = keycloak.refresh(&tokens.refresh_token).await.unwrap();
        match Client::connect(&url, &tokens.access_token).await {
            Ok(_) => drop(tally.connects.fetch_add(1, Ordering::SeqCst)),
            Err(error) => tally.failures.lock().unwrap().push(format!("{error:#}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soft_and_hard_rotations_under_load_fail_no_connect() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let person = keycloak.new_person("ann", &[]).await.unwrap();
    let first = keycloak.sign_in(&person).await.unwrap();
    // Somebody who stays through all of it.
    let (stays, _pushes) = house.connect(&first.access_token).await;

    let tally = Arc::new(Tally::default());
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| tokio::spawn(connects(keycloak.clone(), house.socket_url(), Arc::clone(&tally))))
        .collect();
    tally.goes_on().await;
    keycloak.rotate(false).await.unwrap();
    tally.goes_on().await;
    // The old key is still handed out: what it signed still opens.
    house.connect(&first.access_token).await;
    let second = keycloak.refresh(&first.refresh_token).await.unwrap();
    house.connect(&second.access_token).await;

    keycloak.rotate(true).await.unwrap();
    tally.goes_on().await;
    let third = keycloak.sign_in(&person).await.unwrap();
    house.connect(&third.access_token).await;
    tally.over.store(true, Ordering::SeqCst);
    for one in crowd {
        one.await.unwrap();
    }
    assert_eq!(*tally.failures.lock().unwrap(), Vec::<String>::new());

    // What a key signed that was taken away opens nothing, once the new set was fetched for a
    // token that names no known key.
    keycloak.rotate(true).await.unwrap();
    let fourth = keycloak.sign_in(&person).await.unwrap();
    house.connect(&fourth.access_token).await;
    for old in [&first, &second, &third] {
        let gone =
            || async { house.me(&old.access_token).await == Err("INVALID_CREDENTIAL".to_owned()) };
        poll::until(s(20), "the refusal of an old key's token", gone).await.unwrap();
    }
    stays.subscribe("general", None).await.unwrap();
}
