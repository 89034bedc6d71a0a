//! Services that show each other certificates: they chat, are renewed, and know whom to refuse.
use std::process::Command;
use std::time::Duration;

use cluster::{ServiceTls, Shape, System, binaries};
use serde_json::json;
use testkit::client::{Client, Incoming};
use testkit::poll;
use tokio::time::Instant;

use crate::admin::run;
use crate::chat::two_people_chat;
use crate::{s, turn};

/// Connections to servers end after so long, so that handshakes are made all the time.
const CONNECTION_AGE_MS: u64 = 10_000;

/// Between two messages: below what one user may say.
const PAUSE: Duration = Duration::from_millis(100);

async fn start(tls: &ServiceTls) -> System {
    let shape = Shape::processes().with_service_tls(tls.clone());
    let shape = shape.with("ROOMCAST_RPC__SERVER_CONNECTION_AGE_MS", CONNECTION_AGE_MS);
    shape.start().await.unwrap()
}

/// Waits until every process has taken so many new certificates.
async fn renewed(system: &System, times: f64) {
    let services = [&system.auth, &system.presence, &system.rooms, &system.gateways];
    for service in services.into_iter().flatten() {
        let taken = || async {
            let counted = service.metric("roomcast_rpc_certificate_reloads_total").await;
            counted.is_ok_and(|counted| counted >= times)
        };
        poll::until(s(10), &service.name, taken).await.unwrap();
    }
}

/// The sum of a figure over all processes.
async fn sum(system: &System, name: &str) -> f64 {
    let mut sum = 0.0;
    for service in
        [&system.auth, &system.presence, &system.rooms, &system.gateways].into_iter().flatten()
    {
        sum += service.metric(name).await.unwrap();
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_authority_is_handed_out_while_people_chat_and_nobody_notices() {
    let _turn = turn().await;
    let (old, new) = (ServiceTls::new().unwrap(), ServiceTls::new().unwrap());
    let system = start(&old).await;
    two_people_chat(&system).await;

    let room = system.fresh_room("renewed");
    let urls = system.urls();
    let (ann, bob) = (system.token("ann", &[]).unwrap(), system.token("bob", &[]).unwrap());
    let (writer, _pushes, _) = Client::connect(&urls[0], &ann).await.unwrap();
    let (reader, mut incoming, _) = Client::connect(&urls[1], &bob).await.unwrap();
    reader.subscribe(&room, None).await.unwrap();
    let until = Instant::now() + Duration::from_millis(2 * CONNECTION_AGE_MS);
    let talking = tokio::spawn({
        let room = room.clone();
        async move {
            let mut said = 0_u64;
            let mut pace = tokio::time::interval(PAUSE);
            while Instant::now() < until {
                pace.tick().await;
                said += 1;
                let text = json!({"channel": &*room, "data": {"n": said}});
                writer.command("publish", text).await.expect("every message is acked");
            }
            said
        }
    });
    // All believe both; all show the new one's; nobody believes the old one.
    let both = old.pem() + &new.pem();
    let steps = [(&old, both.clone()), (&new, both), (&new, new.pem())];
    for (times, (by, believed)) in (1..).zip(steps) {
        by.hand_out(&system, &believed).unwrap();
        renewed(&system, f64::from(times)).await;
    }
    let said = talking.await.unwrap();
    let mut heard = 0;
    while heard < said {
        match tokio::time::timeout(s(10), incoming.recv()).await.expect("the rest") {
            Some(Incoming::Push(push)) => {
                let Some(publication) = push.publication else { continue };
                heard += 1;
                assert_eq!(publication.offset, heard);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(said > 100, "{said} messages are no load");
    assert_eq!(sum(&system, "roomcast_rpc_callers_refused_total").await, 0.0);
    two_people_chat(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_is_reached_by_tls_and_a_strange_certificate_gets_nowhere() {
    let _turn = turn().await;
    let tls = ServiceTls::new().unwrap();
    let system = start(&tls).await;
    let folder = tempfile::tempdir().unwrap();
    let token = system.token("root", &["admin"]).unwrap();
    let admin = async |scheme: &str, authority: Option<String>| {
        let mut command = Command::new(binaries::find("roomcast").unwrap());
        let address = format!("{scheme}://127.0.0.1:{}", system.rooms[0].admin_port);
        command.args(["admin", "stats", "--address", &address, "--token", &token]);
        if let Some(pem) = authority {
            let file = folder.path().join("ca.crt");
            std::fs::write(&file, pem).unwrap();
            command.arg("--authority-file").arg(file);
        }
        let output = run(command).await;
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, problem) = admin("https", Some(tls.pem())).await;
    assert!(done, "{problem}");
    let stranger = ServiceTls::new().unwrap();
    assert!(!admin("https", Some(stranger.pem())).await.0, "another authority");
    assert!(!admin("http", None).await.0, "without TLS");
    let (done, problem) = admin("https", None).await;
    assert!(!done && problem.contains("--authority-file"), "{problem}");

    // The doctor has auth's certificate: it may ask how everybody is.
    let output = run(system.auth[0].doctor().unwrap()).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.lines().filter(|line| line.contains("(rpc): 1 ready")).count(), 6, "{told}");
}
