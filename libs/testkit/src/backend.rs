//! An operator's backend: a real HTTP server that answers as a test says and keeps what it was asked.
//!
//! It checks the signature of each request itself, with a library that the product does not sign
//! with, and answers 401 to one that is wrong.
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// The secret that it shares with auth.
pub const SECRET: &str = "a secret of more than thirty-two bytes";
/// How old a request may be.
const AGE_MAX_S: u64 = 30;

/// What is answered to one question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads; empty for none.
    pub location: String,
    /// The body.
    pub body: Bytes,
    /// How long it takes.
    pub delay: Duration,
}

/// A question as it came: the path, and the body.
pub type Asked = (String, Value);

type Rule = Box<dyn Fn(&str, &Value) -> Answer + Send + Sync>;

/// See the file's head.
pub struct TestBackend {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

struct Shared {
    rule: Mutex<Arc<Rule>>,
    asked: Mutex<Vec<Asked>>,
}

impl TestBackend {
    /// Starts it on a free port; `rule` makes the answers.
    pub async fn start(
        rule: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let rule: Rule = Box::new(rule);
        let shared = Shared { rule: Mutex::new(Arc::new(rule)), asked: Mutex::default() };
        let shared = Arc::new(shared);
        let serving = tokio::spawn(serve(listener, shared.clone())).abort_handle();
        Ok(Self { address, shared, serving })
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, rule: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) {
        let rule: Rule = Box::new(rule);
        *self.shared.rule.lock() = Arc::new(rule);
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked since this was called last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.asked.lock())
    }

    /// Takes no connections any more, and ends those that are open.
    pub fn stop(&self) {
        self.serving.abort();
    }
}

impl Drop for TestBackend {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl ToString) -> Self {
        Self::status(200, body)
    }

    /// A status and a body.
    pub fn status(status: u16, body: impl ToString) -> Self {
        let (location, body) = (String::new(), body.to_string().into());
        Self { status, location, body, delay: Duration::ZERO }
    }

    /// The same after a while.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            // A client that goes away in the middle is its own affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = match question(&head.headers, &body) {
        Some(question) if head.method == "POST" => {
            let path = head.uri.path().to_owned();
            let rule = shared.rule.lock().clone();
            let answer = rule(&path, &question);
            shared.asked.lock().push((path, question));
            answer
        }
        _ => Answer::status(401, "not signed"),
    };
    tokio::time::sleep(answer.delay).await;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    if let Ok(location) = answer.location.parse() {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

/// The body, if it is signed and fresh.
fn question(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let timestamp = text("roomcast-timestamp")?;
    let made: u64 = timestamp.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let signature = text("roomcast-signature")?.strip_prefix("v1=")?;
    let tag: Option<Vec<u8>> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(signature.get(at..at + 2)?, 16).ok())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [timestamp.as_bytes(), b".", body].concat();
    hmac::verify(&key, &signed, &tag?).ok()?;
    (now.abs_diff(made) <= AGE_MAX_S && text("content-type") == Some("application/json"))
        .then(|| serde_json::from_slice(body).ok())?
}
