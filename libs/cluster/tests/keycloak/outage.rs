//! Keycloak is away: who is in stays in, who has a token gets in, and nobody is sent away for good.
use std::sync::Arc;

use serde_json::json;
use testkit::client::Incoming;
use testkit::issuer::{Algorithm, TestKey, TestToken};
use testkit::parts::shared_keycloak;
use testkit::poll;

use crate::{House, s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn while_keycloak_is_dead_sockets_stay_valid_tokens_connect_and_nothing_is_terminal() {
    let _turn = turn().await;
    let keycloak = shared_keycloak().await.unwrap();
    let house = House::open(keycloak).await;
    let ann = keycloak.new_person("ann", &[]).await.unwrap();
    let bob = keycloak.new_person("bob", &[]).await.unwrap();
    let of_ann = keycloak.sign_in(&ann).await.unwrap();
    let of_bob = keycloak.sign_in(&bob).await.unwrap();
    let (live, mut pushes) = house.connect(&of_ann.access_token).await;
    live.subscribe("general", None).await.unwrap();

    keycloak.kill9();
    assert!(keycloak.refresh(&of_ann.refresh_token).await.is_err(), "Keycloak is not dead");
    let (came, _more) = house.connect(&of_bob.access_token).await;
    came.subscribe("general", None).await.unwrap();
    let hello = json!({"channel": "general", "data": {"text": "still here"}});
    came.command("publish", hello.clone()).await.unwrap();
    live.command("publish", hello).await.unwrap();
    // A key that nobody can ask about now: it may be Keycloak's newest, so nobody is sent away.
    let key = Arc::new(TestKey::generate(Algorithm::Rs256).unwrap());
    let unknown = TestToken::like(&of_bob.access_token, &key).unwrap().by(&key).sign();
    assert_eq!(house.me(&unknown).await.unwrap_err(), "UNAVAILABLE");
    let (code, temporary) = house.refuses(&unknown).await;
    assert!(temporary, "{code}");
    // A signature that is wrong for a known key is proved wrong also now.
    let forged = TestToken::like(&of_bob.access_token, &key).unwrap().sign();
    assert_eq!(house.me(&forged).await.unwrap_err(), "INVALID_CREDENTIAL");

    keycloak.restart().await.unwrap();
    let back = || async { keycloak.refresh(&of_ann.refresh_token).await.ok() };
    let fresh = match keycloak.sign_in(&ann).await {
        Ok(tokens) => tokens,
        Err(_) => poll::found(s(60), "a token of the restarted Keycloak", back).await.unwrap(),
    };
    house.connect(&fresh.access_token).await;
    // Its keys outlived it, so what it signed before holds, and what was unknown is bad now.
    house.connect(&of_bob.access_token).await;
    let judged = || async { house.me(&unknown).await == Err("INVALID_CREDENTIAL".to_owned()) };
    poll::until(s(90), "a judgement", judged).await.unwrap();
    live.command("presence_stats", json!({"channel": "general"})).await.unwrap();
    while let Ok(push) = pushes.try_recv() {
        assert!(!matches!(push, Incoming::Closed(..)), "{push:?}");
    }
}
