//! Who may open a socket, told apart before anybody is asked.
use super::*;

fn upgrade(path: &str) -> TestRequest {
    TestRequest::get()
        .uri(path)
        .insert_header(("host", "chat.example.com"))
        .insert_header(("connection", "Upgrade"))
        .insert_header(("upgrade", "websocket"))
        .insert_header(("sec-websocket-version", "13"))
        .insert_header(("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw=="))
}

#[actix_web::test]
async fn both_paths_lead_to_the_sockets() {
    let port = port().await;
    for path in ["/ws", "/connection/websocket", "/ws?cf_protocol_version=v2&x=1"] {
        let answer = port.send(upgrade(path)).await;
        assert_eq!(answer.status, StatusCode::SWITCHING_PROTOCOLS, "{path}: {answer:?}");
    }
    let expected = Upgrade {
        format: wire::Format::Json,
        subprotocol: None,
        native_pings: false,
        address: None,
    };
    assert_eq!(*port.world.upgrades.lock(), [expected; 3]);
    assert_eq!(port.world.verified.load(Ordering::Relaxed), 0);
}

#[actix_web::test]
async fn what_is_no_upgrade_is_told_so_as_json() {
    let port = port().await;
    let plain = port.get("/ws").await;
    assert_eq!((plain.status.as_u16(), plain.headers["upgrade"].as_str()), (426, "websocket"));
    assert_eq!(plain.reason(), "INVALID_ARGUMENT");
    let old = port.send(upgrade("/ws").insert_header(("sec-websocket-version", "8"))).await;
    assert_eq!((old.status.as_u16(), old.headers["sec-websocket-version"].as_str()), (426, "13"));
    let key = port.send(upgrade("/ws").insert_header(("sec-websocket-key", "x"))).await;
    assert_eq!((key.status.as_u16(), key.reason().as_str()), (400, "INVALID_ARGUMENT"));
    let post = port.send(upgrade("/ws").method(actix_web::http::Method::POST)).await;
    assert_eq!((post.status.as_u16(), post.reason().as_str()), (405, "INVALID_ARGUMENT"));
    assert!(port.world.upgrades.lock().is_empty());
}

#[actix_web::test]
async fn pages_of_other_hosts_are_refused() {
    let port = port().await;
    for foreign in [
        "https://evil.example",
        "null",
        "https://chat.example.com.evil.example",
        "https://chat.example.com:1",
    ] {
        let answer = port.send(upgrade("/ws").insert_header(("origin", foreign))).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            "{foreign}"
        );
    }
    let twice = upgrade("/ws").append_header(("origin", "https://chat.example.com"));
    let twice = twice.append_header(("origin", "https://chat.example.com"));
    assert_eq!(port.send(twice).await.status, StatusCode::FORBIDDEN);
    assert!(port.world.upgrades.lock().is_empty());
    let own = upgrade("/ws").insert_header(("origin", "https://chat.example.com"));
    assert_eq!(port.send(own).await.status, StatusCode::SWITCHING_PROTOCOLS);
}

#[actix_web::test]
async fn a_credential_in_the_address_is_refused() {
    let port = port().await;
    for query in ["token=abc", "access_token=abc", "cf_protocol_version=v2&JWT=abc", "%74oken=abc"]
    {
        let answer = port.send(upgrade(&format!("/ws?{query}"))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(!answer.text.contains("abc"), "the answer repeats it: {query}");
    }
    assert!(port.world.upgrades.lock().is_empty());
}

#[actix_web::test]
async fn formats_are_agreed_on() {
    let port = port().await;
    let offer = |path: &'static str, list: &'static str| {
        let request = upgrade(path);
        let offers = ("sec-websocket-protocol", list);
        if list.is_empty() { request } else { request.insert_header(offers) }
    };
    let (json, protobuf) = ("centrifuge-json", "centrifuge-protobuf");
    use wire::Format::{Json, Protobuf};
    for (path, list, format, named) in [
        ("/ws", "", Json, None),
        ("/ws", "chat", Json, None),
        ("/ws", json, Json, Some(json)),
        ("/ws", protobuf, Protobuf, Some(protobuf)),
        ("/connection/websocket", protobuf, Protobuf, Some(protobuf)),
        // The client's order counts.
        ("/ws", "chat, centrifuge-protobuf, centrifuge-json", Protobuf, Some(protobuf)),
        ("/ws", "centrifuge-json,centrifuge-protobuf", Json, Some(json)),
        // The query names no subprotocol: the answer must name none.
        ("/ws?format=protobuf", "", Protobuf, None),
        ("/ws?cf_protocol=protobuf&x=1", "", Protobuf, None),
        ("/ws?format=json", "", Json, None),
        // What the answer names is what is spoken.
        ("/ws?format=protobuf", json, Json, Some(json)),
    ] {
        let answer = port.send(offer(path, list)).await;
        assert_eq!(answer.status, StatusCode::SWITCHING_PROTOCOLS, "{path} {list}: {answer:?}");
        let agreed = port.world.upgrades.lock().last().map(|one| (one.format, one.subprotocol));
        assert_eq!(agreed, Some((format, named)), "{path} {list}");
    }
}

#[actix_web::test]
async fn a_herd_is_told_to_come_back() {
    let limits = LimitsConfig { upgrades_per_second: 1, upgrades_burst: 2, ..Default::default() };
    let port = limited(limits).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(port.send(upgrade("/ws")).await.status.as_u16());
    }
    assert_eq!(statuses, [101, 101, 503, 503]);
    let refused = port.send(upgrade("/ws")).await;
    assert_eq!(refused.reason(), "UNAVAILABLE");
    let seconds: u32 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=5).contains(&seconds));
    assert_eq!(port.world.upgrades.lock().len(), 2);
}

#[actix_web::test]
async fn a_full_gateway_takes_no_more() {
    let port = limited(LimitsConfig { connections_max: 5, ..Default::default() }).await;
    port.world.sockets.store(4, Ordering::Relaxed);
    assert_eq!(port.send(upgrade("/ws")).await.status, StatusCode::SWITCHING_PROTOCOLS);
    port.world.sockets.store(5, Ordering::Relaxed);
    let answer = port.send(upgrade("/ws")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
}

#[actix_web::test]
async fn one_address_cannot_take_everybodys_share() {
    let limits = LimitsConfig {
        upgrades_per_second_per_address: 1,
        upgrades_burst_per_address: 1,
        ..LimitsConfig::default()
    };
    let trusted_proxies = vec!["10.0.0.0/8".to_owned()];
    let config = HttpConfig { trusted_proxies, ..HttpConfig::default() };
    let port = port_of(config, limits, |state| state).await;
    let from = |address: &'static str| {
        upgrade("/ws")
            .peer_addr("10.0.0.1:9".parse().unwrap())
            .insert_header(("x-forwarded-for", address))
    };
    let mut statuses = Vec::new();
    for address in ["203.0.113.1", "203.0.113.1", "6.6.6.6, 203.0.113.1", "203.0.113.2"] {
        statuses.push(port.send(from(address)).await.status.as_u16());
    }
    assert_eq!(statuses, [101, 503, 503, 101]);
}
