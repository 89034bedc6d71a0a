//! Every token that an attacker, a wrong client or a confused issuer may send, against a real
//! issuer: refused as a proof, never as a passing failure, and never by a request elsewhere.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test is how a test speaks")]

use std::sync::Arc;
use std::time::Duration;

use auth::{AuthConfig, AuthService, IssuerConfig};
use domain::{Credential, ErrorReason, Verified};
use rpc::Call;
use rpc::auth::Auth;
use serde_json::{Value, json};
use testkit::issuer::{Algorithm, TestIssuer, TestKey, TestToken};
use tokio_util::sync::CancellationToken;

struct Place {
    issuer: TestIssuer,
    auth: Arc<AuthService>,
}

async fn place() -> Place {
    let issuer = TestIssuer::start().await.unwrap();
    let trusted = IssuerConfig {
        url: issuer.url().to_owned(),
        client_ids: vec!["frontend".to_owned(), "backend".to_owned()],
        ..IssuerConfig::default()
    };
    let config = AuthConfig { issuers: vec![trusted], jwks_floor_ms: 100, ..AuthConfig::default() };
    let auth = auth::start(config, CancellationToken::new()).await.unwrap();
    let place = Place { issuer, auth };
    // From here on the issuer's key is known: what is refused is refused for what it is.
    place.verify(place.token().sign()).await.unwrap();
    place
}

impl Place {
    async fn verify(&self, token: impl Into<String>) -> domain::Result<Verified> {
        let call = Call::within(Duration::from_secs(2));
        self.auth.verify(call, Credential::Bearer(token.into())).await
    }

    fn token(&self) -> TestToken {
        self.issuer.token("alice")
    }

    async fn refused(&self, what: &str, token: impl Into<String>) {
        let error = self.verify(token).await.expect_err(what);
        assert_eq!(error.reason, ErrorReason::InvalidCredential, "{what}: {error}");
    }
}

#[tokio::test]
async fn a_good_token_becomes_a_principal() {
    let place = place().await;
    let token = place.token().role("admin");
    let verified = place.verify(token.sign()).await.unwrap();
    assert_eq!(verified.principal.id.issuer.as_ref(), place.issuer.url());
    assert_eq!(verified.principal.id.subject.as_ref(), token.subject());
    assert_eq!(verified.principal.name, "alice");
    assert_eq!(verified.principal.roles, ["user", "admin"]);
    let left = verified.expires_at_ms.unwrap() / 1000 - now_s();
    assert!((290..=300).contains(&left), "{left}");
}

#[tokio::test]
async fn good_tokens_of_every_accepted_shape_pass() {
    let place = place().await;
    for (what, token) in [
        ("audiences as a list", place.token().claim("aud", json!(["account", "backend"]))),
        ("no typ claim", place.token().without("typ")),
        ("typ in another case", place.token().claim("typ", json!("bearer"))),
        (
            "an access token by its header",
            place.token().without("typ").header("typ", json!("at+jwt")),
        ),
        ("no typ header", place.token().without_header("typ")),
        ("no iat", place.token().without("iat")),
        (
            "a client by client_id",
            place.token().without("azp").claim("client_id", json!("backend")),
        ),
        ("times with a fraction", place.token().claim("exp", json!(now_f() + 60.5))),
        ("ended within the leeway", place.token().ttl_s(-20)),
        ("made within the leeway", place.token().claim("iat", json!(now_s() + 20))),
        ("holds from within the leeway", place.token().claim("nbf", json!(now_s() + 20))),
        ("no roles", place.token().without("realm_access")),
        ("odd roles", place.token().claim("realm_access", json!({"roles": [1, {}]}))),
        ("unknown claims", place.token().claim("x", json!({"deep": [1, 2, 3]}))),
    ] {
        place.verify(token.sign()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
        place.issuer.rotate(algorithm).unwrap();
        place.verify(place.token().sign()).await.unwrap_or_else(|e| panic!("{algorithm:?}: {e}"));
    }
}

#[tokio::test]
async fn signatures_that_prove_nothing_are_refused() {
    let place = place().await;
    place.issuer.rotate(Algorithm::Rs256).unwrap();
    let good = place.token();
    let stranger = Arc::new(TestKey::generate(Algorithm::Rs256).unwrap());
    let signed = good.sign();
    let (unsigned, signature) = signed.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };

    place.refused("no signature", good.with_signature(b"")).await;
    place.refused("alg none", good.clone().header("alg", json!("none")).with_signature(b"")).await;
    place.refused("alg NONE", good.clone().header("alg", json!("NoNe")).with_signature(b"")).await;
    place.refused("another's key", good.clone().forged_by(&stranger).sign()).await;
    place.refused("a changed signature", format!("{unsigned}.{flipped}{}", &signature[1..])).await;
    place.refused("a cut signature", format!("{unsigned}.{}", &signature[..40])).await;
    place.refused("a doubled signature", format!("{unsigned}.{signature}{signature}")).await;
    let other = place.issuer.token("mallory").unsigned();
    let (_, claims) = other.split_once('.').unwrap();
    let (header, _) = unsigned.split_once('.').unwrap();
    place.refused("claims changed", format!("{header}.{claims}.{signature}")).await;
    place.refused("a part too many", format!("{signed}.x")).await;
    place.refused("padding", format!("{signed}==")).await;
    place.refused("spaces", format!(" {signed}")).await;
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let place = place().await;
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let key = place.issuer.rotate(algorithm).unwrap();
        place.verify(place.token().sign()).await.unwrap();
        for (n, secret) in key.public_bytes().iter().enumerate() {
            let what = format!("HS256 with the {algorithm:?} key, encoding {n}");
            place.refused(&what, place.token().hs256(secret)).await;
        }
        place
            .refused("HS256 with its JWK", place.token().hs256(key.jwk().to_string().as_bytes()))
            .await;
        place.refused("HS256 with nothing", place.token().hs256(b"")).await;
    }
}

#[tokio::test]
async fn an_algorithm_is_bound_to_its_key() {
    let place = place().await;
    let rs = place.issuer.rotate(Algorithm::Rs256).unwrap();
    for alg in ["PS256", "RS384", "RS512", "ES256", "EdDSA", "ES256K", "RSA-OAEP"] {
        place.refused(alg, place.token().header("alg", json!(alg)).sign()).await;
    }
    // The same modulus under PS256 would verify; the key says that it is for RS256 alone.
    let wrong = place.token().by(&rs).header("alg", json!("PS256"));
    place.refused("PS256 with an RS256 key", wrong.sign()).await;
}

#[tokio::test]
async fn headers_that_bring_keys_or_ask_for_more_are_refused() {
    let place = place().await;
    let stranger = Arc::new(TestKey::generate(Algorithm::Es256).unwrap());
    let url = format!("{}/evil", place.issuer.url());
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("enc", json!("A128GCM")),
        ("zip", json!("DEF")),
    ] {
        let honest = place.token().header(name, value.clone());
        place.refused(name, honest.sign()).await;
        place.refused(name, honest.forged_by(&stranger).sign()).await;
    }
    for typ in ["logout+jwt", "secevent+jwt", "JOSE", "dpop+jwt", ""] {
        place.refused(typ, place.token().header("typ", json!(typ)).sign()).await;
    }
    assert_eq!(
        place.issuer.discoveries(),
        1,
        "nothing but the issuer's own document was asked for"
    );
}

#[tokio::test]
async fn key_ids_are_names_and_nothing_else() {
    let place = place().await;
    let kid = place.issuer.key().kid.clone();
    for bad in [json!(""), json!(null), json!(7), json!([kid]), json!("k".repeat(129))] {
        place.refused("a bad kid", place.token().header("kid", bad).sign()).await;
    }
    place.refused("no kid", place.token().without_header("kid").sign()).await;
    for odd in ["../../etc/passwd", "' OR 1=1 --", "http://127.0.0.1/", "\u{0}", &format!("{kid} ")]
    {
        place.refused(odd, place.token().header("kid", json!(odd)).sign()).await;
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let place = place().await;
    let now = now_s();
    for (name, value) in [
        ("iss", json!("https://id.example")),
        ("iss", json!(format!("{}/", place.issuer.url()))),
        ("iss", json!([place.issuer.url()])),
        ("iss", json!(7)),
        ("aud", json!("frontend")),
        ("aud", json!("account")),
        ("aud", json!(["account", "frontend"])),
        ("aud", json!([])),
        ("aud", json!("backend2")),
        ("aud", json!({"backend": true})),
        ("azp", json!("other")),
        ("azp", json!("")),
        ("azp", json!(["frontend"])),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Logout")),
        ("typ", json!(7)),
        ("sub", json!("")),
        ("sub", json!("s".repeat(256))),
        ("sub", json!("a\nb")),
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(null)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("soon")),
        ("iat", json!(now + 60)),
        ("iat", json!(-1)),
        ("iat", json!("now")),
    ] {
        let what = format!("{name} = {value}");
        place.refused(&what, place.token().claim(name, value).sign()).await;
    }
    for name in ["iss", "sub", "aud", "azp", "exp"] {
        place.refused(&format!("no {name}"), place.token().without(name).sign()).await;
    }
}

#[tokio::test]
async fn tokens_of_another_kind_are_no_access_tokens() {
    let place = place().await;
    // What Keycloak puts into an ID token.
    let id = place.token().claim("typ", json!("ID")).claim("aud", json!("frontend"));
    place.refused("an ID token", id.sign()).await;
    // What an issuer without the claim `typ` does.
    for name in ["nonce", "at_hash", "events"] {
        let token = place.token().without("typ").claim(name, json!("x"));
        place.refused(name, token.sign()).await;
    }
}

#[tokio::test]
async fn texts_that_are_no_claims_are_refused() {
    let place = place().await;
    let token = place.token();
    let text = token.claims_text();
    let twice = text.replacen('{', r#"{"sub":"mallory","#, 1);
    for claims in ["", "[]", "null", "{", "\u{0}", &format!("{text}x"), &twice] {
        place.refused(claims, token.sign_text(claims)).await;
    }
    place.refused("a huge token", token.clone().claim("x", json!("x".repeat(16_384))).sign()).await;
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    let nested = text.replacen('{', &format!(r#"{{"x":{deep},"#), 1);
    place.refused("a deep token", token.sign_text(&nested)).await;
    for text in ["", ".", "..", "null", "Bearer x", "rck_0_0"] {
        place.refused(text, text).await;
    }
}

#[tokio::test]
async fn only_a_token_that_was_good_is_called_ended() {
    let place = place().await;
    let ended = place.token().ttl_s(-31);
    let reason = |result: domain::Result<Verified>| result.unwrap_err().reason;
    assert_eq!(reason(place.verify(ended.sign()).await), ErrorReason::CredentialExpired);
    place.refused("ended, other audience", ended.clone().claim("aud", json!("x")).sign()).await;
    place.refused("ended, other client", ended.clone().claim("azp", json!("x")).sign()).await;
    place.refused("ended, unsigned", ended.with_signature(b"")).await;
}

#[tokio::test]
async fn each_issuer_is_trusted_for_its_own_tokens_alone() {
    let (one, other) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let issuers = [&one, &other]
        .map(|issuer| IssuerConfig { url: issuer.url().to_owned(), ..IssuerConfig::default() });
    let config =
        AuthConfig { issuers: issuers.to_vec(), jwks_floor_ms: 100, ..AuthConfig::default() };
    let auth = auth::start(config, CancellationToken::new()).await.unwrap();
    let verify = async |token: String| {
        auth.verify(Call::within(Duration::from_secs(2)), Credential::Bearer(token)).await
    };
    for issuer in [&one, &other] {
        let verified = verify(issuer.token("alice").sign()).await.unwrap();
        assert_eq!(verified.principal.id.issuer.as_ref(), issuer.url());
    }
    let claim: Value = json!(other.url());
    let mixed = verify(one.token("alice").claim("iss", claim).sign()).await.unwrap_err();
    assert_eq!(mixed.reason, ErrorReason::InvalidCredential);
    // The same key id at both issuers stays two keys.
    let key = Arc::new(TestKey::with_kid(Algorithm::Es256, other.key().kid.clone()).unwrap());
    one.publish(Arc::clone(&key));
    verify(one.token("alice").sign()).await.unwrap();
    let stolen = verify(other.token("alice").forged_by(&key).sign()).await.unwrap_err();
    assert_eq!(stolen.reason, ErrorReason::InvalidCredential);
}

fn now_f() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs_f64().floor()
}

fn now_s() -> i64 {
    now_f() as i64
}
