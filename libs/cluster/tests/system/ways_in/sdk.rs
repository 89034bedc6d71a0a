//! The documented config files with the official JavaScript SDK, as an application would use it.
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::issuer::TestIssuer;
use tokio::process::Command;

use super::{Backend, serve};
use crate::sdk::here;
use crate::{s, turn};

/// Plays the story by each transport, in rooms of that kind; `any` stands for a name without one.
async fn play(url: &str, room: &str, tokens: Value) {
    let mut script = Command::new("node");
    script.arg("sdk/documented.mjs").current_dir(here("../../web")).kill_on_drop(true);
    // What browsers have, Node has behind a flag.
    script.env("NODE_OPTIONS", "--experimental-eventsource --no-warnings");
    script.env("URL", url).env("ROOM", room).env("TOKENS", tokens.to_string());
    // The stage that the other stories play on has doors; here there is the server alone.
    script.env("DOORS", "").stdin(Stdio::null());
    let output = tokio::time::timeout(s(60), script.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}");
    let steps: Vec<_> = said.lines().collect();
    assert_eq!(steps, ["ok websocket", "ok http_stream", "ok sse"], "{complaints}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_needs_no_token_where_everybody_may_come_in() {
    let _turn = turn().await;
    let service = serve("anonymous.toml", 1_000).await;
    play(&format!("http://127.0.0.1:{}", service.port), "any", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_comes_in_with_a_backends_tokens() {
    let _turn = turn().await;
    let service = serve("hmac.toml", 1_000).await;
    let backend = Backend(TestIssuer::start().await.unwrap());
    let mut tokens = json!({});
    for name in ["ann", "bob"] {
        tokens[name] = backend.connect(name)["token"].clone();
        for transport in ["websocket", "http_stream", "sse"] {
            let room = format!("private:{transport}");
            tokens[format!("{name}@{room}")] = json!(backend.room(name, &room).hs256(b"secret"));
        }
    }
    play(&format!("http://127.0.0.1:{}", service.port), "private", tokens).await;
}
