//! TLS on the public port: everything there, renewed certificates, and who does not speak it.
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use gateway::GatewayConfig;
use serde_json::{Value, json};
use testkit::authority::{Authority, Issued};
use testkit::client::Client;
use testkit::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{Inbound, Running, SOON, start};

/// A folder as Kubernetes mounts a secret: the files are links through one link, which is swapped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(issued: &Issued) -> Self {
        let mounted = Self(tempfile::tempdir().unwrap());
        mounted.swap("first", issued);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mounted.0.path().join(name)).unwrap();
        }
        mounted
    }

    /// Puts other files in place, both at once.
    fn swap(&self, name: &str, issued: &Issued) {
        let (folder, link) = (self.0.path().join(name), self.0.path().join("..next"));
        std::fs::create_dir(&folder).unwrap();
        issued.write(&folder).unwrap();
        symlink(name, &link).unwrap();
        std::fs::rename(link, self.0.path().join("..data")).unwrap();
    }

    fn set(&self, config: &mut GatewayConfig) {
        config.tls.certificate_file = Some(self.0.path().join("tls.crt"));
        config.tls.key_file = Some(self.0.path().join("tls.key"));
        config.tls.reload_ms = 100;
        config.tls.handshake_timeout_ms = 500;
    }
}

/// An authority, its certificate in a folder, and a gateway that shows it.
async fn secured() -> (Authority, Mounted, Issued, Running) {
    let authority = Authority::new().unwrap();
    let issued = authority.issue(90).unwrap();
    let mounted = Mounted::new(&issued);
    let running = start(|config| mounted.set(config)).await;
    (authority, mounted, issued, running)
}

/// A signed-in client on a socket over TLS, and the certificate that it was shown.
async fn client(authority: &Authority, running: &Running, user: &str) -> (Inbound, Vec<u8>) {
    let stream = authority.connect(running.address, &["http/1.1"]).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let shown = session.peer_certificates().unwrap()[0].to_vec();
    let url = format!("wss://localhost:{}/connection/websocket", running.address.port());
    let (client, incoming) = Client::open_over(&url, stream).await.unwrap();
    let connected = client.command("connect", json!({"token": user})).await.unwrap();
    (Inbound { client, incoming, connected }, shown)
}

fn browser(authority: &Authority) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap()
}

/// Everything until the peer hangs up; it has to do so in time, and without a reset.
async fn rest(socket: &mut TcpStream, within: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(within, socket.read_to_end(&mut bytes)).await.expect("an end in time").unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_streams_and_the_api_are_on_the_one_port() {
    let (authority, _mounted, issued, running) = secured().await;
    let (mut ann, shown) = client(&authority, &running, "ann").await;
    assert_eq!(shown, issued.der.to_vec());
    ann.client.subscribe("general", None).await.unwrap();
    let browser = browser(&authority);
    let at = |path: &str| format!("https://localhost:{}{path}", running.address.port());
    let health = browser.get(at("/health")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(health.headers()["strict-transport-security"], "max-age=31536000");
    let refused = browser.get(at("/v1/me")).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["strict-transport-security"], "max-age=31536000");
    let connect = json!({"id": 1, "connect": {"token": "bob"}});
    let opened = browser.post(at("/connection/http_stream")).json(&connect).send();
    let mut stream = opened.await.unwrap();
    assert_eq!(stream.status(), 200);
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        let chunk = timeout(SOON, stream.chunk()).await.unwrap().unwrap();
        answer.extend_from_slice(&chunk.expect("the stream is open"));
    }
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let (session, node) = (&answer["connect"]["session"], &answer["connect"]["node"]);
    let publish = json!({"id": 2, "publish": {"channel": "general", "data": {"text": "over TLS"}}});
    let frame = json!({"session": session, "node": node, "data": publish.to_string()});
    let sent = browser.post(at("/emulation")).json(&frame).send().await.unwrap();
    assert_eq!(sent.status(), 204);
    assert!(ann.publication().await.1.contains("over TLS"));
    // A close reaches the client whole, with its code.
    running.shutdown.cancel();
    assert_eq!(ann.closed().await, 3001);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_for_new_connections_and_open_ones_stay() {
    let (authority, mounted, first, running) = secured().await;
    let (mut ann, shown) = client(&authority, &running, "ann").await;
    assert_eq!(shown, first.der.to_vec());
    ann.client.subscribe("general", None).await.unwrap();
    let second = authority.issue(180).unwrap();
    mounted.swap("second", &second);
    poll::until(SOON, "the second certificate", || async {
        client(&authority, &running, "bob").await.1 == second.der.to_vec()
    })
    .await
    .unwrap();
    // One that does not fit changes nothing: the port goes on with the second one.
    let (certificate, key) = (authority.issue(1).unwrap(), authority.issue(1).unwrap());
    mounted.swap("third", &Issued { key_pem: key.key_pem, ..certificate });
    let fourth = authority.issue(200).unwrap();
    let till = Instant::now() + Duration::from_millis(500);
    while Instant::now() < till {
        assert_eq!(client(&authority, &running, "bob").await.1, second.der.to_vec());
    }
    mounted.swap("fourth", &fourth);
    poll::until(SOON, "the fourth certificate", || async {
        client(&authority, &running, "bob").await.1 == fourth.der.to_vec()
    })
    .await
    .unwrap();
    let (bob, _) = client(&authority, &running, "bob").await;
    let words = json!({"channel": "general", "data": {"text": "still here"}});
    bob.client.command("publish", words).await.unwrap();
    assert!(ann.publication().await.1.contains("still here"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_believe_the_authority_is_not_served() {
    let (_, _mounted, _, running) = secured().await;
    let stranger = Authority::new().unwrap();
    let error = stranger.connect(running.address, &[]).await.unwrap_err();
    assert!(format!("{error:#}").contains("invalid peer certificate"), "{error:#}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_http_1_and_tls_from_1_2_on_are_agreed_to() {
    let (authority, _mounted, _, running) = secured().await;
    for (offered, agreed) in [(&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let stream = authority.connect(running.address, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
    }
    assert!(authority.connect(running.address, &["h2"]).await.is_err());
    // The same hello is answered under 1.2, and under 1.1 by the alert `protocol version`.
    for (minor, start) in [(3, &[22, 3, 3][..]), (2, &[21, 3, 3, 0, 2, 2, 70])] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(&client_hello(minor)).await.unwrap();
        let mut answer = vec![0; start.len()];
        timeout(SOON, socket.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, start, "3.{minor}");
    }
    running.stop().await;
}

/// A whole ClientHello of TLS 3.`minor`: ECDHE with ECDSA and AES-128-GCM on X25519.
fn client_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 16]);
    hello.extend([0, 13, 0, 4, 0, 2, 4, 3]);
    hello.extend([0, 10, 0, 4, 0, 2, 0, 29]);
    let length = hello.len() as u8;
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_gets_an_alert_and_an_end_and_the_port_goes_on() {
    let (authority, _mounted, _, running) = secured().await;
    for plain in [&b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0; 64]] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(plain).await.unwrap();
        let answer = rest(&mut socket, SOON).await;
        assert_eq!(answer[..1], [21], "no alert: {answer:02x?}");
    }
    client(&authority, &running, "ann").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_stands_still_is_ended_and_holds_nobody() {
    let (authority, _mounted, _, running) = secured().await;
    let begun = Instant::now();
    let mut halves = Vec::new();
    // Nothing at all, and the beginning of a ClientHello.
    for sent in [&[][..], &[22, 3, 1, 1, 0, 1]] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(sent).await.unwrap();
        halves.push(socket);
    }
    client(&authority, &running, "ann").await;
    for mut socket in halves {
        rest(&mut socket, SOON).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(500), "ended too early");
    running.stop().await;
}
