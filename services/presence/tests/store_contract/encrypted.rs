//! A Redis that speaks TLS: who is believed, and that presence is kept there as anywhere.
use presence::doctor::check;
use runtime::config::Secret;
use testkit::authority::Authority;
use testkit::parts::Encrypted;

use super::*;

/// A config for `url` that believes the authority of a Redis and nobody else.
fn believing(at: &Encrypted<Redis>, url: &str) -> PresenceConfig {
    let authority_file = Some(at.authority_file());
    PresenceConfig { store: Some(Secret::new(url)), authority_file, ..Bench::config() }
}

#[tokio::test]
async fn presence_is_kept_over_tls_and_again_after_redis_died() {
    let authority = Authority::new().unwrap();
    let at = Encrypted::<Redis>::start(&authority, &["localhost", "127.0.0.1"]).await.unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let url = at.url(host);
        let config = believing(&at, &url);
        assert_eq!(config.problems(), Vec::<String>::new());
        let said = check(&config).await.unwrap();
        assert!(said.ends_with(&format!("at {host}:{}", at.port)), "{said}");
        let store: Arc<dyn Store> = Arc::new(RedisStore::new(&url, &config).unwrap());
        let mut gateway = Gateway::open(&store, "gw-1").await;
        assert_eq!(gateway.renew().await, LeaseState::Held);
        at.part.kill9();
        assert!(store.gateways().await.is_err());
        at.part.restart().await.unwrap();
        gateway.open_again().await;
        assert_eq!(gateway.renew().await, LeaseState::Held);
    }
}

#[tokio::test]
async fn a_redis_that_cannot_prove_its_name_is_told_as_away() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let at = Encrypted::<Redis>::start(&authority, &["localhost"]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("stranger.crt");
    std::fs::write(&elsewhere, stranger.pem()).unwrap();
    let believed = believing(&at, &at.url("localhost"));
    for (what, config) in [
        (
            "another's authority",
            PresenceConfig { authority_file: Some(elsewhere), ..believed.clone() },
        ),
        ("the system's authorities", PresenceConfig { authority_file: None, ..believed.clone() }),
        ("another name", believing(&at, &at.url("127.0.0.1"))),
    ] {
        let said = check(&config).await.unwrap_err();
        assert!(said.contains("certificate"), "{what}: {said}");
    }
    let plain = believing(&at, &format!("redis://localhost:{}", at.port));
    assert!(check(&plain).await.is_err(), "plain text to a port of TLS");
    assert!(check(&believed).await.is_ok());
}

#[test]
fn what_would_believe_anybody_or_nobody_is_a_problem_of_its_key() {
    let problems = |url: &str, authority: Option<&str>| {
        let authority_file = authority.map(Into::into);
        let store = Some(Secret::new(url));
        PresenceConfig { store, authority_file, ..PresenceConfig::default() }.problems()
    };
    assert_eq!(problems("rediss://redis", None), Vec::<String>::new());
    let unchecked = problems("rediss://redis/#insecure", None);
    assert_eq!(unchecked, ["store: an address of a store has no #"]);
    let absent = problems("rediss://redis", Some("/nonexistent"));
    assert!(absent.len() == 1 && absent[0].starts_with("authority_file: /"), "{absent:?}");
}
