//! The official JavaScript SDK, unmodified, against two gateways.
use std::path::Path;
use std::process::Command;

use cluster::Shape;

use crate::turn;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_javascript_sdk_does_everything_on_two_gateways() {
    let _turn = turn().await;
    let mut shape = Shape::processes();
    shape.gateways = 2;
    let system = shape.start().await.unwrap();
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    assert!(
        web.join("node_modules/centrifuge").is_dir(),
        "web packages are missing: npm ci in web/"
    );
    let urls = system.urls();
    let (ann, bob) = (system.token("ann", &[]).unwrap(), system.token("bob", &[]).unwrap());
    let output = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .arg("sdk/two-gateways.mjs")
            .current_dir(web)
            .env("URLS", urls.join(","))
            .env("TOKENS", format!("{ann},{bob}"))
            .output()
    })
    .await
    .unwrap()
    .expect("node is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "{text}\n{problem}");
    for step in ["connect", "subscribe", "publish", "history", "presence", "recovery after a cut"] {
        assert!(text.contains(&format!("ok {step}")), "{step} is missing:\n{text}\n{problem}");
    }
}
