//! Administration from scripts: `grpcurl` by reflection, `roomcast admin`, `curl` with a key, `doctor`.
use std::path::PathBuf;
use std::process::{Command, Output};

use cluster::{Shape, System, binaries};
use serde_json::{Value, json};
use testkit::client::{Client, Incoming};

use crate::{s, turn};

/// The tool that `cargo xtask test` puts into the cache.
#[expect(clippy::disallowed_methods, reason = "a tool's own place is no config of the product")]
fn grpcurl() -> PathBuf {
    let home = std::env::var("HOME").unwrap_or_default();
    let cache = std::env::var("ROOMCAST_CACHE").unwrap_or(format!("{home}/.cache/roomcast"));
    let path = PathBuf::from(cache).join("bin/grpcurl");
    assert!(path.is_file(), "{} is missing: cargo xtask test installs it", path.display());
    path
}

pub async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

fn admin_command(system: &System, credential: [&str; 2], arguments: &[&str]) -> Command {
    let admin = system.rooms.first().unwrap_or(&system.gateways[0]);
    let mut command = Command::new(binaries::find("roomcast").unwrap());
    command.args([
        "admin",
        "--address",
        &format!("http://127.0.0.1:{}", admin.admin_port),
        "--json",
    ]);
    command.args(credential).args(arguments);
    command
}

/// Makes an API key as an operator would: by an admin's token.
async fn make_key(system: &System, role: &str) -> String {
    let token = system.token("root", &["admin"]).unwrap();
    let arguments = ["create-key", "script", "--role", role];
    let output = run(admin_command(system, ["--token", &token], &arguments)).await;
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    answer["key"].as_str().expect("the secret is shown once").to_owned()
}

async fn closed_or_unsubscribed(incoming: &mut tokio::sync::mpsc::Receiver<Incoming>) -> u64 {
    let wait = async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Closed(code, _)) => return u64::from(code),
                Some(Incoming::Push(push)) => {
                    if let Some(end) = push.unsubscribe {
                        return end["code"].as_u64().unwrap_or(0);
                    }
                }
                Some(_) => {}
                None => return 0,
            }
        }
    };
    tokio::time::timeout(s(10), wait).await.expect("told within 10 s")
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_lists_and_kicks_with_a_key_and_is_refused_both_without() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let key = make_key(&system, "admin").await;
    let plain = make_key(&system, "user").await;
    let address = format!("127.0.0.1:{}", system.rooms[0].admin_port);
    let call = |header: Option<&str>, arguments: &[&str]| {
        let mut command = Command::new(grpcurl());
        command.arg("-plaintext");
        if let Some(key) = header {
            command.args(["-H", &format!("x-api-key: {key}")]);
        }
        // Data comes before the address, the verb or method after it.
        let (data, rest): (Vec<&str>, Vec<&str>) =
            arguments.iter().partition(|argument| argument.starts_with('{'));
        for data in data {
            command.args(["-d", data]);
        }
        command.arg(&address).args(rest);
        command
    };
    let listed = run(call(Some(&key), &["list"])).await;
    assert!(text(&listed).contains("roomcast.admin.v1.AdminService"), "{}", text(&listed));
    assert!(!run(call(None, &["list"])).await.status.success(), "no reflection without a key");
    assert!(!run(call(Some(&plain), &["list"])).await.status.success(), "nor without the role");

    let room = system.fresh_room("kicked");
    let token = system.token("victim", &[]).unwrap();
    let (client, mut incoming, _) = Client::connect(&system.urls()[1], &token).await.unwrap();
    client.subscribe(&room, None).await.unwrap();
    let presence = client.command("presence", json!({"channel": &*room})).await.unwrap();
    let info = presence["presence"].as_object().unwrap().values().next().unwrap();
    let issuer = system.outside().unwrap().issuer.url();
    let kick = json!({"room": &*room, "target": {"issuer": issuer, "subject": info["user"]},
        "reason": "enough"})
    .to_string();
    let method = "roomcast.admin.v1.AdminService/Kick";
    assert!(!run(call(None, &[&kick, method])).await.status.success(), "no kick without a key");
    let kicked = run(call(Some(&key), &[&kick, method])).await;
    assert!(kicked.status.success(), "{}", text(&kicked));
    assert_eq!(closed_or_unsubscribed(&mut incoming).await, 2000);

    let arguments = ["audit"];
    let audit = run(admin_command(&system, ["--key", &key], &arguments)).await;
    assert!(text(&audit).contains("kick"), "{}", text(&audit));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_publishes_with_a_key_and_ends_connections() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let key = make_key(&system, "admin").await;
    let room = system.fresh_room("backend");
    let token = system.token("ann", &[]).unwrap();
    let (client, mut incoming, _) = Client::connect(&system.urls()[2], &token).await.unwrap();
    client.subscribe(&room, None).await.unwrap();

    let post = |path: String, body: Value, key: Option<&str>| {
        let mut command = Command::new("curl");
        command.args([
            "-sS",
            "-w",
            "\n%{http_code}",
            "-X",
            "POST",
            "-H",
            "content-type: application/json",
        ]);
        if let Some(key) = key {
            command.args(["-H", &format!("x-api-key: {key}")]);
        }
        command.args(["-d", &body.to_string(), &format!("{}{path}", system.http_url(0))]);
        command
    };
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({"id": "order-4711", "data": {"kind": "text", "text": "shipped"}});
    let first = text(&run(post(path.clone(), body.clone(), Some(&key))).await);
    assert!(first.contains("\"offset\":1") && first.ends_with("200"), "{first}");
    let again = text(&run(post(path.clone(), body.clone(), Some(&key))).await);
    assert!(again.contains("\"offset\":1") && again.contains("\"duplicate\":true"), "{again}");
    let refused = text(&run(post(path, body, None)).await);
    assert!(refused.ends_with("401") && refused.contains("\"reason\""), "{refused}");
    let pushed = tokio::time::timeout(s(5), async {
        loop {
            if let Some(Incoming::Push(push)) = incoming.recv().await
                && let Some(publication) = push.publication
            {
                return publication;
            }
        }
    });
    let publication = pushed.await.expect("delivered");
    assert!(publication.data.get().contains("shipped"));

    let presence = client.command("presence", json!({"channel": &*room})).await.unwrap();
    let info = presence["presence"].as_object().unwrap().values().next().unwrap();
    let issuer = system.outside().unwrap().issuer.url();
    let body = json!({"issuer": issuer, "subject": info["user"], "reason": "bye"});
    let answer = text(&run(post("/api/v1/users/disconnect".into(), body, Some(&key))).await);
    assert!(answer.trim_end().ends_with("200") || answer.trim_end().ends_with("204"), "{answer}");
    assert_eq!(closed_or_unsubscribed(&mut incoming).await, 3503);
}

/// The next push that begins or ends a subscription: its room, and `subscribe` if it begins.
async fn brought(incoming: &mut tokio::sync::mpsc::Receiver<Incoming>) -> (String, Option<Value>) {
    let wait = async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Push(push))
                    if push.subscribe.is_some() || push.unsubscribe.is_some() =>
                {
                    return (push.channel.to_string(), push.subscribe.map(|told| *told));
                }
                Some(Incoming::Push(_) | Incoming::Reply(..)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(s(10), wait).await.expect("told within 10 s")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_brings_live_connections_into_a_room_and_out_also_while_the_broker_is_dead() {
    let _turn = turn().await;
    let shape = Shape::processes().breaking_parts();
    let system = shape.with("ROOMCAST_ROOMS__KINDS__TICKET__JOIN", "token").start().await.unwrap();
    let key = make_key(&system, "admin").await;
    let room = format!("ticket:{}", system.fresh_room("brought"));
    let issuer = system.outside().unwrap().issuer.url().to_owned();
    let token = system.token("ann", &[]).unwrap();
    let (one, mut first, hello) = Client::connect(&system.urls()[0], &token).await.unwrap();
    let (_two, mut second, _) = Client::connect(&system.urls()[1], &token).await.unwrap();
    assert!(one.subscribe(&room, None).await.is_err(), "nobody comes in by himself");
    let subject = hello["data"]["user"].as_str().unwrap().to_owned();
    let act = async |verb: &str, more: &[&str]| {
        let arguments = [&[verb, &room, &subject, "--issuer", &issuer], more].concat();
        let output = run(admin_command(&system, ["--key", &key], &arguments)).await;
        assert!(output.status.success(), "{}", text(&output));
    };
    for dead in [false, true] {
        if dead {
            system.outside().unwrap().rabbit.kill9();
        }
        act("subscribe", &["--data", "{\"dead\":false}"]).await;
        for incoming in [&mut first, &mut second] {
            let (channel, told) = brought(incoming).await;
            let told = told.expect("a subscribe push");
            assert_eq!((channel, &told["recoverable"]), (room.clone(), &json!(true)));
            assert_eq!(told["data"], json!({"dead": false}));
        }
        let body = json!({"channel": &room, "data": {"dead": dead}});
        one.command("publish", body).await.expect("who is in the room may write");
        for incoming in [&mut first, &mut second] {
            let delivered = tokio::time::timeout(s(10), async {
                loop {
                    if let Some(Incoming::Push(push)) = incoming.recv().await
                        && *push.channel == *room
                        && let Some(publication) = push.publication
                    {
                        return publication.offset;
                    }
                }
            });
            assert_eq!(delivered.await.expect("delivered"), 1 + u64::from(dead));
        }
        act("unsubscribe", &[]).await;
        for incoming in [&mut first, &mut second] {
            assert_eq!(brought(incoming).await, (room.clone(), None));
        }
    }
    let audit = text(&run(admin_command(&system, ["--key", &key], &["audit"])).await);
    assert_eq!(audit.matches("\"subscribe\"").count(), 2, "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_a_stopped_redis_and_says_what_to_do() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let doctor = || system.rooms[0].doctor().unwrap();
    let well = run(doctor()).await;
    assert!(well.status.success(), "{}", text(&well));
    system.outside().unwrap().redis.kill9();
    let ill = run(doctor()).await;
    assert_eq!(ill.status.code(), Some(1), "{}", text(&ill));
    let told = text(&ill).to_lowercase();
    assert!(told.contains("redis") && told.contains("presence.store"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_config_is_told_whole_and_exits_with_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roomcast.toml");
    std::fs::write(&file, "[gateway]\nlisten = 7\nlinger = 1\n[presence]\nstore = \"http://x\"\n")
        .unwrap();
    let mut command = Command::new(binaries::find("roomcast").unwrap());
    command.args(["config", "check", "--config"]).arg(&file);
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
    for key in ["gateway.listen", "gateway.linger", "presence.store"] {
        assert!(text(&output).contains(key), "{key} is missing: {}", text(&output));
    }
}
