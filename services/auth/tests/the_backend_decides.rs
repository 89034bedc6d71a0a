//! The operator's backend over real HTTP: what it grants and refuses, and every way in which it may fail.
//! A failure is never a refusal.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test is how a test speaks")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth::{AuthConfig, AuthService, BackendConfig, IssuerConfig, TokensConfig};
use bytes::Bytes;
use domain::{
    Admission, Admitted, Decision, Error, ErrorReason, Grant, Principal, PrincipalId, Refusal,
    RoomName,
};
use rpc::Call;
use rpc::auth::Auth;
use runtime::config::Secret;
use serde_json::{Value, json};
use testkit::backend::{Answer, SECRET, TestBackend};
use testkit::issuer::TestIssuer;
use testkit::poll;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

struct Place {
    auth: Arc<AuthService>,
    backend: TestBackend,
}

/// A service whose backend says what `rule` does, with a short patience.
async fn place(
    change: impl FnOnce(&mut AuthConfig),
    rule: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
) -> Place {
    let backend = TestBackend::start(rule).await.unwrap();
    let mut config = AuthConfig {
        backend: BackendConfig {
            connect_url: backend.url("/connect"),
            subscribe_url: backend.url("/subscribe"),
            subscribe_kinds: vec!["private".to_owned()],
            secret: Some(Secret::new(SECRET)),
            timeout_ms: 1_000,
            ..BackendConfig::default()
        },
        jwks_floor_ms: 100,
        ..AuthConfig::default()
    };
    change(&mut config);
    assert_eq!(config.problems(), Vec::<String>::new());
    let auth = auth::start(config, CancellationToken::new()).await.unwrap();
    Place { auth, backend }
}

fn call() -> Call {
    Call::within(Duration::from_secs(5))
}

fn with_token(token: &str) -> Admission {
    Admission { token: token.to_owned(), ..Admission::default() }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn ann() -> Principal {
    Principal {
        id: PrincipalId::new("backend", "ann"),
        name: "Ann".to_owned(),
        info: Bytes::new(),
        roles: vec!["editor".to_owned()],
        grants: Vec::new(),
    }
}

fn granted<T>(decision: Decision<T>) -> T {
    match decision {
        Decision::Granted(granted) => granted,
        Decision::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

impl Place {
    async fn admit(&self, admission: Admission) -> domain::Result<Decision<Admitted>> {
        self.auth.admit(call(), admission).await
    }

    async fn authorise(&self, room: &str) -> domain::Result<Decision<Grant>> {
        let room = RoomName::parse(room).unwrap();
        self.auth.authorise(call(), ann(), room, Bytes::from_static(b"{\"k\":1}")).await
    }

    /// Both questions fail, and invite to come again.
    async fn undecided(&self, what: &str) {
        for error in
            [self.admit(with_token("t")).await.err(), self.authorise("private:1").await.err()]
        {
            let unavailable = error.as_ref().is_some_and(Error::transient);
            assert!(unavailable, "{what}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_who_the_backend_says() {
    let end = now_s() + 600;
    let place = place(
        |_| (),
        move |path, question| {
            assert_eq!(path, "/connect");
            let room = json!({"room": "news", "info": {"n": 1}, "expire_at": end});
            let name = question["data"]["name"].clone();
            Answer::ok(json!({"principal": {"subject": "ann", "name": name, "roles": ["editor"]},
                "expire_at": end, "rooms": [room]}))
        },
    )
    .await;
    let admission = Admission {
        token: "opaque".to_owned(),
        data: Bytes::from_static(b"{\"name\":\"Ann\"}"),
        name: "js".to_owned(),
        version: "5".to_owned(),
        headers: [("x-tenant".to_owned(), "7".to_owned())].into(),
        address: Some("192.0.2.7".parse().unwrap()),
        refresh: None,
    };
    let Admitted { verified, guarded_kinds } = granted(place.admit(admission).await.unwrap());
    assert_eq!(guarded_kinds, ["private"]);
    assert_eq!(verified.principal, ann());
    let end_ms = end as i64 * 1_000;
    assert_eq!(verified.expires_at_ms, Some(end_ms));
    let news = RoomName::parse("news").unwrap();
    let grant = Grant { until_ms: Some(end_ms), info: "{\"n\":1}".into(), ..Grant::new(news) };
    assert_eq!(verified.rooms, [grant]);
    let expected = json!({
        "type": "connect", "token": "opaque", "data": {"name": "Ann"}, "address": "192.0.2.7",
        "client": {"name": "js", "version": "5"}, "headers": {"x-tenant": "7"},
    });
    assert_eq!(place.backend.asked(), [("/connect".to_owned(), expected)]);
    // Who wants to stay is asked for again, by name.
    let refresh = Some(PrincipalId::new("backend", "ann"));
    granted(place.admit(Admission { refresh, ..with_token("next") }).await.unwrap());
    let asked = place.backend.asked();
    assert_eq!((&asked[0].1["type"], &asked[0].1["token"]), (&json!("refresh"), &json!("next")));
    assert_eq!(asked[0].1["principal"], json!({"issuer": "backend", "subject": "ann"}));
}

#[tokio::test]
async fn a_subscription_is_granted_in_guarded_kinds_alone() {
    let place = place(
        |_| (),
        |_, _| {
            Answer::ok(
                json!({"grant": {"info": {"n": 1}, "override": {"presence": {"value": false}}}}),
            )
        },
    )
    .await;
    let grant = granted(place.authorise("private:1").await.unwrap());
    assert_eq!((grant.room.as_str(), &grant.info[..]), ("private:1", &b"{\"n\":1}"[..]));
    assert_eq!((grant.until_ms, grant.overrides.presence), (None, Some(false)));
    let expected = json!({
        "type": "subscribe", "room": "private:1", "data": {"k": 1},
        "principal": {"issuer": "backend", "subject": "ann", "name": "Ann", "roles": ["editor"]},
    });
    assert_eq!(place.backend.asked(), [("/subscribe".to_owned(), expected)]);
    for room in ["general", "privateer:1", "other:private:1"] {
        let error = place.authorise(room).await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::PermissionDenied, "{room}");
    }
    assert_eq!(place.backend.asked(), []);
}

#[tokio::test]
async fn its_refusals_come_in_its_own_words() {
    let error = json!({"error": {"code": 1402, "message": "pay first"}});
    let place = place(|_| (), move |_, _| Answer::ok(&error)).await;
    let (code, message) = (1_402, "pay first".to_owned());
    let refusal = Refusal::Error { code, message, temporary: false };
    assert_eq!(place.admit(with_token("t")).await.unwrap(), Decision::Refused(refusal.clone()));
    assert_eq!(place.authorise("private:1").await.unwrap(), Decision::Refused(refusal));
    let disconnect = json!({"disconnect": {"reason": "banned", "reconnect": true}});
    place.backend.answer(move |_, _| Answer::ok(&disconnect));
    let refusal = Refusal::Disconnect { reason: "banned".to_owned(), reconnect: true };
    assert_eq!(place.admit(with_token("t")).await.unwrap(), Decision::Refused(refusal.clone()));
    assert_eq!(place.authorise("private:1").await.unwrap(), Decision::Refused(refusal));
}

#[tokio::test]
async fn what_ended_before_it_was_granted_is_an_ended_credential() {
    let past = now_s() - 5;
    let both =
        json!({"principal": {"subject": "ann"}, "expire_at": past, "grant": {"expire_at": past}});
    let place = place(|_| (), move |_, _| Answer::ok(&both)).await;
    let error = place.admit(with_token("t")).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CredentialExpired);
    let error = place.authorise("private:1").await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CredentialExpired);
}

#[tokio::test]
async fn whatever_goes_wrong_is_no_refusal() {
    let fine = json!({"principal": {"subject": "ann"}, "grant": {}});
    let place = place(|_| (), |_, _| Answer::ok("")).await;
    let large = " ".repeat(256 * 1024) + &fine.to_string();
    let slow = Duration::from_secs(60);
    for (what, answer) in [
        ("nothing", Answer::ok("")),
        ("no JSON", Answer::ok("<html>")),
        ("half an answer", Answer::ok("{\"principal\":{")),
        ("another shape", Answer::ok(json!({"result": {"user": "ann"}}))),
        ("too large", Answer::ok(large)),
        ("unauthorised", Answer::status(401, &fine)),
        ("forbidden", Answer::status(403, &fine)),
        ("not found", Answer::status(404, &fine)),
        ("created", Answer::status(201, &fine)),
        ("no content", Answer::status(204, "")),
        ("failed", Answer::status(500, &fine)),
        ("overloaded", Answer::status(503, &fine)),
        ("slow", Answer::ok(&fine).after(slow)),
    ] {
        place.backend.answer(move |_, _| answer.clone());
        let began = Instant::now();
        place.undecided(what).await;
        assert!(began.elapsed() < Duration::from_secs(4), "{what} took its time");
    }
    place.backend.answer(move |_, _| Answer::ok(&fine));
    granted(place.admit(with_token("t")).await.unwrap());
    granted(place.authorise("private:1").await.unwrap());
    place.backend.stop();
    place.undecided("down").await;
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = TestBackend::start(|_, _| {
        Answer::ok(json!({"principal": {"subject": "eve"}, "grant": {}}))
    })
    .await
    .unwrap();
    let location = elsewhere.url("/connect");
    let place = place(|_| (), |_, _| Answer::ok("")).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = Answer { location: location.clone(), ..Answer::status(status, "") };
        place.backend.answer(move |_, _| redirect.clone());
        place.undecided("redirect").await;
    }
    assert_eq!(elsewhere.asked(), []);
}

#[tokio::test]
async fn a_request_that_is_signed_otherwise_is_not_believed() {
    let other = Secret::new("another secret of more than thirty-two bytes");
    let place = place(
        |config| config.backend.secret = Some(other),
        |_, _| Answer::ok(json!({"principal": {"subject": "ann"}, "grant": {}})),
    )
    .await;
    place.undecided("another secret").await;
    assert_eq!(place.backend.asked(), []);
}

#[tokio::test]
async fn tokens_that_can_be_judged_here_are_shown_to_nobody() {
    let issuer = TestIssuer::start().await.unwrap();
    let url = issuer.url().to_owned();
    let place = place(
        |config| config.issuers = vec![IssuerConfig { url, ..IssuerConfig::default() }],
        |_, _| Answer::ok(json!({"principal": {"subject": "eve"}})),
    )
    .await;
    poll::until(SOON, "the issuer's keys", || async { place.auth.knows_keys() }).await.unwrap();
    let token = issuer.token("ann").sign();
    let verified = granted(place.admit(with_token(&token)).await.unwrap()).verified;
    assert_eq!(&*verified.principal.id.issuer, issuer.url());
    // One that has ended is refused here; the backend does not make it good again.
    let ended = issuer.token("ann").ttl_s(-600).sign();
    let error = place.admit(with_token(&ended)).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::CredentialExpired);
    assert_eq!(place.backend.asked(), []);
    // Without a token, or with one of nobody that is known here, it is asked.
    for token in ["", "opaque", "e30.e30.e30"] {
        let verified = granted(place.admit(with_token(token)).await.unwrap()).verified;
        assert_eq!(verified.principal.id, PrincipalId::new("backend", "eve"), "{token}");
    }
    // And never for a call that is no connection.
    let credential = domain::Credential::Bearer("opaque".to_owned());
    let error = place.auth.verify(call(), credential).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidCredential);
    assert_eq!(place.backend.asked().len(), 3);
}

#[tokio::test]
async fn own_keys_go_before_the_backend_too() {
    let tokens = TokensConfig { hmac_secret: Some(Secret::new(SECRET)), ..TokensConfig::default() };
    let rule = |_: &str, _: &Value| Answer::ok(json!({"principal": {"subject": "eve"}}));
    let place = place(|config| config.tokens = tokens, rule).await;
    let error = place.admit(with_token("opaque")).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::InvalidCredential);
    assert_eq!(place.backend.asked(), []);
    granted(place.admit(Admission::default()).await.unwrap());
}

#[tokio::test]
async fn only_so_many_are_asked_at_once_and_the_others_wait_within_their_time() {
    let place = place(
        |config| config.backend.requests_in_flight_max = 2,
        |_, _| {
            Answer::ok(json!({"principal": {"subject": "ann"}})).after(Duration::from_millis(400))
        },
    )
    .await;
    let place = Arc::new(place);
    let mut asking = JoinSet::new();
    let began = Instant::now();
    for _ in 0..12 {
        let place = place.clone();
        asking.spawn(async move { place.admit(with_token("t")).await });
    }
    let all = asking.join_all().await;
    let (good, late): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    // Two rounds fit into a second; whoever has no turn by then is told to come again.
    assert!((2..=4).contains(&good.len()), "{} were let in", good.len());
    assert!(late.iter().all(|one| one.as_ref().is_err_and(Error::transient)));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(place.backend.asked().len() <= 6, "more than two at once");
}
