//! Tokens of the operator's own keys: what they give, and every one that is refused: other
//! algorithms, other keys, public keys taken for secrets, claims that do not fit, tokens for rooms
//! shown as tokens for connections and the other way round.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test is how a test speaks")]

use std::sync::Arc;
use std::time::Duration;

use auth::{AuthConfig, AuthService, IssuerConfig, TokensConfig};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::{Credential, ErrorReason, Grant, PrincipalId, RoomName, Verified};
use rpc::Call;
use rpc::auth::Auth;
use runtime::config::Secret;
use serde_json::{Value, json};
use testkit::issuer::{Algorithm, TestIssuer, TestKey, TestToken};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "secret";
/// A key's name that binds it to another algorithm than it signs with.
const BOUND: &str = "bound";

struct Place {
    auth: Arc<AuthService>,
    keys: Vec<Arc<TestKey>>,
    issuer: TestIssuer,
    _folder: tempfile::TempDir,
}

/// A service with a secret and a key set with a key of each sort, beside an OIDC issuer.
async fn place(change: impl FnOnce(&mut AuthConfig)) -> Place {
    let sorts = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
    let keys: Vec<_> =
        sorts.into_iter().map(|sort| Arc::new(TestKey::generate(sort).unwrap())).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let mut set: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    // The PS256 key once more, under a name that says that it is for RS256 alone.
    let mut bound = keys[1].jwk();
    (bound["kid"], bound["alg"]) = (json!(BOUND), json!("RS256"));
    set.push(bound);
    let set = json!({ "keys": set });
    std::fs::write(&file, set.to_string()).unwrap();
    let issuer = TestIssuer::start().await.unwrap();
    let mut config = AuthConfig {
        issuers: vec![IssuerConfig { url: issuer.url().to_owned(), ..IssuerConfig::default() }],
        tokens: TokensConfig {
            hmac_secret: Some(Secret::new(SECRET)),
            jwks_file: Some(file),
            ..TokensConfig::default()
        },
        jwks_floor_ms: 100,
        ..AuthConfig::default()
    };
    change(&mut config);
    assert_eq!(config.problems(), Vec::<String>::new());
    let auth = auth::start(config, CancellationToken::new()).await.unwrap();
    Place { auth, keys, issuer, _folder: folder }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Any claims under any header, signed with that HMAC, whatever the header says.
fn hmac_with(kind: hmac::Algorithm, secret: &[u8], header: &Value, claims: &str) -> String {
    let unsigned = format!("{}.{}", encode(header.to_string()), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(kind, secret), unsigned.as_bytes());
    format!("{unsigned}.{}", encode(tag.as_ref()))
}

/// What a backend makes.
fn made(claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    hmac_with(hmac::HMAC_SHA256, SECRET.as_bytes(), &header, &claims.to_string())
}

fn with_header(header: &Value) -> String {
    let claims = json!({"sub": "ann"}).to_string();
    hmac_with(hmac::HMAC_SHA256, SECRET.as_bytes(), header, &claims)
}

/// The same by a key of the set, under any header.
fn made_by(key: &TestKey, header: &Value, claims: &Value) -> String {
    let unsigned = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = key.sign(unsigned.as_bytes()).unwrap();
    format!("{unsigned}.{}", encode(signature))
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn ann() -> PrincipalId {
    PrincipalId::new("static", "ann")
}

impl Place {
    async fn verify(&self, token: impl Into<String>) -> domain::Result<Verified> {
        let call = Call::within(Duration::from_secs(2));
        self.auth.verify(call, Credential::Bearer(token.into())).await
    }

    async fn refused(&self, what: &str, token: impl Into<String>) {
        let error = self.verify(token).await.expect_err(what);
        assert_eq!(error.reason, ErrorReason::InvalidCredential, "{what}: {error}");
    }

    async fn open(&self, who: PrincipalId, name: &str, token: &str) -> Result<Grant, ErrorReason> {
        let call = Call::within(Duration::from_secs(2));
        let grant = self.auth.verify_subscription(call, who, room(name), token.to_owned()).await;
        grant.map_err(|error| error.reason)
    }
}

#[tokio::test]
async fn a_backends_token_says_who_somebody_is_and_what_is_shown() {
    let place = place(|config| config.tokens.roles_claim = vec!["roles".to_owned()]).await;
    let now = now_s();
    let token = made(&json!({
        "sub": "ann", "iss": "backend", "exp": now + 60, "iat": now, "nbf": now, "jti": "1",
        "name": "Ann", "roles": ["admin"], "info": {"age": 7}, "meta": {"secret": 1},
        "channels": ["news", "no.room"],
        "subs": {"general": {"info": [1], "data": {"hi": true},
            "override": {"join_leave": {"value": true}, "force_push_join_leave": {"value": false}}}},
    }));
    let verified = place.verify(token).await.unwrap();
    let principal = verified.principal;
    assert_eq!(principal.id, PrincipalId::new("backend", "ann"));
    assert_eq!((&*principal.name, &principal.info[..]), ("Ann", &b"{\"age\":7}"[..]));
    assert_eq!((&principal.roles[..], principal.grants.len()), (&["admin".to_owned()][..], 0));
    assert_eq!(verified.expires_at_ms, Some((now + 60) * 1_000));
    let rooms: Vec<_> = verified.rooms.iter().map(|grant| grant.room.as_str()).collect();
    assert_eq!(rooms, ["general", "news"]);
    let general = &verified.rooms[0];
    assert_eq!((&general.info[..], &general.data[..]), (&b"[1]"[..], &b"{\"hi\":true}"[..]));
    assert_eq!(general.overrides.join_leave, Some(true));
    assert_eq!(general.overrides.push_join_leave, Some(false));

    let plain = place.verify(made(&json!({"sub": "bob"}))).await.unwrap();
    assert_eq!(plain.principal.id, PrincipalId::new("static", "bob"));
    assert_eq!((plain.principal.name.as_str(), plain.expires_at_ms), ("bob", None));
    assert!(plain.principal.info.is_empty());
}

#[tokio::test]
async fn every_algorithm_passes_with_its_own_key() {
    let place = place(|_| ()).await;
    let claims = json!({"sub": "ann"});
    for (alg, kind) in
        [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        // A key's name means nothing to a secret, not even that of a public key.
        for header in [json!({"alg": alg}), json!({"alg": alg, "kid": place.keys[0].kid})] {
            let token = hmac_with(kind, SECRET.as_bytes(), &header, &claims.to_string());
            place.verify(token).await.unwrap_or_else(|error| panic!("{header}: {error}"));
        }
    }
    for key in &place.keys {
        let token = made_by(key, &json!({"alg": key.alg(), "kid": key.kid}), &claims);
        place.verify(token).await.unwrap_or_else(|error| panic!("{}: {error}", key.alg()));
    }
    // The issuer's own go on as before.
    let verified = place.verify(place.issuer.token("alice").sign()).await.unwrap();
    assert_eq!(verified.principal.id.issuer.as_ref(), place.issuer.url());
}

#[tokio::test]
async fn signatures_that_prove_nothing_are_refused() {
    let place = place(|_| ()).await;
    let claims = json!({"sub": "ann"});
    let good = made(&claims);
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let (header, _) = unsigned.split_once('.').unwrap();
    let other = encode(json!({"sub": "mallory"}).to_string());
    for (what, token) in [
        ("no signature", format!("{unsigned}.")),
        ("a changed signature", format!("{unsigned}.{flipped}{}", &signature[1..])),
        ("a cut signature", format!("{unsigned}.{}", &signature[..20])),
        ("a doubled signature", format!("{unsigned}.{signature}{signature}")),
        ("claims changed", format!("{header}.{other}.{signature}")),
        ("a part too many", format!("{good}.x")),
        ("padding", format!("{good}=")),
        ("spaces", format!(" {good}")),
        ("nothing", "..".to_owned()),
        ("text", "secret".to_owned()),
    ] {
        place.refused(what, token).await;
    }
    let hs256 = json!({"alg": "HS256"});
    for secret in ["", "Secret", "secret\n", "secre"] {
        let claims = claims.to_string();
        let token = hmac_with(hmac::HMAC_SHA256, secret.as_bytes(), &hs256, &claims);
        place.refused(secret, token).await;
    }
    for alg in ["none", "None", "NONE", "", "HS384", "HS512", "RS256", "hs256", "ES512", "dir"] {
        place.refused(alg, with_header(&json!({"alg": alg}))).await;
        let unsigned = format!("{}.{}.", encode(json!({"alg": alg}).to_string()), encode("{}"));
        place.refused(alg, unsigned).await;
    }
    for alg in [json!(null), json!(256), json!(["HS256"])] {
        place.refused("an odd alg", with_header(&json!({ "alg": alg }))).await;
    }
}

#[tokio::test]
async fn a_secret_and_a_public_key_are_never_taken_for_each_other() {
    let place = place(|_| ()).await;
    let claims = json!({"sub": "ann"});
    for key in &place.keys {
        let texts = [key.jwk().to_string().into_bytes(), key.kid.clone().into_bytes()];
        for (n, text) in key.public_bytes().into_iter().chain(texts).enumerate() {
            for (alg, kind) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
                let header = json!({"alg": alg, "kid": key.kid});
                let token = hmac_with(kind, &text, &header, &claims.to_string());
                place.refused(&format!("{alg} with the {} key, {n}", key.alg()), token).await;
            }
        }
        // The secret under a key's algorithm.
        let header = json!({"alg": key.alg(), "kid": key.kid});
        let claims = claims.to_string();
        let token = hmac_with(hmac::HMAC_SHA256, SECRET.as_bytes(), &header, &claims);
        place.refused("the secret for a key", token).await;
    }
}

#[tokio::test]
async fn an_algorithm_is_bound_to_its_key_and_a_key_to_its_name() {
    let place = place(|_| ()).await;
    let claims = json!({"sub": "ann"});
    for key in &place.keys {
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384", "EdDSA"] {
            if alg != key.alg() {
                let token = made_by(key, &json!({"alg": alg, "kid": key.kid}), &claims);
                place.refused(&format!("{alg} by the {} key", key.alg()), token).await;
            }
        }
        for kid in [json!(null), json!(""), json!(7), json!("other"), json!("k".repeat(129))] {
            let token = made_by(key, &json!({"alg": key.alg(), "kid": kid}), &claims);
            place.refused("another kid", token).await;
        }
        place.refused("no kid", made_by(key, &json!({"alg": key.alg()}), &claims)).await;
    }
    // A signature that is right in itself, by a key that is not for it.
    let header = json!({"alg": "PS256", "kid": BOUND});
    place.refused("PS256 by an RS256 key", made_by(&place.keys[1], &header, &claims)).await;
    let stranger = TestKey::with_kid(Algorithm::EdDsa, place.keys[3].kid.clone()).unwrap();
    let header = json!({"alg": "EdDSA", "kid": stranger.kid});
    place.refused("a stranger under a known name", made_by(&stranger, &header, &claims)).await;
    let other = &place.keys[0];
    let header = json!({"alg": "RS256", "kid": place.keys[1].kid});
    place.refused("a key under another's name", made_by(other, &header, &claims)).await;
}

#[tokio::test]
async fn headers_that_bring_keys_or_ask_for_more_are_refused() {
    let place = place(|_| ()).await;
    let stranger = TestKey::generate(Algorithm::Es256).unwrap();
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/keys")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("enc", json!("A128GCM")),
        ("zip", json!("DEF")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("JOSE")),
    ] {
        let mut header = json!({"alg": "HS256"});
        header[name] = value.clone();
        place.refused(name, with_header(&header)).await;
        let mut header = json!({"alg": "ES256", "kid": stranger.kid});
        header[name] = value;
        place.refused(name, made_by(&stranger, &header, &json!({"sub": "ann"}))).await;
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let place = place(|_| ()).await;
    let now = now_s();
    let many: Vec<_> = (0..129).map(|n| format!("r{n}")).collect();
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    for (name, value) in [
        ("iss", json!(7)),
        ("iss", json!(["static"])),
        ("iss", json!("api-key")),
        ("iss", json!("anonymous")),
        ("iss", json!("i".repeat(256))),
        ("iss", json!("a\nb")),
        ("iss", json!(place.issuer.url())),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("sub", json!("s".repeat(256))),
        ("sub", json!("a\u{1}b")),
        ("exp", json!(null)),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("soon")),
        ("iat", json!(now + 60)),
        ("iat", json!(-1)),
        ("expire_at", json!(-1)),
        ("expire_at", json!(null)),
        ("expire_at", json!("never")),
        ("info", json!("x".repeat(4_096))),
        ("info", deep),
        ("b64info", json!("//8=")),
        ("b64info", json!("no base64")),
        ("b64info", json!(7)),
        ("channels", json!("news")),
        ("channels", json!([7])),
        ("channels", json!(many)),
        ("subs", json!(["news"])),
        ("subs", json!({"news": 7})),
        ("subs", json!({"news": {"data": "x".repeat(4_096)}})),
        ("subs", json!({"news": {"override": {"presence": true}}})),
        ("channel", json!("news")),
        ("channel", json!(null)),
    ] {
        let mut claims = json!({"sub": "ann", "exp": now + 60});
        claims[name] = value;
        place.refused(&claims.to_string(), made(&claims)).await;
    }
    let header = json!({"alg": "HS256"});
    for text in
        ["", "[]", "null", "{", r#"{"sub":"ann","sub":"bob"}"#, r#"{"exp":1e999,"sub":"ann"}"#]
    {
        let token = hmac_with(hmac::HMAC_SHA256, SECRET.as_bytes(), &header, text);
        place.refused(text, token).await;
    }
    place.refused("a huge token", made(&json!({"sub": "ann", "x": "x".repeat(16_384)}))).await;
    let nested = format!(r#"{{"sub":"ann","x":{}{}}}"#, "[".repeat(4_000), "]".repeat(4_000));
    let token = hmac_with(hmac::HMAC_SHA256, SECRET.as_bytes(), &header, &nested);
    place.refused("a deep token", token).await;
}

#[tokio::test]
async fn an_ended_token_is_called_ended_only_if_it_was_good() {
    let place = place(|_| ()).await;
    let reason = async |token: String| place.verify(token).await.unwrap_err().reason;
    for claims in [
        json!({"sub": "ann", "exp": now_s() - 2}),
        json!({"sub": "ann", "exp": now_s() - 2, "expire_at": 0}),
        json!({"sub": "ann", "expire_at": now_s() - 2}),
    ] {
        assert_eq!(reason(made(&claims)).await, ErrorReason::CredentialExpired, "{claims}");
    }
    let header = json!({"alg": "HS256"});
    let ended = json!({"sub": "ann", "exp": 1}).to_string();
    let forged = hmac_with(hmac::HMAC_SHA256, b"other", &header, &ended);
    assert_eq!(reason(forged).await, ErrorReason::InvalidCredential);
    let for_room = made(&json!({"sub": "ann", "channel": "news", "exp": 1}));
    assert_eq!(reason(for_room).await, ErrorReason::InvalidCredential);
    // The connection may outlive its token, or end before it.
    let ends = async |claims: Value| place.verify(made(&claims)).await.unwrap().expires_at_ms;
    let (soon, later) = (now_s() + 60, now_s() + 600);
    assert_eq!(ends(json!({"sub": "ann", "exp": soon, "expire_at": 0})).await, None);
    assert_eq!(
        ends(json!({"sub": "ann", "exp": soon, "expire_at": later})).await,
        Some(later * 1_000)
    );
}

#[tokio::test]
async fn demanded_audiences_and_issuers_are_demanded() {
    let place = place(|config| {
        config.tokens.audience = vec!["chat".to_owned(), "voice".to_owned()];
        config.tokens.issuer = vec!["backend".to_owned()];
    })
    .await;
    for (aud, iss, good) in [
        (json!("chat"), json!("backend"), true),
        (json!(["other", "voice"]), json!("backend"), true),
        (json!("other"), json!("backend"), false),
        (json!([]), json!("backend"), false),
        (json!(7), json!("backend"), false),
        (json!("chat"), json!("other"), false),
        (json!("chat"), json!(""), false),
    ] {
        let claims = json!({"sub": "ann", "aud": aud, "iss": iss});
        assert_eq!(place.verify(made(&claims)).await.is_ok(), good, "{claims}");
    }
    for claims in [json!({"sub": "ann", "iss": "backend"}), json!({"sub": "ann", "aud": "chat"})] {
        place.refused(&claims.to_string(), made(&claims)).await;
    }
}

#[tokio::test]
async fn nobody_comes_in_only_where_nobody_may() {
    let nothing = Credential::Anonymous;
    let call = || Call::within(Duration::from_secs(2));
    let closed = place(|_| ()).await;
    let refused = closed.auth.verify(call(), nothing.clone()).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::InvalidCredential);
    closed.refused("an empty subject", made(&json!({"sub": ""}))).await;
    closed.refused("no subject", made(&json!({}))).await;

    let open = place(|config| config.anonymous = true).await;
    let one = open.auth.verify(call(), nothing.clone()).await.unwrap().principal;
    let other = open.auth.verify(call(), nothing).await.unwrap().principal;
    assert!(one.id.is_anonymous() && one.id != other.id);
    let token = made(&json!({"sub": "", "info": {"guest": 1}, "channels": ["news"]}));
    let guest = open.verify(token).await.unwrap();
    assert!(guest.principal.id.is_anonymous() && guest.principal.roles.is_empty());
    assert_eq!((&*guest.principal.name, &guest.principal.info[..]), ("", &b"{\"guest\":1}"[..]));
    assert_eq!(guest.rooms.len(), 1);
}

#[tokio::test]
async fn a_token_for_a_room_opens_it_for_its_user_alone() {
    let place = place(|_| ()).await;
    let now = now_s();
    let claims = json!({"sub": "ann", "channel": "news", "exp": now + 60,
        "b64info": STANDARD.encode(r#"{"seat": 5}"#),
        "override": {"presence": {"value": false}}});
    let grant = place.open(ann(), "news", &made(&claims)).await.unwrap();
    assert_eq!((grant.room.as_str(), grant.until_ms), ("news", Some((now + 60) * 1_000)));
    assert_eq!((&grant.info[..], grant.overrides.presence), (&b"{\"seat\":5}"[..], Some(false)));
    let lasting = made(&json!({"sub": "ann", "channel": "news", "exp": now + 60, "expire_at": 0}));
    assert_eq!(place.open(ann(), "news", &lasting).await.unwrap().until_ms, None);
    // Whoever vouched for the user at the connect: the subject is what counts.
    let elsewhere = PrincipalId::new("https://id.example", "ann");
    assert!(place.open(elsewhere, "news", &made(&claims)).await.is_ok());

    let denied = Err(ErrorReason::PermissionDenied);
    let bob = PrincipalId::new("static", "bob");
    assert_eq!(place.open(bob, "news", &made(&claims)).await, denied);
    assert_eq!(place.open(ann(), "other", &made(&claims)).await, denied);
    assert_eq!(place.open(PrincipalId::anonymous("c"), "news", &made(&claims)).await, denied);
    let guest = made(&json!({"channel": "news"}));
    assert!(place.open(PrincipalId::anonymous("c"), "news", &guest).await.is_ok());
    assert_eq!(place.open(ann(), "news", &guest).await, denied);

    let ended = made(&json!({"sub": "ann", "channel": "news", "exp": now - 2}));
    assert_eq!(place.open(ann(), "news", &ended).await, Err(ErrorReason::CredentialExpired));
    let not_bobs = PrincipalId::new("static", "bob");
    assert_eq!(place.open(not_bobs, "news", &ended).await, denied);

    let header = json!({"alg": "HS256"});
    let forged = hmac_with(hmac::HMAC_SHA256, b"other", &header, &claims.to_string());
    let issuers: TestToken = place.issuer.token("ann").claim("channel", json!("news"));
    for (what, token) in [
        ("a connection's", made(&json!({"sub": "ann"}))),
        ("an empty channel", made(&json!({"sub": "ann", "channel": ""}))),
        ("a stranger's", forged),
        ("an issuer's", issuers.sign()),
        (
            "info too large",
            made(&json!({"sub": "ann", "channel": "news", "info": "x".repeat(5_000)})),
        ),
        ("no token", "x".to_owned()),
        ("too long", "x".repeat(20_000)),
    ] {
        let opened = place.open(ann(), "news", &token).await;
        assert_eq!(opened, Err(ErrorReason::InvalidCredential), "{what}");
    }
}

#[tokio::test]
async fn without_keys_nothing_is_proved() {
    let place = place(|config| config.tokens = TokensConfig::default()).await;
    place.refused("a backend's token", made(&json!({"sub": "ann"}))).await;
    let token = made(&json!({"sub": "ann", "channel": "news"}));
    let opened = place.open(ann(), "news", &token).await;
    assert_eq!(opened, Err(ErrorReason::InvalidCredential));
}

fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}
