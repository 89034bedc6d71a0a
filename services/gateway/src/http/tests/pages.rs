//! Health, figures, the description, the documentation pages, the chat page.
use std::borrow::Cow;

use super::*;
use crate::http::{DocsFiles, Page, PageFile};

#[actix_web::test]
async fn health_tells_the_version() {
    let port = port().await;
    let health = port.get("/health").await;
    assert_eq!(health.status, StatusCode::OK);
    let expected =
        serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "gateway": "g1"});
    assert_eq!(health.json(), expected);
    assert_eq!(port.get("/livez").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn ready_is_what_the_process_says() {
    let port = port().await;
    assert_eq!(port.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    port.readiness.flag("rooms").set(true);
    assert_eq!(port.get("/readyz").await.status, StatusCode::OK);
    // Another service's absence is not this gateway's.
    port.world.away.store(true, Ordering::Relaxed);
    assert_eq!(port.get("/readyz").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn figures_are_asked_for_once_for_all() {
    let config = HttpConfig { stats_cache_ms: 60_000, ..HttpConfig::default() };
    let port = port_with(config, |state| state).await;
    let answers = futures_util::future::join_all((0..20).map(|_| port.get("/stats"))).await;
    for answer in answers {
        let figures = answer.json();
        assert_eq!(figures["connections"], 30);
        assert_eq!((&figures["principals"], &figures["gateways"]), (&20.into(), &2.into()));
        assert_eq!((&figures["presence"], &figures["gateway"]), (&"ok".into(), &"g1".into()));
    }
    assert_eq!(port.world.totals_asked.load(Ordering::Relaxed), 1);
}

#[actix_web::test]
async fn unknown_figures_are_null_and_never_zero() {
    let config = HttpConfig { stats_cache_ms: 0, ..HttpConfig::default() };
    let port = port_with(config, |state| state).await;
    assert_eq!(port.get("/stats").await.json()["connections"], 30);
    port.world.away.store(true, Ordering::Relaxed);
    let away = port.get("/stats").await.json();
    assert_eq!(away["presence"], "unavailable");
    for figure in ["connections", "principals", "gateways"] {
        assert!(away[figure].is_null(), "{away}");
    }
    port.world.away.store(false, Ordering::Relaxed);
    assert_eq!(port.get("/stats").await.json()["connections"], 30);
}

#[actix_web::test]
async fn the_description_lists_every_path_and_only_those() {
    let port = port().await;
    let document = port.get("/openapi.json").await.json();
    let mut paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    paths.sort();
    let expected = [
        "/api/v1/me",
        "/api/v1/rooms/{room}/history",
        "/api/v1/rooms/{room}/messages",
        "/api/v1/rooms/{room}/presence",
        "/api/v1/rooms/{room}/presence/stats",
        "/api/v1/rooms/{room}/subscribe",
        "/api/v1/rooms/{room}/unsubscribe",
        "/api/v1/users/disconnect",
        "/health",
        "/livez",
        "/readyz",
        "/stats",
    ];
    assert_eq!(paths, expected);
    for path in expected {
        // Each one exists: with a credential it is not a 404.
        let real = path.replace("{room}", "general");
        assert_ne!(port.get_as("ann", &real).await.status, StatusCode::NOT_FOUND, "{path}");
        let operations = document["paths"][path].as_object().unwrap();
        let open = operations.values().all(|one| one["security"] == serde_json::json!([{}]));
        assert_eq!(open, !path.starts_with("/api/"), "{path}");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["api_key", "bearer"]);
    let parameters = &document["paths"]["/api/v1/rooms/{room}/history"]["get"]["parameters"];
    let names: Vec<_> = parameters.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["room", "since_epoch", "since_offset", "limit", "reverse"]);
}

/// Every `$ref` of the description leads somewhere.
#[actix_web::test]
async fn the_description_has_no_loose_ends() {
    let document = port().await.get("/openapi.json").await.json();
    let text = document.to_string();
    let mut refs = 0;
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        refs += 1;
    }
    assert!(refs > 10);
}

fn some_docs() -> DocsFiles {
    DocsFiles(|name| {
        let known =
            ["swagger-ui.css", "swagger-ui-bundle.js", "redoc.standalone.js", "LICENSE.redoc"];
        known.contains(&name).then(|| Cow::Owned(format!("the file {name}").into_bytes()))
    })
}

#[actix_web::test]
async fn documentation_pages_have_a_strict_policy() {
    let port = port_with(HttpConfig::default(), |state| state.with_docs(some_docs())).await;
    for page in ["/docs", "/redoc"] {
        let answer = port.get(page).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(
            !policy.contains("unsafe-eval") && !policy.contains("http") && !policy.contains('*'),
            "{policy}"
        );
        // Nothing from elsewhere, no script within the page, and every file that it names is there.
        assert!(
            !answer.text.contains("://") && !answer.text.contains("<script>"),
            "{}",
            answer.text
        );
        for part in answer.text.split(['"', '\'']).filter(|part| part.starts_with(page)) {
            assert_eq!(port.get(part).await.status, StatusCode::OK, "{part}");
        }
    }
    let script = port.get("/docs/swagger-ui-bundle.js").await;
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.text, "the file swagger-ui-bundle.js");
    for none in
        ["/docs/LICENSE.redoc", "/docs/../Cargo.toml", "/docs/%2e%2e%2fCargo.toml", "/redoc/x/y"]
    {
        assert_eq!(port.get(none).await.status, StatusCode::NOT_FOUND, "{none}");
    }
}

#[actix_web::test]
async fn a_gateway_without_documentation_pages_says_so() {
    let port = port_with(HttpConfig::default(), |state| state.with_docs(DocsFiles(|_| None))).await;
    for page in ["/docs", "/redoc"] {
        let answer = port.get(page).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text.contains("/openapi.json"), "{}", answer.text);
    }
}

struct OnePage;

impl Page for OnePage {
    fn file(&self, path: &str) -> Option<PageFile> {
        let content_type = match path {
            "/index.html" => "text/html; charset=utf-8",
            "/assets/index-1.js" => "text/javascript",
            "/robots.txt" => "text/plain",
            _ => return None,
        };
        let bytes = Cow::Owned(path.as_bytes().to_vec());
        Some(PageFile { bytes, content_type: content_type.to_owned(), etag: "\"1\"".to_owned() })
    }

    fn content_security_policy(&self) -> String {
        "default-src 'self'".to_owned()
    }
}

#[actix_web::test]
async fn the_page_is_served_where_there_is_one() {
    let port = port_with(HttpConfig::default(), |state| state.with_page(Arc::new(OnePage))).await;
    let index = port.get("/").await;
    assert_eq!((index.status, index.text.as_str()), (StatusCode::OK, "/index.html"));
    assert_eq!(index.headers["cache-control"], "no-cache");
    assert_eq!(index.headers["content-security-policy"], "default-src 'self'");
    let asset = port.get("/assets/index-1.js").await;
    assert!(asset.headers["cache-control"].contains("immutable"));
    assert_eq!(port.get("/robots.txt").await.status, StatusCode::OK);
    let known = TestRequest::get().uri("/").insert_header(("if-none-match", "\"1\""));
    let known = port.send(known).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(port.get("/assets/none.js").await.status, StatusCode::NOT_FOUND);
    assert_eq!(port.get("/other.html").await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn without_a_page_there_is_none() {
    let port = port().await;
    assert_eq!(port.get("/").await.reason(), "NOT_FOUND");
    assert_eq!(port.get("/favicon.ico").await.status, StatusCode::NO_CONTENT);
}
