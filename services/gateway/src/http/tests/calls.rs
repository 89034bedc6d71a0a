//! The API's calls: what they ask of the services and how they answer.
use super::*;

const MESSAGES: &str = "/api/v1/rooms/general/messages";

#[actix_web::test]
async fn a_message_with_an_id_is_published_once() {
    let port = port().await;
    let body = r#"{"id": "order-4711", "data": {"text": "hi"}}"#;
    let first = port.post_as("ann", MESSAGES, body).await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    let expected =
        serde_json::json!({"epoch": "e1", "offset": 1, "id": "order-4711", "duplicate": false});
    assert_eq!(first.json(), expected);
    let again = port.post_as("ann", MESSAGES, body).await;
    assert_eq!(
        (again.json()["offset"].as_u64(), again.json()["duplicate"].as_bool()),
        (Some(1), Some(true))
    );
    let other = port.post_as("ann", MESSAGES, r#"{"id": "order-4711", "data": 2}"#).await;
    assert_eq!(
        (other.status, other.reason().as_str()),
        (StatusCode::CONFLICT, "MESSAGE_ID_CONFLICT")
    );

    let published = port.world.published.lock();
    let [message] = &published[..] else { panic!("not published once") };
    assert_eq!(message.room.as_str(), "general");
    assert_eq!(message.data, r#"{"text": "hi"}"#);
    assert_eq!(message.gateway.as_ref().map(GatewayId::as_str), Some("g1"));
    let sender = message.sender.as_ref().unwrap();
    assert_eq!(
        (&sender.id, sender.name.as_str(), sender.connection),
        (&message.principal.id, "The ann", None)
    );
    assert_eq!((&sender.info[..], sender.room_info.len()), (&b"{\"secret\":1}"[..], 0));
}

#[actix_web::test]
async fn a_message_without_an_id_gets_one() {
    let port = port().await;
    for offset in 1..=2 {
        let answer = port.post_as("ann", MESSAGES, r#"{"data": "same"}"#).await;
        assert_eq!(answer.json()["offset"], offset);
        assert_eq!(answer.json()["duplicate"], false);
        assert!(answer.json()["id"].as_str().unwrap().len() >= 8);
    }
}

#[actix_web::test]
async fn tags_pass_and_are_read_back() {
    let port = port().await;
    let body = r#"{"data": 1, "tags": {"lang": "de", "urgent": ""}}"#;
    assert_eq!(port.post_as("ann", MESSAGES, body).await.status, StatusCode::OK);
    assert_eq!(port.post_as("ann", MESSAGES, r#"{"data": 2}"#).await.status, StatusCode::OK);
    assert_eq!(port.world.published.lock()[0].tags.get("lang"), Some("de"));
    let page = port.get_as("ann", "/api/v1/rooms/general/history").await.json();
    assert_eq!(page["items"][0]["tags"], serde_json::json!({"lang": "de", "urgent": ""}));
    assert_eq!(page["items"][1]["tags"], serde_json::json!({}));
}

#[actix_web::test]
async fn payloads_pass_as_they_are_but_for_newlines() {
    let port = port().await;
    let body = "{\n  \"data\": {\n    \"n\": 1.50e2,\r\n    \"b\": 1, \"b\": 2 } }\n";
    assert_eq!(port.post_as("ann", MESSAGES, body).await.status, StatusCode::OK);
    assert_eq!(port.world.published.lock()[0].data, "{    \"n\": 1.50e2,    \"b\": 1, \"b\": 2 }");
}

#[actix_web::test]
async fn bad_bodies_are_refused_as_json_and_nothing_is_published() {
    let port = port().await;
    let deep = format!("{{\"data\": {}{}}}", "[".repeat(101), "]".repeat(101));
    for bad in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"id": "order-4711"}"#,
        r#"{"data": 1, "date": 2}"#,
        r#"{"data": 1, "data": 2}"#,
        r#"{"data": 1} x"#,
        r#"{"data": nul}"#,
        r#"{"id": 7, "data": 1}"#,
        r#"{"id": "short", "data": 1}"#,
        r#"{"id": "has spaces", "data": 1}"#,
        r#"{"data": 1, "tags": {"gateway": "g9"}}"#,
        r#"{"data": 1, "tags": {"": "v"}}"#,
        r#"{"data": 1, "tags": {"n": 1}}"#,
        r#"{"data": 1, "tags": ["a"]}"#,
        deep.as_str(),
    ] {
        let answer = port.post_as("ann", MESSAGES, bad).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            "{bad}"
        );
    }
    let raw =
        bearer(TestRequest::post().uri(MESSAGES), "ann").set_payload(&b"{\"data\":\"\xff\"}"[..]);
    assert_eq!(port.send(raw).await.status, StatusCode::BAD_REQUEST);
    assert!(port.world.published.lock().is_empty());
}

#[actix_web::test]
async fn what_is_too_large_is_refused() {
    let port = port().await;
    let of = |bytes: usize| format!("{{\"data\": \"{}\"}}", "x".repeat(bytes - 2));
    assert_eq!(port.post_as("ann", MESSAGES, &of(65_536)).await.status, StatusCode::OK);
    for too_large in [of(65_537), of(200_000)] {
        let answer = port.post_as("ann", MESSAGES, &too_large).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.reason(), "LIMIT_EXCEEDED");
    }
}

#[actix_web::test]
async fn room_names_are_checked_before_anybody_is_asked() {
    let port = port().await;
    let long = "a".repeat(129);
    for bad in [
        "%2A",
        "%23",
        "a.b",
        "room.%23",
        "a%20b",
        "a%00b",
        "a::b",
        "a:b:c:d",
        "%F0%9F%91%8B",
        long.as_str(),
    ] {
        for path in ["history", "presence", "presence/stats"] {
            let answer = port.get_as("ann", &format!("/api/v1/rooms/{bad}/{path}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad} {path}");
        }
    }
    for reserved in ["system", "user:abc"] {
        let path = format!("/api/v1/rooms/{reserved}/messages");
        let answer = port.post_as("root", &path, r#"{"data": 1}"#).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(port.world.published.lock().is_empty() && port.world.histories.lock().is_empty());
}

#[actix_web::test]
async fn a_forbidden_room_answers_alike_whatever_is_asked() {
    let port = port().await;
    let mut answers =
        vec![port.post_as("ann", "/api/v1/rooms/secret/messages", r#"{"data": 1}"#).await.text];
    for path in ["history", "presence", "presence/stats"] {
        let answer = port.get_as("ann", &format!("/api/v1/rooms/secret/{path}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        answers.push(answer.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[actix_web::test]
async fn history_is_read_by_position() {
    let port = port().await;
    port.post_as("ann", MESSAGES, r#"{"id": "order-4711", "data": {"a": 1}}"#).await;
    let answer = port.get_as("ann", "/api/v1/rooms/general/history").await;
    let expected = serde_json::json!({
        "epoch": "e1", "offset": 1, "items": [{
            "offset": 1, "id": "order-4711", "time_ms": 5, "kind": "message", "gateway": "g1", "data": {"a": 1}, "tags": {},
            "sender": {"issuer": "https://issuer", "subject": "ann", "name": "The ann"},
        }],
    });
    assert_eq!(answer.json(), expected);

    let query = "since_epoch=e1&since_offset=4&limit=5000&reverse=true";
    port.get_as("ann", &format!("/api/v1/rooms/general/history?{query}")).await;
    port.get_as("ann", "/api/v1/rooms/general/history?since_offset=0&limit=0").await;
    let asked = port.world.histories.lock();
    assert_eq!((&asked[0].since, asked[0].limit, asked[0].reverse), (&None, 100, false));
    let since = Position { epoch: domain::Epoch::new("e1"), offset: 4 };
    assert_eq!((&asked[1].since, asked[1].limit, asked[1].reverse), (&Some(since), 1_000, true));
    assert_eq!((&asked[2].since, asked[2].limit), (&Some(Position::default()), 0));
}

#[actix_web::test]
async fn odd_queries_are_refused_as_json() {
    let port = port().await;
    for bad in ["limit=-1", "limit=x", "since_offset=-3", "reverse=1", "limt=3", "limit=1&limit=2"]
    {
        let answer = port.get_as("ann", &format!("/api/v1/rooms/general/history?{bad}")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            "{bad}"
        );
    }
}

#[actix_web::test]
async fn presence_is_told_where_it_is_kept_and_known() {
    let port = port().await;
    let who = port.get_as("ann", "/api/v1/rooms/general/presence").await.json();
    assert_eq!(who["entries"][0]["subject"], "ann");
    assert_eq!(
        (&who["entries"][0]["gateway"], &who["entries"][0]["name"]),
        (&"g2".into(), &"Ann".into())
    );
    assert!(!who.to_string().contains("secret"), "the name alone: {who}");
    assert!(who["entries"][0]["connection"].is_string());
    let counts = port.get_as("ann", "/api/v1/rooms/general/presence/stats").await;
    assert_eq!(counts.json(), serde_json::json!({"connections": 3, "principals": 2}));
    let quiet = port.get_as("ann", "/api/v1/rooms/quiet/presence/stats").await;
    assert_eq!((quiet.status.as_u16(), quiet.reason().as_str()), (422, "NOT_OFFERED"));
}

#[actix_web::test]
async fn administrators_end_connections_and_subscriptions() {
    let port = port().await;
    let (disconnect, unsubscribe) =
        ("/api/v1/users/disconnect", "/api/v1/rooms/general/unsubscribe");
    let body = r#"{"subject": "bob", "reason": "spam", "reconnect": true}"#;
    let done = port.post_as("root", disconnect, body).await;
    assert_eq!((done.status, done.json()), (StatusCode::OK, serde_json::json!({})));
    let other = r#"{"issuer": "https://other", "subject": "eve"}"#;
    assert_eq!(port.post_as("root", unsubscribe, other).await.status, StatusCode::OK);
    assert_eq!(port.post_as("ann", disconnect, body).await.status, StatusCode::FORBIDDEN);
    assert_eq!(port.post_as("ann", unsubscribe, other).await.status, StatusCode::FORBIDDEN);
    let subscribe = "/api/v1/rooms/general/subscribe";
    let told = r#"{"subject": "bob", "data": {"why":
        "invited"}}"#;
    assert_eq!(port.post_as("root", subscribe, told).await.status, StatusCode::OK);
    assert_eq!(port.post_as("root", subscribe, other).await.status, StatusCode::OK);
    assert_eq!(port.post_as("ann", subscribe, other).await.status, StatusCode::FORBIDDEN);
    assert_eq!(port.post_as("root", subscribe, "{}").await.status, StatusCode::BAD_REQUEST);
    {
        let asked = port.world.subscribes.lock();
        let [told, plain] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(told.target, PrincipalId::new("https://issuer", "bob"));
        assert!(told.data.starts_with(b"{\"why\":") && !told.data.contains(&b'\n'), "{told:?}");
        assert_eq!((plain.room.as_str(), plain.data.len()), ("general", 0));
    }
    {
        let asked = port.world.disconnects.lock();
        let [order] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(order.target, PrincipalId::new("https://issuer", "bob"));
        assert_eq!((order.reason.as_str(), order.reconnect), ("spam", true));
        let asked = port.world.unsubscribes.lock();
        let [order] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(order.target, PrincipalId::new("https://other", "eve"));
    }
    let long = format!(r#"{{"subject": "bob", "reason": "{}"}}"#, "x".repeat(121));
    for bad in [r#"{"subject": ""}"#, r#"{"reason": "x"}"#, long.as_str()] {
        assert_eq!(
            port.post_as("root", disconnect, bad).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
    // A key's own issuer is no user's.
    let by_key = TestRequest::post().uri(disconnect).insert_header(("x-api-key", "rck_1"));
    let answer = port.send(by_key.set_payload(r#"{"subject": "bob"}"#)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(port.world.disconnects.lock().len(), 1);
}

#[actix_web::test]
async fn a_wrong_method_is_told_as_json() {
    let port = port().await;
    for (path, token) in [("/health", ""), ("/openapi.json", ""), ("/api/v1/me", "ann")] {
        let answer = port.post_as(token, path, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.reason(), "INVALID_ARGUMENT", "{path}");
    }
}
