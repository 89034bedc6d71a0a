//! The backend of the how-to page, run as it stands there, and `roomcast serve` with the config beside
//! it: who gets in, where to, and what happens while the backend is down.
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cluster::Service;
use serde_json::{Value, json};
use testkit::client::{Client, CommandError};
use testkit::parts::free_port;
use testkit::poll;

use crate::ways_in::{Visitor, serve_with};
use crate::{s, turn};

/// The secret in `docs/config/backend.toml`.
const SECRET: &str = "development-secret-of-32-bytes-or-more";

/// The page's program, running.
struct Backend {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Backend {
    async fn start(port: u16) -> Self {
        let page = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/how-to/authorise-with-your-backend.md"
        );
        let page = std::fs::read_to_string(Path::new(page)).unwrap();
        let program = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backend.py");
        std::fs::write(&file, program.expect("the page has a program")).unwrap();
        let mut python = Command::new("python3");
        python.arg(file).env("ROOMCAST_SECRET", SECRET).env("PORT", port.to_string());
        python.stdin(Stdio::null()).stderr(Stdio::null());
        let child = python.spawn().expect("python3 is installed");
        poll::until(s(20), "the page's backend", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await
        .unwrap();
        Self { child, _folder: folder }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(backend_port: u16) -> Service {
    let url = |path: &str| format!("http://127.0.0.1:{backend_port}/{path}");
    let env = [
        ("ROOMCAST_AUTH__BACKEND__CONNECT_URL", url("connect")),
        ("ROOMCAST_AUTH__BACKEND__SUBSCRIBE_URL", url("subscribe")),
    ];
    serve_with("backend.toml", &env).await
}

/// What is left of an hour, in whole seconds.
fn is_an_hour(ttl: &Value) -> bool {
    ttl.as_u64().is_some_and(|seconds| (3_590..=3_600).contains(&seconds))
}

/// A connect that is answered with an error.
async fn turned_down(service: &Service, token: &str) -> (u32, bool) {
    let url = format!("ws://127.0.0.1:{}/connection/websocket", service.port);
    let (client, _incoming) = Client::open(&url).await.unwrap();
    match client.command("connect", json!({"token": token})).await {
        Err(CommandError::Refused(refusal)) => (refusal.code, refusal.temporary),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_of_the_page_lets_in_whom_it_knows_and_its_outage_locks_nobody_out() {
    let _turn = turn().await;
    let port = free_port().unwrap();
    let mut backend = Backend::start(port).await;
    let service = serve(port).await;
    let hello = |token: &str| json!({"token": token, "data": {"tab": 1}});
    let mut ann = Visitor::arrive(&service, hello("session-of-ann")).await;
    assert_eq!(ann.hello["data"]["user"], "ann");
    assert!(ann.hello["subs"]["news"].is_object(), "{}", ann.hello);
    assert_eq!(ann.hello["expires"], json!(true));
    assert!(is_an_hour(&ann.hello["ttl"]), "{}", ann.hello);
    assert_eq!(Visitor::turned_away(&service, hello("nobody's")).await, 3503);
    assert_eq!(Visitor::turned_away(&service, json!({})).await, 3503);

    let order = json!({"channel": "order:42", "data": {"as": "customer"}});
    let joined = ann.ask("subscribe", order.clone()).await;
    assert_eq!(joined.get("expires"), None, "nothing to refresh: {joined}");
    let bob = Visitor::arrive(&service, hello("session-of-bob")).await;
    assert_eq!(bob.refused("subscribe", order.clone()).await, 403);
    // Nor by another door: the kind asks for a grant everywhere.
    for (verb, arguments) in [
        ("history", json!({"channel": "order:42", "limit": 10})),
        ("presence", json!({"channel": "order:42"})),
        ("publish", json!({"channel": "order:42", "data": {}})),
    ] {
        assert_eq!(bob.refused(verb, arguments).await, 103, "{verb}");
    }
    ann.ask("publish", json!({"channel": "order:42", "data": {"text": "mine"}})).await;
    let push = ann.push(|push| push.publication.is_some()).await;
    assert_eq!(push.publication.unwrap().info.unwrap()["chan_info"], json!({"badge": "buyer"}));
    let renewed = ann.ask("refresh", json!({"token": "session-of-ann"})).await;
    assert!(is_an_hour(&renewed["ttl"]), "{renewed}");

    backend.kill();
    assert_eq!(turned_down(&service, "session-of-ann").await, (100, true));
    ann.ask("unsubscribe", json!({"channel": "order:42"})).await;
    match ann.client.command("subscribe", order.clone()).await {
        Err(CommandError::Refused(refusal)) => {
            assert!(refusal.code == 100 && refusal.temporary, "{refusal:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
    // Who is in stays in.
    ann.ask("publish", json!({"channel": "news", "data": {"text": "still here"}})).await;
    let _back = Backend::start(port).await;
    let again: Value = ann.ask("subscribe", order).await;
    assert_eq!(again["offset"], json!(1), "{again}");
    Visitor::arrive(&service, hello("session-of-bob")).await;
}
