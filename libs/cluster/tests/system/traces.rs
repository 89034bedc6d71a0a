//! One published message is one trace, from the publisher's gateway through rooms and the broker to
//! every gateway that delivered it; read by a collector of our own.
use std::collections::BTreeSet;

use cluster::Shape;
use serde_json::json;
use testkit::client::Client;
use testkit::collector::Collector;
use testkit::poll;

use crate::{s, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_one_trace_through_every_part() {
    let _turn = turn().await;
    let collector = Collector::start().await.unwrap();
    let shape = Shape::processes()
        .with("ROOMCAST_TELEMETRY__OTLP_ENDPOINT", collector.endpoint())
        .with("OTEL_BSP_SCHEDULE_DELAY", 200);
    let system = shape.start().await.unwrap();
    let room = system.fresh_room("traced");
    let mut members = Vec::new();
    for gateway in 0..3 {
        let token = system.token(&format!("p{gateway}"), &[]).unwrap();
        let (client, incoming, _) = Client::connect(&system.urls()[gateway], &token).await.unwrap();
        client.subscribe(&room, None).await.unwrap();
        members.push((client, incoming));
    }
    let data = json!({"channel": &*room, "data": {"text": "follow me"}});
    members[0].0.command("publish", data).await.unwrap();

    // The trace that holds a publish at a gateway, its work in rooms, and three deliveries.
    let whole = || async {
        let spans = collector.spans();
        let traces: BTreeSet<_> = spans
            .iter()
            .filter(|span| span.name.contains("publish"))
            .map(|span| span.trace_id.clone())
            .collect();
        traces.into_iter().any(|trace| {
            let related = |span: &&testkit::collector::Span| {
                span.trace_id == trace || span.links.contains(&trace)
            };
            let own: Vec<_> = spans.iter().filter(related).collect();
            let of = |word: &str| own.iter().any(|span| span.service.contains(word));
            let deliveries = own.iter().filter(|span| span.name.contains("deliver")).count();
            of("gateway") && of("rooms") && deliveries >= 3
        })
    };
    let found = poll::until(s(20), "one trace through all parts", whole).await;
    let seen: Vec<_> =
        collector.spans().iter().map(|s| (s.service.clone(), s.name.clone())).collect();
    found.unwrap_or_else(|error| panic!("{error}; spans: {seen:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_no_token_and_no_message() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let room = system.fresh_room("quiet");
    let token = system.token("ann", &[]).unwrap();
    let (client, _incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
    client.subscribe(&room, None).await.unwrap();
    let canary = "canary-in-a-message";
    let data = json!({"channel": &*room, "data": {"text": canary}});
    client.command("publish", data).await.unwrap();
    let _ = client.command("refresh", json!({"token": format!("{token}x")})).await;
    let signature = token.rsplit('.').next().unwrap();
    let all = [&system.gateways, &system.rooms, &system.presence, &system.auth];
    for service in all.into_iter().flatten() {
        let log = service.program.log();
        assert!(!log.contains(canary), "{} logs messages", service.name);
        assert!(!log.contains(signature), "{} logs tokens", service.name);
        assert!(!log.contains("guest:guest"), "{} logs passwords", service.name);
    }
}
