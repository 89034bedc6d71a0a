//! Rotation, floods of unknown keys, outages and nonsense of an issuer: good log-ins go on, the
//! issuer is asked rarely, and what cannot be decided is transient.
#![expect(clippy::unwrap_used, reason = "a failed test is how a test speaks")]

use std::sync::Arc;
use std::time::Duration;

use auth::{AuthConfig, AuthService, GivenKeys, IssuerConfig};
use domain::{Credential, ErrorReason};
use rpc::Call;
use rpc::auth::Auth;
use serde_json::json;
use testkit::issuer::{Algorithm, TestIssuer, TestKey};
use testkit::poll;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

fn config(issuer: &TestIssuer, floor_ms: u64) -> AuthConfig {
    let trusted = IssuerConfig { url: issuer.url().to_owned(), ..IssuerConfig::default() };
    AuthConfig {
        issuers: vec![trusted],
        jwks_floor_ms: floor_ms,
        fetch_timeout_ms: 1_000,
        ..AuthConfig::default()
    }
}

async fn start(config: AuthConfig) -> Arc<AuthService> {
    auth::start(config, CancellationToken::new()).await.unwrap()
}

async fn verify(auth: &AuthService, token: String) -> Result<(), ErrorReason> {
    let call = Call::within(Duration::from_secs(2));
    let result = auth.verify(call, Credential::Bearer(token)).await;
    result.map(|_| ()).map_err(|error| error.reason)
}

#[tokio::test]
async fn keys_rotate_without_a_failed_log_in() {
    let issuer = TestIssuer::start().await.unwrap();
    let auth = start(config(&issuer, 200)).await;
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa, Algorithm::Es256] {
        let before = issuer.token("alice");
        assert_eq!(verify(&auth, before.sign()).await, Ok(()));
        issuer.rotate(algorithm).unwrap();
        let after = issuer.token("alice");
        let many = (0..50).map(|_| {
            let (auth, token) = (Arc::clone(&auth), after.sign());
            tokio::spawn(async move { verify(&auth, token).await })
        });
        for one in many.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(verify(&auth, before.sign()).await, Ok(()), "the older key is still published");
    }
    assert_eq!(issuer.jwks_fetches(), 5, "one at the start, one for each new key");
}

#[tokio::test]
async fn a_key_that_left_the_set_is_refused() {
    let issuer = TestIssuer::start().await.unwrap();
    let auth = start(config(&issuer, 200)).await;
    let old = issuer.token("alice");
    assert_eq!(verify(&auth, old.sign()).await, Ok(()));
    issuer.rotate(Algorithm::Es256).unwrap();
    issuer.retire();
    assert_eq!(verify(&auth, issuer.token("alice").sign()).await, Ok(()));
    assert_eq!(verify(&auth, old.sign()).await, Err(ErrorReason::InvalidCredential));
}

#[tokio::test]
async fn keys_are_fetched_again_before_anybody_asks() {
    let issuer = TestIssuer::start().await.unwrap();
    let mut config = config(&issuer, 100);
    config.jwks_refresh_ms = 300;
    let _auth = start(config).await;
    poll::until(PATIENCE, "three fetches", async || issuer.jwks_fetches() >= 3).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_few_fetches_and_hinders_nobody() {
    let issuer = TestIssuer::start().await.unwrap();
    let auth = start(config(&issuer, 1_000)).await;
    let good = issuer.token("alice");
    assert_eq!(verify(&auth, good.sign()).await, Ok(()));
    let began = Instant::now();
    let mut sent = 0_u32;
    let mut waiting = tokio::task::JoinSet::new();
    while began.elapsed() < Duration::from_secs(4) {
        for _ in 0..50 {
            let kid = uuid::Uuid::new_v4().to_string();
            let token = issuer.token("mallory").header("kid", json!(kid)).with_signature(b"no");
            let auth = Arc::clone(&auth);
            waiting.spawn(async move { verify(&auth, token).await });
            sent += 1;
        }
        assert_eq!(verify(&auth, good.sign()).await, Ok(()), "a known key is looked up at once");
        tokio::task::yield_now().await;
    }
    let fetches = issuer.jwks_fetches();
    assert!((2..=6).contains(&fetches), "{fetches} fetches for {sent} unknown keys in 4 s");
    assert!(sent > 2_000, "{sent}");
    let (mut refused, mut transient) = (0, 0);
    while let Some(result) = waiting.join_next().await {
        match result.unwrap() {
            Err(ErrorReason::InvalidCredential) => refused += 1,
            Err(ErrorReason::KeyUnknown | ErrorReason::Unavailable) => transient += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0 && transient > 0, "{refused} proved absent, {transient} not yet");
}

#[tokio::test]
async fn auth_starts_while_the_issuer_is_down_and_recovers_alone() {
    let mut issuer = TestIssuer::start().await.unwrap();
    issuer.stop().await;
    let auth = start(config(&issuer, 500)).await;
    let token = issuer.token("alice").sign();
    for _ in 0..5 {
        assert_eq!(verify(&auth, token.clone()).await, Err(ErrorReason::Unavailable));
    }
    assert!(!auth.knows_keys());
    issuer.resume().await.unwrap();
    poll::until(PATIENCE, "the keys are known", async || auth.knows_keys()).await.unwrap();
    assert_eq!(verify(&auth, token).await, Ok(()));
}

#[tokio::test]
async fn known_keys_outlive_the_issuer_and_unknown_ones_are_transient() {
    let mut issuer = TestIssuer::start().await.unwrap();
    let mut config = config(&issuer, 100);
    config.jwks_refresh_ms = 1_000;
    let auth = start(config).await;
    let known = issuer.token("alice").sign();
    assert_eq!(verify(&auth, known.clone()).await, Ok(()));
    let fetched = issuer.jwks_fetches();
    issuer.stop().await;
    let made_meanwhile = issuer.rotate(Algorithm::Es256).unwrap();
    let unknown = issuer.token("bob").by(&made_meanwhile).sign();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(verify(&auth, known.clone()).await, Ok(()));
        assert_eq!(verify(&auth, unknown.clone()).await, Err(ErrorReason::Unavailable));
    }
    assert_eq!(issuer.jwks_fetches(), fetched, "it was down");
    issuer.resume().await.unwrap();
    let found = async || verify(&auth, unknown.clone()).await.is_ok();
    poll::until(PATIENCE, "the new key", found).await.unwrap();
    assert_eq!(verify(&auth, known).await, Ok(()));
}

#[tokio::test]
async fn nonsense_of_the_issuer_changes_nothing() {
    let issuer = TestIssuer::start().await.unwrap();
    let auth = start(config(&issuer, 100)).await;
    let known = issuer.token("alice").sign();
    assert_eq!(verify(&auth, known.clone()).await, Ok(()));
    let (_, later) = (issuer.rotate(Algorithm::Es256).unwrap(), issuer.token("bob").sign());
    let many = (0..51).map(|n| TestKey::with_kid(Algorithm::EdDsa, n.to_string()).unwrap().jwk());
    let many = json!({ "keys": many.collect::<Vec<_>>() }).to_string();
    let encryption =
        json!({ "keys": [{"kty": "RSA", "use": "enc", "kid": "e", "n": "AQAB", "e": "AQAB"}] });
    let huge = format!("{{\"keys\":[{}]}}", " ".repeat(auth::oidc::ANSWER_BYTES_MAX));
    for (status, body) in [
        (200, "{\"keys\":[]}"),
        (200, "{"),
        (200, "<html>"),
        (200, many.as_str()),
        (200, &encryption.to_string()),
        (200, huge.as_str()),
        (500, "{}"),
        (302, "{}"),
        (404, "{\"keys\":[]}"),
    ] {
        issuer.answer_instead(status, body);
        let asked = issuer.jwks_fetches();
        let result = verify(&auth, later.clone()).await;
        assert_eq!(result, Err(ErrorReason::Unavailable), "{status} {:.40}", body);
        assert_eq!(verify(&auth, known.clone()).await, Ok(()));
        assert!(issuer.jwks_fetches() > asked, "{status} {:.40} was really asked for", body);
    }
    issuer.answer_well();
    poll::until(PATIENCE, "the new key", async || verify(&auth, later.clone()).await.is_ok())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_slow_issuer_makes_nobody_wait_beyond_the_deadline() {
    let issuer = TestIssuer::start().await.unwrap();
    let auth = start(config(&issuer, 100)).await;
    assert_eq!(verify(&auth, issuer.token("alice").sign()).await, Ok(()));
    issuer.answer_late(Duration::from_secs(30));
    issuer.rotate(Algorithm::Es256).unwrap();
    let token = issuer.token("alice").sign();
    let began = Instant::now();
    assert_eq!(verify(&auth, token).await, Err(ErrorReason::Unavailable));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_key_set_of_its_own_url_needs_no_discovery() {
    let issuer = TestIssuer::start().await.unwrap();
    let mut config = config(&issuer, 100);
    config.issuers[0].url = "https://id.example/realms/chat".to_owned();
    config.issuers[0].jwks_url = issuer.jwks_url();
    assert_eq!(config.problems(), Vec::<String>::new());
    let auth = start(config).await;
    let token = issuer.token("alice").claim("iss", json!("https://id.example/realms/chat"));
    assert_eq!(verify(&auth, token.sign()).await, Ok(()));
    assert_eq!((issuer.discoveries(), issuer.jwks_fetches()), (0, 1));
}

#[tokio::test]
async fn a_given_key_set_is_never_fetched() {
    let issuer = TestIssuer::start().await.unwrap();
    let given = GivenKeys { issuer: issuer.url().to_owned(), jwks: issuer.jwks().to_string() };
    let shutdown = CancellationToken::new();
    let auth = auth::start_with_keys(config(&issuer, 100), vec![given], shutdown).await.unwrap();
    assert_eq!(verify(&auth, issuer.token("alice").sign()).await, Ok(()));
    issuer.rotate(Algorithm::Es256).unwrap();
    let unknown = verify(&auth, issuer.token("alice").sign()).await;
    assert_eq!(unknown, Err(ErrorReason::InvalidCredential));
    assert_eq!((issuer.discoveries(), issuer.jwks_fetches()), (0, 0));
}

#[tokio::test]
async fn the_doctor_asks_each_issuer() {
    let (good, mut down) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    down.stop().await;
    let mut config = config(&good, 100);
    config.issuers.push(IssuerConfig { url: down.url().to_owned(), ..IssuerConfig::default() });
    let findings = auth::doctor::check(&config).await;
    assert_eq!(findings[0].1, Ok("1 keys to verify with".to_owned()));
    assert!(findings[1].0.ends_with(down.url()) && findings[1].1.is_err(), "{findings:?}");
}
