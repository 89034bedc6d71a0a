//! Streams and the frames beside them: what is taken, what is refused, what pages may do.
use actix_web::http::Method;
use wire::Format;

use super::*;

const STREAM: &str = "/connection/http_stream";
const EVENTS: &str = "/connection/sse";
const COMMAND: &str = r#"{"id":1,"connect":{"token":"ann"}}"#;

fn post(path: &str, body: &'static [u8]) -> TestRequest {
    let request = TestRequest::post().uri(path).set_payload(body);
    request.insert_header(("host", "chat.example.com"))
}

#[actix_web::test]
async fn a_body_opens_a_stream_in_the_format_that_it_says_it_has() {
    let port = port().await;
    let protobuf = ("content-type", "application/octet-stream");
    for (path, kind, carrier) in [
        (STREAM, ("content-type", "application/json"), Carrier::Stream(Format::Json)),
        (STREAM, ("content-type", "text/plain"), Carrier::Stream(Format::Json)),
        (STREAM, protobuf, Carrier::Stream(Format::Protobuf)),
        (EVENTS, ("content-type", "application/json"), Carrier::Events),
    ] {
        let answer = port.send(post(path, COMMAND.as_bytes()).insert_header(kind)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {kind:?}");
        let opened = port.world.streams.lock().pop();
        assert_eq!(opened, Some((Bytes::from_static(COMMAND.as_bytes()), carrier)));
    }
    assert_eq!(port.world.verified.load(Ordering::Relaxed), 0);
}

#[actix_web::test]
async fn events_by_get_carry_a_token_and_are_refused_until_the_config_allows_them() {
    let path = "/connection/sse?cf_connect=%7B%22id%22%3A1%7D";
    let closed = port().await;
    let answer = closed.get(path).await;
    assert_eq!((answer.status.as_u16(), answer.reason().as_str()), (404, "NOT_OFFERED"));
    assert!(answer.text.contains("gateway.http.sse"), "{answer:?}");
    assert!(closed.world.streams.lock().is_empty());

    let config = HttpConfig { sse: true, ..HttpConfig::default() };
    let limits = LimitsConfig { message_bytes_max: 2_000, ..LimitsConfig::default() };
    let open = port_of(config, limits, |state| state).await;
    assert_eq!(open.get(path).await.status, StatusCode::OK);
    let opened = open.world.streams.lock().pop();
    assert_eq!(opened, Some((Bytes::from_static(b"{\"id\":1}"), Carrier::Events)));
    assert_eq!(open.get(EVENTS).await.status, StatusCode::BAD_REQUEST);
    let secret = open.get("/connection/sse?cf_connect=x&token=abc").await;
    assert_eq!(secret.status, StatusCode::BAD_REQUEST);
    let long = open.get(&format!("{EVENTS}?cf_connect={}", "x".repeat(2_001))).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(open.world.streams.lock().is_empty());
}

#[actix_web::test]
async fn what_is_refused_to_a_socket_is_refused_to_a_stream() {
    let limits = LimitsConfig {
        connections_max: 5,
        upgrades_per_second: 1,
        upgrades_burst: 2,
        ..LimitsConfig::default()
    };
    let port = limited(limits).await;
    for path in [STREAM, EVENTS] {
        let foreign = post(path, b"{}").insert_header(("origin", "https://evil.example"));
        let answer = port.send(foreign).await;
        assert_eq!((answer.status.as_u16(), answer.reason().as_str()), (403, "PERMISSION_DENIED"));
        let secret = port.send(post(&format!("{path}?access_token=abc"), b"{}")).await;
        assert_eq!(secret.status, StatusCode::BAD_REQUEST);
        assert!(!secret.text.contains("abc"));
        port.world.sockets.store(5, Ordering::Relaxed);
        let full = port.send(post(path, b"{}")).await;
        assert_eq!((full.status.as_u16(), full.reason().as_str()), (503, "UNAVAILABLE"));
        port.world.sockets.store(0, Ordering::Relaxed);
    }
    let mut statuses = Vec::new();
    for path in [STREAM, EVENTS, STREAM, EVENTS] {
        statuses.push(port.send(post(path, b"{}")).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 503, 503]);
    let put = TestRequest::default().method(Method::PUT).uri(STREAM);
    assert_eq!(port.send(put).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(port.get(STREAM).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[actix_web::test]
async fn a_first_frame_has_a_bound() {
    let port = port().await;
    let body: &'static [u8] = Box::leak(vec![b' '; 65_537].into_boxed_slice());
    let answer = port.send(post(STREAM, body)).await;
    assert_eq!((answer.status.as_u16(), answer.reason().as_str()), (413, "LIMIT_EXCEEDED"));
    assert_eq!(port.send(post(STREAM, &body[1..])).await.status, StatusCode::OK);
    assert_eq!(port.world.streams.lock().len(), 1);
}

#[actix_web::test]
async fn a_frame_beside_a_stream_is_handed_on_and_its_refusals_are_statuses() {
    let port = port().await;
    let json = |session: &str| {
        let body = serde_json::json!({"node": "g1", "session": session, "data": "{\"id\":2}"});
        TestRequest::post().uri("/emulation").set_payload(body.to_string())
    };
    for (session, status) in [("good", 204), ("unknown", 404), ("busy", 429), ("away", 503)] {
        let answer = port.send(json(session)).await;
        assert_eq!(answer.status.as_u16(), status, "{session}: {answer:?}");
        assert!(!answer.text.contains(session) || session == "busy");
    }
    let protobuf = post("/emulation", b"\x0a\x02g2\x12\x01s\x1a\x08{\"id\":2}");
    let protobuf = protobuf.insert_header(("content-type", "application/octet-stream"));
    assert_eq!(port.send(protobuf).await.status, StatusCode::NO_CONTENT);
    let read = port.world.emulated.lock().pop().unwrap();
    assert_eq!((read.node.as_str(), &read.data[..]), ("g2", &b"{\"id\":2}"[..]));
    port.world.emulated.lock().clear();

    assert_eq!(port.send(post("/emulation", b"{}")).await.reason(), "INVALID_ARGUMENT");
    let foreign = json("good").insert_header(("origin", "https://evil.example"));
    assert_eq!(port.send(foreign).await.status, StatusCode::FORBIDDEN);
    let large = TestRequest::post().uri("/emulation").set_payload(vec![b' '; 200_000]);
    assert_eq!(port.send(large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(port.get("/emulation").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(port.world.emulated.lock().is_empty());
}

#[actix_web::test]
async fn pages_are_told_what_they_may_do() {
    let list = vec!["https://chat.example.com".to_owned()];
    let config = HttpConfig { allowed_origins: list, ..HttpConfig::default() };
    let port = port_with(config, |state| state).await;
    for path in [STREAM, EVENTS, "/emulation"] {
        let ask = |origin: &'static str| {
            TestRequest::default()
                .method(Method::OPTIONS)
                .uri(path)
                .insert_header(("origin", origin))
                .insert_header(("access-control-request-method", "POST"))
                .insert_header(("access-control-request-headers", "content-type"))
        };
        let good = port.send(ask("https://chat.example.com")).await;
        assert_eq!((good.status.as_u16(), good.text.as_str()), (204, ""), "{path}");
        assert_eq!(good.headers["access-control-allow-origin"], "https://chat.example.com");
        assert!(good.headers["access-control-allow-methods"].contains("POST"));
        let allowed = good.headers["access-control-allow-headers"].to_ascii_lowercase();
        assert!(allowed.contains("content-type"), "{allowed}");
        let foreign = port.send(ask("https://evil.example")).await;
        assert!(foreign.status.is_client_error(), "{path}: {foreign:?}");
        assert!(!foreign.headers.contains_key("access-control-allow-origin"));
        let plain = TestRequest::default().method(Method::OPTIONS).uri(path);
        assert_eq!(port.send(plain).await.status, StatusCode::NO_CONTENT);
    }
    // The answer itself may be read by the page, too.
    let own = post(STREAM, b"{}").insert_header(("origin", "https://chat.example.com"));
    let answer = port.send(own).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://chat.example.com");
}
