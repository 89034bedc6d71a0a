//! The issuer over its HTTP endpoints: the whole flow, and every way to get round it.
use actix_web::http::{StatusCode, header};
use actix_web::test::TestRequest;
use actix_web::{App, test as http};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const PUBLIC: &str = "http://localhost:8080";
const BACK: &str = "http://localhost:8080/callback?from=page";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Place {
    issuer: Arc<DevIssuer>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { issuer: DevIssuer::open(PUBLIC, folder.path()).unwrap(), folder }
    }
}

struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    fn location(&self) -> Url {
        Url::parse(self.header(header::LOCATION)).unwrap()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location();
        let found = location.query_pairs().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn send(place: &Place, request: TestRequest) -> Answer {
    let issuer = Arc::clone(&place.issuer);
    let app = http::init_service(App::new().configure(|cfg| configure(cfg, issuer))).await;
    let response = http::call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = http::read_body(response).await;
    Answer { status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

fn wish() -> Pairs<'static> {
    vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", BACK),
        ("scope", "openid profile"),
        ("state", "s/1 &x"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn with<'a>(mut pairs: Pairs<'a>, name: &'a str, value: &'a str) -> Pairs<'a> {
    pairs.retain(|(key, _)| *key != name);
    pairs.push((name, value));
    pairs
}

async fn ask(place: &Place, pairs: &Pairs<'_>) -> Answer {
    let mut url = Url::parse("http://x/dev-issuer/authorize").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    send(place, TestRequest::get().uri(&path)).await
}

async fn sign_in(place: &Place, pairs: &Pairs<'_>) -> Answer {
    send(place, TestRequest::post().uri("/dev-issuer/authorize").set_form(pairs)).await
}

async fn code(place: &Place, name: &str) -> String {
    let answer = sign_in(place, &with(wish(), "name", name)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.parameter("code").unwrap()
}

fn redeem(code: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

fn renew(refresh_token: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT_ID),
        ("refresh_token", refresh_token),
    ]
}

async fn token(place: &Place, pairs: &Pairs<'_>) -> Answer {
    let answer = send(place, TestRequest::post().uri("/dev-issuer/token").set_form(pairs)).await;
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    answer
}

async fn invalid_grant(place: &Place, pairs: &Pairs<'_>) {
    let answer = token(place, pairs).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{pairs:?}");
    assert_eq!(answer.json()["error"], "invalid_grant", "{pairs:?}");
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[actix_web::test]
async fn the_whole_flow_gives_tokens_like_keycloaks() {
    let place = Place::new();
    let found =
        send(&place, TestRequest::get().uri("/dev-issuer/.well-known/openid-configuration"));
    let found = found.await.json();
    assert_eq!(found["issuer"], "http://localhost:8080/dev-issuer");
    assert_eq!(found["jwks_uri"], "http://localhost:8080/dev-issuer/jwks");

    let page = ask(&place, &wish()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("name=\"state\" value=\"s/1 &amp;x\""), "{}", page.body);
    let answer = sign_in(&place, &with(wish(), "name", " Ann Ö ")).await;
    assert_eq!(answer.location().path(), "/callback");
    assert_eq!(answer.parameter("from").unwrap(), "page", "the client's own query is kept");
    assert_eq!(answer.parameter("state").unwrap(), "s/1 &x");
    assert_eq!(answer.parameter("iss").unwrap(), place.issuer.url());

    let code = answer.parameter("code").unwrap();
    let tokens = token(&place, &redeem(&code)).await.json();
    let (access, id) = (claims(&tokens["access_token"]), claims(&tokens["id_token"]));
    assert_eq!((&access["aud"], &access["typ"]), (&json!("backend"), &json!("Bearer")));
    assert_eq!((&id["aud"], &id["typ"]), (&json!("frontend"), &json!("ID")));
    assert_eq!((&id["nonce"], &access["nonce"]), (&json!("n-1"), &Value::Null));
    assert_eq!(access["realm_access"]["roles"], json!(["user"]));
    assert_eq!(access["preferred_username"], "Ann Ö");
    assert_eq!(access["azp"], "frontend");
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 300);
    for same in ["iss", "sub", "sid"] {
        assert_eq!(access[same], id[same], "{same}");
    }
    assert_ne!(access["jti"], id["jti"]);
}

#[actix_web::test]
async fn the_published_key_verifies_what_was_signed() {
    let place = Place::new();
    let set = send(&place, TestRequest::get().uri("/dev-issuer/jwks")).await;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&set.body).unwrap();
    let code = code(&place, "ann").await;
    let tokens = token(&place, &redeem(&code)).await.json();
    let text = tokens["access_token"].as_str().unwrap();
    let kid = jsonwebtoken::decode_header(text).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&["backend"]);
    rules.set_issuer(&[place.issuer.url()]);
    jsonwebtoken::decode::<Value>(text, &key, &rules).unwrap();
    assert!(set.keys[0].common.public_key_use.is_some());
    assert!(!serde_json::to_string(&set).unwrap().contains("\"d\""), "no private half");
}

#[actix_web::test]
async fn a_code_is_for_who_asked_and_once() {
    let place = Place::new();
    for (name, value) in [
        ("code_verifier", "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("code_verifier", CHALLENGE),
        ("code_verifier", ""),
        ("redirect_uri", "http://localhost:8080/callback"),
        ("redirect_uri", ""),
        ("code", "0123"),
    ] {
        let code = code(&place, "ann").await;
        invalid_grant(&place, &with(redeem(&code), name, value)).await;
        if name != "code" {
            invalid_grant(&place, &redeem(&code)).await;
        }
    }
    let code = code(&place, "ann").await;
    let first = token(&place, &redeem(&code)).await.json();
    invalid_grant(&place, &redeem(&code)).await;
    invalid_grant(&place, &renew(first["refresh_token"].as_str().unwrap())).await;
    for (name, value, error) in [
        ("client_id", "other", "invalid_client"),
        ("grant_type", "password", "unsupported_grant_type"),
    ] {
        let answer = token(&place, &with(redeem(&code), name, value)).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!(error))
        );
    }
}

#[actix_web::test]
async fn refresh_tokens_rotate() {
    let place = Place::new();
    let code = code(&place, "ann").await;
    let first = token(&place, &redeem(&code)).await.json();
    let old = first["refresh_token"].as_str().unwrap().to_owned();
    let second = token(&place, &renew(&old)).await.json();
    let (before, after) = (claims(&first["access_token"]), claims(&second["access_token"]));
    assert_eq!((&before["sub"], &before["sid"]), (&after["sub"], &after["sid"]));
    assert_ne!(before["jti"], after["jti"]);
    let new = second["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    invalid_grant(&place, &renew(&old)).await;
    invalid_grant(&place, &renew(&new)).await;
    for nonsense in ["", ".", "x", "x.y", "é.é"] {
        invalid_grant(&place, &renew(nonsense)).await;
    }
}

#[actix_web::test]
async fn pkce_is_compulsory() {
    let place = Place::new();
    for (name, value, error) in [
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("prompt", "none", "login_required"),
    ] {
        let changed = with(with(wish(), "name", "ann"), name, value);
        let asked = ask(&place, &changed).await;
        assert_eq!(asked.parameter("error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(asked.parameter("state").as_deref(), Some("s/1 &x"));
        assert_eq!(asked.parameter("code"), None);
        if name != "prompt" {
            assert_eq!(sign_in(&place, &changed).await.parameter("error").as_deref(), Some(error));
        }
    }
}

#[actix_web::test]
async fn nobody_is_sent_elsewhere() {
    let place = Place::new();
    for bad in [
        "",
        "/callback",
        "https://localhost:8080/",
        "http://localhost:8081/",
        "http://localhost/",
        "http://127.0.0.1:8080/",
        "http://evil.example/",
        "http://localhost:8080.evil.example/",
        "http://localhost:8080@evil.example/",
        "http://user@localhost:8080/",
        "http://localhost:8080/#fragment",
        "//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        let changed = with(with(wish(), "name", "ann"), "redirect_uri", bad);
        for answer in [ask(&place, &changed).await, sign_in(&place, &changed).await] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
            assert!(!answer.headers.contains_key(header::LOCATION), "{bad}");
        }
        if !bad.is_empty() {
            let mut url = Url::parse("http://x/dev-issuer/logout").unwrap();
            url.query_pairs_mut().append_pair("post_logout_redirect_uri", bad);
            let path = format!("{}?{}", url.path(), url.query().unwrap());
            let answer = send(&place, TestRequest::get().uri(&path)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
            assert!(!answer.headers.contains_key(header::LOCATION), "{bad}");
        }
    }
    let stranger = ask(&place, &with(wish(), "client_id", "other")).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    let long = "x".repeat(2_049);
    assert_eq!(ask(&place, &with(wish(), "state", &long)).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn pages_escape_what_they_show_and_allow_nothing() {
    let place = Place::new();
    let nasty = "\"><script>alert(1)</script>";
    let asked = ask(&place, &with(with(wish(), "state", nasty), "login_hint", nasty)).await;
    let tried =
        sign_in(&place, &with(with(wish(), "state", nasty), "name", &nasty.repeat(4))).await;
    assert_eq!((asked.status, tried.status), (StatusCode::OK, StatusCode::BAD_REQUEST));
    for page in [asked, tried] {
        assert!(!page.body.contains("<script"), "{}", page.body);
        assert!(page.body.contains("&quot;&gt;&lt;script&gt;"), "{}", page.body);
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
}

#[actix_web::test]
async fn a_form_of_another_origin_signs_nobody_in() {
    let place = Place::new();
    for (origin, status) in [
        (PUBLIC, StatusCode::SEE_OTHER),
        ("http://evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let request = TestRequest::post()
            .uri("/dev-issuer/authorize")
            .insert_header((header::ORIGIN, origin))
            .set_form(with(wish(), "name", "ann"));
        assert_eq!(send(&place, request).await.status, status, "{origin}");
    }
}

#[actix_web::test]
async fn the_name_admin_does_not_make_an_admin_but_the_command_line_does() {
    let place = Place::new();
    let code = code(&place, "admin").await;
    let page = claims(&token(&place, &redeem(&code)).await.json()["access_token"]);
    assert_eq!(page["realm_access"]["roles"], json!(["user"]));

    let args = crate::token::TokenArgs {
        name: "admin".to_owned(),
        roles: vec!["admin".to_owned()],
        ttl_s: -60,
        service: runtime::args::ServiceArgs::default(),
    };
    let text = crate::token::make(&args, PUBLIC, place.folder.path()).unwrap();
    let made = claims(&json!(text));
    assert_eq!(made["realm_access"]["roles"], json!(["user", "admin"]));
    assert_eq!((&made["sub"], &made["iss"]), (&page["sub"], &page["iss"]));
    assert!(made["exp"].as_i64() < page["iat"].as_i64(), "it has ended");
    assert!(made["iat"].as_i64() <= made["exp"].as_i64());
    let same_key = place.issuer.key.read(&text, place.issuer.url(), AUDIENCE);
    assert!(same_key.is_some(), "the running server's key signed it");
}

#[actix_web::test]
async fn a_log_out_ends_the_session() {
    let place = Place::new();
    let code = code(&place, "ann").await;
    let tokens = token(&place, &redeem(&code)).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let hint = tokens["id_token"].as_str().unwrap();
    // An access token is no hint.
    for hint in ["", "x", tokens["access_token"].as_str().unwrap()] {
        let request =
            TestRequest::post().uri("/dev-issuer/logout").set_form([("id_token_hint", hint)]);
        assert_eq!(send(&place, request).await.status, StatusCode::OK);
    }
    let renewed = token(&place, &renew(&refresh)).await.json();
    let path = format!(
        "/dev-issuer/logout?id_token_hint={hint}&state=z&post_logout_redirect_uri=http://localhost:8080/bye"
    );
    let answer = send(&place, TestRequest::get().uri(&path)).await;
    assert_eq!(answer.location().as_str(), "http://localhost:8080/bye?state=z");
    invalid_grant(&place, &renew(renewed["refresh_token"].as_str().unwrap())).await;
}

#[test]
fn it_stays_on_loopback_unless_told_otherwise() {
    let allowed = |listen: &str, beyond| check_loopback(listen.parse().unwrap(), beyond).is_ok();
    assert!(allowed("127.0.0.1:8080", false) && allowed("[::1]:8080", false));
    for beyond in ["0.0.0.0:8080", "[::]:8080", "192.168.1.1:80", "[::ffff:192.168.1.1]:80"] {
        assert!(!allowed(beyond, false), "{beyond}");
        assert!(allowed(beyond, true), "{beyond}");
    }
}
