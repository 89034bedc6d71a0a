//! Streams through a real nginx with the settings that the guide names, and two gateways behind it
//! in turn: frames come to the gateway that does not hold their stream.
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use testkit::parts::{Program, free_port};

use crate::harness::{Running, figure};
use crate::streamer::{Streamer, Way};
use crate::streams::pair;

const NGINX: &str = "/usr/sbin/nginx";

/// The guide's own settings.
fn documented() -> &'static str {
    let guide = include_str!("../../../../docs/how-to/behind-proxies-without-websockets.md");
    let (_, after) = guide.split_once("```nginx\n").expect("settings in the guide");
    after.split_once("```").expect("their end").0
}

/// An nginx in front of both, each request to the other one in turn.
async fn nginx(one: &Running, two: &Running) -> (Program, u16) {
    let port = free_port().unwrap();
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};"))
        .concat();
    let settings = format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log off; {folders}\n\
         upstream gateways {{ server {}; server {}; }}\n\
         server {{ listen 127.0.0.1:{port};\n{}}} }}\n",
        one.address,
        two.address,
        documented(),
    );
    let args = ["-p", ".", "-c", "nginx.conf", "-e", "stderr"];
    let files = [("nginx.conf", settings)];
    let program = Program::start(Path::new(NGINX), &args, &[], &files).await;
    let program = program.expect("Debian's package nginx is needed");
    program.wait_port(port, Duration::from_secs(20)).await.unwrap();
    (program, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_work_through_nginx_as_the_guide_sets_it() {
    let (one, two) = pair().await;
    let (_nginx, port) = nginx(&one, &two).await;
    let at = ([127, 0, 0, 1], port).into();
    let hops = "roomcast_gateway_hops_total{outcome=\"OK\"}";
    for way in [Way::Lines, Way::Events] {
        let before = figure(hops);
        let room = format!("nginx-{way:?}");
        let (mut ann, _) = Streamer::connect(at, way, "ann").await;
        let (subscribed, _) = ann.ask(at, "subscribe", json!({"channel": room})).await;
        assert!(subscribed["subscribe"].is_object(), "{subscribed}");
        for n in 0..10 {
            let wish = json!({"channel": room, "data": n});
            let (published, mut pushes) = ann.ask(at, "publish", wish).await;
            assert_eq!(published["publish"], json!({}));
            if pushes.is_empty() {
                pushes.push(ann.json().await);
            }
            assert_eq!(pushes[0]["push"]["pub"]["data"], json!(n));
        }
        // Every other frame came to the gateway that does not hold the stream.
        assert!(figure(hops) >= before + 5, "{} hops", figure(hops) - before);
    }
    one.stop().await;
    two.stop().await;
}
