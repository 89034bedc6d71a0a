//! Who may ask at all: credentials, the public list, origins, rates, headers of every answer.
use super::*;
use crate::http::{PUBLIC_FOLDERS, PUBLIC_PATHS};

#[actix_web::test]
async fn everything_off_the_public_list_is_401_as_json() {
    let port = port().await;
    for path in [
        "/api/v1/me",
        "/api/v1/rooms/general/history",
        "/api/v1/nothing",
        "/api",
        "/nothing",
        "/metrics",
        "/admin",
        "/.env",
        "/ws/",
        "/docs-private",
        "/health/x",
        "//",
        "/%68ealth",
        "/stats.json",
        "/static/x",
    ] {
        let answer = port.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.reason(), "INVALID_CREDENTIAL", "{path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(
        port.world.verified.load(Ordering::Relaxed),
        0,
        "auth was asked without a credential"
    );
}

#[actix_web::test]
async fn what_is_on_the_public_list_needs_no_credential() {
    let port = port().await;
    let folders = PUBLIC_FOLDERS.map(|folder| format!("{folder}none"));
    for path in PUBLIC_PATHS.iter().map(|&path| path.to_owned()).chain(folders) {
        let answer = port.get(&path).await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[actix_web::test]
async fn a_caller_is_told_who_it_is() {
    let port = port().await;
    let me = port.get_as("ann", "/api/v1/me").await;
    assert_eq!(me.status, StatusCode::OK);
    let expected = serde_json::json!({
        "issuer": "https://issuer", "subject": "ann", "name": "The ann", "roles": ["user"], "expires_at_ms": 7,
    });
    assert_eq!(me.json(), expected);
    let key =
        port.send(TestRequest::get().uri("/api/v1/me").insert_header(("x-api-key", "rck_1"))).await;
    assert_eq!(key.json()["issuer"], "api-key");
    assert_eq!(port.get_as("ann", "/api/v1/nothing").await.reason(), "NOT_FOUND");
    assert_eq!(port.get_as("ann", "/nothing").await.reason(), "NOT_FOUND");
}

#[actix_web::test]
async fn a_credential_is_refused_only_when_it_is_proved_bad() {
    let port = port().await;
    for (token, reason) in [("nobody", "INVALID_CREDENTIAL"), ("old", "CREDENTIAL_EXPIRED")] {
        let answer = port.get_as(token, "/api/v1/me").await;
        assert_eq!((answer.status, answer.reason().as_str()), (StatusCode::UNAUTHORIZED, reason));
    }
    port.world.away.store(true, Ordering::Relaxed);
    let answer = port.get_as("ann", "/api/v1/me").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.reason(), "UNAVAILABLE");
    assert!(answer.headers.contains_key("retry-after"));
}

#[actix_web::test]
async fn a_credential_comes_in_one_header_and_nowhere_else() {
    let port = port().await;
    let me = || TestRequest::get().uri("/api/v1/me");
    let malformed = [
        me().insert_header(("authorization", "Basic YTpi")),
        me().insert_header(("authorization", "Bearer")),
        me().insert_header(("authorization", "Bearer ")),
        me().insert_header(("authorization", "ann")),
        me().insert_header(("authorization", format!("Bearer {}", "x".repeat(9_000)))),
        me().insert_header(("x-api-key", "")),
        me().insert_header(("cookie", "token=ann; access_token=ann")),
        bearer(me(), "ann").insert_header(("x-api-key", "rck_1")),
        bearer(me(), "ann").append_header(("authorization", "Bearer root")),
        TestRequest::get().uri("/api/v1/me?token=ann&access_token=ann&api_key=rck_1"),
    ];
    for request in malformed {
        assert_eq!(port.send(request).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(port.world.verified.load(Ordering::Relaxed), 0, "auth was asked about nothing");
}

#[actix_web::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let port = port().await;
    for path in ["/health", "/api/v1/me", "/openapi.json", "/nothing", "/docs", "/ws"] {
        let headers = port.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert!(headers["content-security-policy"].contains("default-src 'none'"), "{path}");
        assert!(headers.contains_key("cache-control"), "{path}");
    }
}

#[actix_web::test]
async fn one_principal_cannot_call_without_end() {
    let limits = LimitsConfig { requests_per_second: 1, requests_burst: 3, ..Default::default() };
    let port = limited(limits).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(port.get_as("ann", "/api/v1/me").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(port.get_as("ann", "/api/v1/me").await.reason(), "RATE_LIMITED");
    assert_eq!(port.get_as("root", "/api/v1/me").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn listed_pages_may_read_answers_and_others_may_not() {
    let allowed_origins = vec!["https://chat.example.com".to_owned()];
    let port =
        port_with(HttpConfig { allowed_origins, ..HttpConfig::default() }, |state| state).await;
    let from = |origin: &'static str| {
        bearer(TestRequest::get().uri("/api/v1/me"), "ann").insert_header(("origin", origin))
    };
    let good = port.send(from("https://chat.example.com")).await;
    assert_eq!(good.headers["access-control-allow-origin"], "https://chat.example.com");
    // A refusal must be readable too, or the page cannot tell why.
    let refused =
        TestRequest::get().uri("/api/v1/me").insert_header(("origin", "https://chat.example.com"));
    let refused = port.send(refused).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.headers.contains_key("access-control-allow-origin"));
    for foreign in ["https://evil.example", "null", "https://chat.example.com.evil.example"] {
        let answer = port.send(from(foreign)).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{foreign}");
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_without_a_credential() {
    let allowed_origins = vec!["https://chat.example.com".to_owned()];
    let port =
        port_with(HttpConfig { allowed_origins, ..HttpConfig::default() }, |state| state).await;
    let preflight = |origin: &'static str| {
        TestRequest::default()
            .method(actix_web::http::Method::OPTIONS)
            .uri("/api/v1/rooms/general/messages")
            .insert_header(("origin", origin))
            .insert_header(("access-control-request-method", "POST"))
            .insert_header(("access-control-request-headers", "authorization,content-type"))
    };
    let good = port.send(preflight("https://chat.example.com")).await;
    assert_eq!(good.status, StatusCode::NO_CONTENT);
    assert_eq!(good.headers["access-control-allow-origin"], "https://chat.example.com");
    assert!(!good.headers.contains_key("access-control-allow-credentials"));
    let foreign = port.send(preflight("https://evil.example")).await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
    assert_eq!(port.world.verified.load(Ordering::Relaxed), 0);
}
