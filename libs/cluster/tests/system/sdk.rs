//! The official SDKs as they are installed, unmodified, each through the same stories on two gateways.
//!
//! The stories of JavaScript stand in `web/sdk`, those of Python and Java in `libs/cluster/sdk`, those
//! of Rust in `sdk/rust`. What an SDK does not offer is left out here, with the reason.
mod door;
mod rust;
mod stage;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use testkit::authority::Authority;
use tokio::process::Command;

use crate::turn;
use stage::Stage;

/// Talking in a room.
const CHAT: [&str; 8] = [
    "connect",
    "subscribe",
    "publish",
    "rpc",
    "history",
    "presence",
    "leave and join",
    "unsubscribe",
];
/// What is refused, and haste.
const LIMITS: [&str; 3] = ["forbidden room", "too large", "change of mind"];
/// Losing the connection and going on.
const RECOVERY: [&str; 4] =
    ["recovery after a cut", "double reconnect", "killed gateway", "recovery on another gateway"];
/// Tokens that end.
const TOKENS: [&str; 4] =
    ["refresh", "expiry while connected", "expiry while offline", "forged token"];

/// The usual steps and these.
fn steps<'a>(further: &[&'a str]) -> Vec<&'a str> {
    [&CHAT[..], &LIMITS, &RECOVERY, &TOKENS, further].concat()
}

/// A path of this crate.
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where `cargo xtask test` has put what a list of packages names; the list is in the folder's name.
#[expect(clippy::disallowed_methods, reason = "a tool's own place is no config of the product")]
fn installed(kind: &str, list: &str) -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("ROOMCAST_CACHE").unwrap_or(format!("{home}/.cache/roomcast"));
    let mut hasher = DefaultHasher::new();
    std::fs::read_to_string(here(list)).unwrap().hash(&mut hasher);
    let folder = PathBuf::from(cache).join(format!("sdk-{kind}-{:016x}", hasher.finish()));
    assert!(folder.is_dir(), "{} is missing: cargo xtask test installs it", folder.display());
    folder
}

async fn play_javascript(transport: &str, format: &str) {
    let _turn = turn().await;
    let stage = Stage::start().await;
    play_javascript_on(&stage, transport, format, &[]).await;
}

/// The same by TLS that the gateways end themselves; Node is told which authority to believe.
async fn play_javascript_by_tls(transport: &str, format: &str) {
    let _turn = turn().await;
    let (authority, folder) = (Authority::new().unwrap(), tempfile::tempdir().unwrap());
    authority.issue(1).unwrap().write(folder.path()).unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("ca.crt"), authority.pem()).unwrap();
    let stage = Stage::start_with(&[
        ("ROOMCAST_GATEWAY__TLS__CERTIFICATE_FILE", at("tls.crt")),
        ("ROOMCAST_GATEWAY__TLS__KEY_FILE", at("tls.key")),
    ])
    .await;
    let env = [("TLS", "yes".to_owned()), ("NODE_EXTRA_CA_CERTS", at("ca.crt"))];
    play_javascript_on(&stage, transport, format, &env).await;
}

async fn play_javascript_on(stage: &Stage, transport: &str, format: &str, env: &[(&str, String)]) {
    let web = here("../../web");
    let sdk = web.join("node_modules/centrifuge");
    assert!(sdk.is_dir(), "web packages are missing: npm ci in web/");
    let mut script = Command::new("node");
    script.arg("sdk/main.mjs").current_dir(web).env("TRANSPORT", transport).env("FORMAT", format);
    // What browsers have, Node has behind a flag.
    script.envs(env.iter().map(|(key, value)| (key, value)));
    script.env("NODE_OPTIONS", "--experimental-eventsource --no-warnings");
    let further = ["batch", "one frame", "wrong epoch", "state", "newest", "patches", "filter"];
    let mut steps = steps(&further);
    // A door cannot tell an answer inside of TLS, after which it is to cut again.
    let secure = env.iter().any(|(key, _)| *key == "TLS");
    steps.retain(|step| !secure || *step != "double reconnect");
    stage.play(script, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_in_json() {
    play_javascript("websocket", "json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_in_protobuf() {
    play_javascript("websocket", "protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_by_http_streaming_in_json() {
    play_javascript("http_stream", "json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_by_http_streaming_in_protobuf() {
    play_javascript("http_stream", "protobuf").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_by_server_sent_events() {
    play_javascript("sse", "json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_by_tls() {
    play_javascript_by_tls("websocket", "json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdk_does_everything_by_http_streaming_by_tls() {
    play_javascript_by_tls("http_stream", "protobuf").await;
}

/// No batches, and no `since` beside `get_state`.
async fn play_python(format: &str) {
    let _turn = turn().await;
    let stage = Stage::start().await;
    let python = installed("python", "sdk/python/requirements.txt").join("bin/python");
    let mut script = Command::new(python);
    script.arg(here("sdk/python/main.py")).env("FORMAT", format);
    script.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    stage.play(script, &steps(&["state"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_does_everything_in_json() {
    play_python("json").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_does_everything_in_protobuf() {
    play_python("protobuf").await;
}

/// Protobuf alone, no batches, and a position can be given to history only.
#[tokio::test(flavor = "multi_thread")]
async fn the_java_sdk_does_everything() {
    let _turn = turn().await;
    let stage = Stage::start().await;
    let jars = installed("java", "sdk/java/pom.xml").join("*");
    let classes = tempfile::tempdir().unwrap();
    let sources = std::fs::read_dir(here("sdk/java")).unwrap();
    let sources = sources.map(|entry| entry.unwrap().path());
    let sources: Vec<_> =
        sources.filter(|path| path.extension().is_some_and(|end| end == "java")).collect();
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(&jars).arg("-d").arg(classes.path()).args(["-Xlint:all", "-Werror"]);
    let compiled = javac.args(sources).output().await.expect("javac is installed");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let path = std::env::join_paths([classes.path(), &jars]).unwrap();
    let mut script = Command::new("java");
    script.arg("-cp").arg(path).arg("Main");
    stage.play(script, &steps(&[])).await;
}
