//! The all-in-one binary as somebody on one machine uses it: started with nothing, signed in by
//! a token, administered from a terminal, asked by the doctor, told to stop.
mod installation;

use installation::{Installation, run};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::collector::Collector;

#[tokio::test]
async fn it_serves_the_page_its_settings_and_chat_that_survives_a_restart() {
    let one = Installation::start("").await;
    let page = one.get("/").await;
    assert_eq!(page.status(), 200);
    assert!(page.headers().contains_key("content-security-policy"));
    let settings: Value = one.get("/config.json").await.json().await.unwrap();
    assert_eq!(settings["issuer"], format!("http://localhost:{}/dev-issuer", one.port));
    let discovery = one.get("/dev-issuer/.well-known/openid-configuration").await;
    assert_eq!(discovery.json::<Value>().await.unwrap()["issuer"], settings["issuer"]);

    let token = one.token(&["ann"]);
    let (client, _pushes, _) = Client::connect(&one.socket(), &token).await.unwrap();
    let before = client.subscribe("general", None).await.unwrap();
    let sent = json!({"channel": "general", "data": {"text": "kept"}});
    client.command("publish", sent).await.unwrap();
    drop(client);

    assert_eq!(one.stop().await, Some(0), "{}", one.program.log());
    one.program.restart().await.unwrap();
    one.ready().await;
    let (client, _pushes, _) = Client::connect(&one.socket(), &token).await.unwrap();
    let since = Some((&*before.epoch, before.offset));
    let after = client.subscribe("general", since).await.unwrap();
    assert!(after.recovered, "{after:?}");
    assert_eq!(after.publications.len(), 1, "{after:?}");
}

#[tokio::test]
async fn it_is_administered_by_a_token_and_then_by_a_key() {
    let one = Installation::start("").await;
    let admin = one.token(&["root", "--role", "admin"]);
    let stats = one.admin(&["--json", "stats"], ("ROOMCAST_ADMIN_TOKEN", &admin));
    assert_eq!(stats.code, 0, "{stats:?}");
    let stats: Value = serde_json::from_str(&stats.out).unwrap();
    assert_eq!(stats["version"], env!("CARGO_PKG_VERSION"));

    let made = one.admin(
        &["--json", "create-key", "script", "--role", "admin"],
        ("ROOMCAST_ADMIN_TOKEN", &admin),
    );
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let key = made["key"].as_str().unwrap();
    let by_key = |args: &[&str]| one.admin(args, ("ROOMCAST_ADMIN_KEY", key));
    assert_eq!(by_key(&["create-room", "general", "--title", "Hall"]).code, 0);
    let published =
        by_key(&["--json", "publish", "general", r#"{"text":"hi"}"#, "--id", "once-only"]);
    let again = by_key(&["--json", "publish", "general", r#"{"text":"hi"}"#, "--id", "once-only"]);
    let offset = |text: &str| serde_json::from_str::<Value>(text).unwrap()["offset"].clone();
    assert_eq!(offset(&published.out), offset(&again.out), "{published:?} {again:?}");
    let history = by_key(&["history", "general"]);
    assert!(history.out.contains(r#"{"text":"hi"}"#), "{history:?}");
    let audit = by_key(&["audit"]);
    assert!(audit.out.contains("create_room"), "{audit:?}");

    let nobody = one.token(&["eve"]);
    let refused = one.admin(&["stats"], ("ROOMCAST_ADMIN_TOKEN", &nobody));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("PERMISSION_DENIED"), "{refused:?}");
    let shown = format!("{made:?}{refused:?}{}", one.program.log());
    assert!(!shown.contains(&nobody), "a token was shown");
}

#[test]
fn a_bad_config_is_told_whole_and_ends_with_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roomcast.toml");
    let text = "[gateway]\nlisten = \"nowhere\"\n[rooms]\nlane = 3\n[presense]\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    for verb in [&["serve"][..], &["config", "check"], &["doctor"]] {
        let ended = run(&[verb, &["--config", file]].concat(), &[], folder.path());
        assert_eq!(ended.code, 64, "{verb:?}: {ended:?}");
        for key in ["gateway.listen", "rooms.lane", "presense"] {
            assert!(ended.err.contains(&format!("\n  {key}: ")), "{verb:?}: {key}: {ended:?}");
        }
    }
}

#[test]
fn the_doctor_names_each_part_that_fails_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let well = run(&["doctor"], &[], folder.path());
    assert_eq!(well.code, 0, "{well:?}");
    assert!(!folder.path().join(".roomcast").exists(), "the doctor made something");
    let environment = [
        ("ROOMCAST_ROOMS__DATABASE", "postgres://u:hunter2@127.0.0.1:1/chat"),
        ("ROOMCAST_PRESENCE__STORE", "redis://127.0.0.1:1"),
        ("ROOMCAST_BUS__ADDRESSES", "amqp://u:hunter2@127.0.0.1:1"),
        ("ROOMCAST_RPC__ROOMS", "http://127.0.0.1:1"),
        ("ROOMCAST_AUTH__ISSUERS", "[{url=\"http://127.0.0.1:1/realms/chat\"}]"),
    ];
    let ill = run(&["doctor"], &environment, folder.path());
    assert_eq!(ill.code, 1, "{ill:?}");
    for part in
        ["log", "presence", "broker", "rooms at http://127.0.0.1:1", "issuer http://127.0.0.1:1"]
    {
        assert!(ill.out.contains(&format!("FAIL  {part}")), "{part}: {}", ill.out);
    }
    assert!(ill.out.contains("start PostgreSQL"), "{}", ill.out);
    assert!(!format!("{ill:?}").contains("hunter2"), "{ill:?}");
}

#[tokio::test]
async fn the_last_spans_reach_the_collector_before_the_process_ends() {
    let collector = Collector::start().await.unwrap();
    let one = Installation::start(&format!(
        "[telemetry]\notlp_endpoint = \"{}\"\nlog_format = \"json\"\n",
        collector.endpoint()
    ))
    .await;
    let (client, _pushes, _) = Client::connect(&one.socket(), &one.token(&["ann"])).await.unwrap();
    client.subscribe("general", None).await.unwrap();
    let sent = json!({"channel": "general", "data": {"text": "traced"}});
    client.command("publish", sent).await.unwrap();
    assert_eq!(one.stop().await, Some(0), "{}", one.program.log());
    let spans = collector.spans();
    assert!(!spans.is_empty(), "no span came");
    assert!(spans.iter().all(|span| span.service == "roomcast"), "{spans:?}");
    for line in one.program.log().lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["service"], "roomcast", "{line}");
    }
}

#[tokio::test]
async fn metrics_and_readiness_are_told_on_the_ops_port() {
    let one = Installation::start("").await;
    let metrics = one.ops("/metrics").await;
    assert!(metrics.contains("roomcast_runtime_info{"), "{metrics}");
    assert!(metrics.contains("process_resident_memory_bytes"), "{metrics}");
    assert!(one.ops("/readyz").await.contains("\"ready\":true"));
    assert!(one.ops("/livez").await.contains("\"alive\":true"));
}

#[test]
fn what_can_be_set_is_told_as_a_file_a_schema_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let told = |what: &str| run(&["config", what], &[], folder.path());
    let file = folder.path().join("roomcast.toml");
    std::fs::write(&file, told("defaults").out).unwrap();
    let environment = [("ROOMCAST_ROOMS__DATABASE", "sqlite://x")];
    let checked =
        run(&["config", "check", "--config", "roomcast.toml"], &environment, folder.path());
    assert_eq!(checked.code, 0, "{checked:?}");
    let schema: Value = serde_json::from_str(&told("schema").out).unwrap();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 9);
    assert!(told("reference").out.contains("| `gateway.listen` | text | `\"0.0.0.0:8080\"` |"));
}
