//! The operator's own backend: asked over HTTP who may connect and subscribe.
//!
//! A request is signed, bounded in time and in number, and goes to a configured URL alone; no
//! redirect is followed. Only a whole and sensible answer decides: whatever else comes, or does
//! not come, is `Unavailable`, so that clients try again and nobody is locked out by an outage.
mod answer;
mod question;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use domain::{
    Admission, Decision, Error, ErrorReason, Grant, Principal, Result, RoomName, Verified,
};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use reqwest::{StatusCode, Url, header};
use secrecy::ExposeSecret;
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::BackendConfig;
use crate::{metrics, outgoing};
use answer::Rules;
use question::{Connect, Subscribe};

/// Most bytes that an answer may have: as many rooms as a connection takes, with some to say of each.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Between two lines in the log about a backend that fails.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// See the file's head.
pub struct Backend {
    connect: Option<Endpoint>,
    subscribe: Option<Endpoint>,
    subscribe_kinds: Vec<String>,
    rules: Rules,
    signer: Hmac<Sha256>,
    places: Semaphore,
    timeout: Duration,
    told: Mutex<Option<Instant>>,
}

struct Endpoint {
    client: reqwest::Client,
    url: Url,
}

/// Why a request brought no decision. Never holds an answer's body.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer in time")]
    Late,
    #[error("{0}")]
    Transport(String),
    #[error("answered {0} where 200 belongs")]
    Status(u16),
    #[error("an answer of more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("an answer that makes no sense: {0}")]
    Garbage(String),
}

impl Backend {
    /// Prepares the requests; none is made. `None` if no URL is configured. Fails on a config that
    /// has problems.
    pub fn open(config: &BackendConfig) -> anyhow::Result<Option<Self>> {
        let endpoint = |text: &str| -> anyhow::Result<Option<Endpoint>> {
            if text.is_empty() {
                return Ok(None);
            }
            let url = Url::parse(text)?;
            Ok(Some(Endpoint { client: config.client(&url)?, url }))
        };
        let (connect, subscribe) =
            (endpoint(&config.connect_url)?, endpoint(&config.subscribe_url)?);
        if connect.is_none() && subscribe.is_none() {
            return Ok(None);
        }
        let secret = config.secret()?.context("secret: is missing")?;
        Ok(Some(Self {
            connect,
            subscribe,
            subscribe_kinds: config.subscribe_kinds.clone(),
            rules: Rules { issuer: config.issuer.clone() },
            signer: Hmac::new_from_slice(secret.expose_secret().as_bytes())?,
            places: Semaphore::new(config.requests_in_flight_max),
            timeout: config.timeout(),
            told: Mutex::new(None),
        }))
    }

    /// Whether it is asked who may connect.
    pub fn decides_connects(&self) -> bool {
        self.connect.is_some()
    }

    /// Kinds of rooms that it is asked for.
    pub fn subscribe_kinds(&self) -> &[String] {
        &self.subscribe_kinds
    }

    /// Asks who a connection is, until `deadline` at most.
    pub async fn admit(
        &self,
        admission: &Admission,
        deadline: Instant,
    ) -> Result<Decision<Verified>> {
        let endpoint = self.connect.as_ref().ok_or_else(Error::denied)?;
        let question = Connect::of(admission).to_json();
        let read = |body: &[u8]| self.rules.connect(body);
        let decision = self.ask("connect", endpoint, question, deadline, read).await?;
        unless_ended(decision, |verified| verified.expires_at_ms)
    }

    /// Asks whether somebody may read a room, until `deadline` at most.
    pub async fn authorise(
        &self,
        principal: &Principal,
        room: &RoomName,
        data: &Bytes,
        deadline: Instant,
    ) -> Result<Decision<Grant>> {
        let guards = self.subscribe_kinds.iter().any(|kind| kind == room.kind());
        let Some(endpoint) = self.subscribe.as_ref().filter(|_| guards) else {
            return Err(Error::denied());
        };
        let question = Subscribe::of(principal, room, data).to_json();
        let read = |body: &[u8]| self.rules.subscribe(body, room);
        let decision = self.ask("subscribe", endpoint, question, deadline, read).await?;
        unless_ended(decision, |grant| grant.until_ms)
    }

    /// Makes a request and reads its answer; the one who called is not told why that failed.
    async fn ask<T>(
        &self,
        call: &'static str,
        endpoint: &Endpoint,
        question: std::result::Result<Vec<u8>, serde_json::Error>,
        deadline: Instant,
        read: impl Fn(&[u8]) -> std::result::Result<Decision<T>, String>,
    ) -> Result<Decision<T>> {
        let began = Instant::now();
        let until = deadline.min(began + self.timeout);
        let answer = match question {
            Ok(question) => tokio::time::timeout_at(until, self.exchange(endpoint, question)).await,
            Err(error) => Ok(Err(Failure::Garbage(error.to_string()))),
        };
        let decided = answer
            .unwrap_or(Err(Failure::Late))
            .and_then(|body| read(&body).map_err(Failure::Garbage));
        let outcome = match &decided {
            Ok(Decision::Granted(_)) => "granted",
            Ok(Decision::Refused(_)) => "refused",
            Err(failure) => failure.word(),
        };
        metrics::backend_asked(call, outcome, began.elapsed());
        decided.map_err(|failure| {
            self.tell(call, &failure);
            Error::unavailable("who decides cannot be asked now")
        })
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        question: Vec<u8>,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let transport =
            |error: reqwest::Error| Failure::Transport(outgoing::with_causes(&error.without_url()));
        let _place = self.places.acquire().await.map_err(|_| Failure::Late)?;
        let (timestamp, signature) = self.sign(&question);
        let request = endpoint
            .client
            .post(endpoint.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("roomcast-timestamp", timestamp)
            .header("roomcast-signature", signature)
            .body(question);
        let mut response = request.send().await.map_err(transport)?;
        if response.status() != StatusCode::OK {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let body = outgoing::body(&mut response, ANSWER_BYTES_MAX).await.map_err(transport)?;
        body.ok_or(Failure::TooLarge)
    }

    /// The time, and `v1=` with the hexadecimal HMAC-SHA256 of the time, a dot and the body.
    fn sign(&self, body: &[u8]) -> (String, String) {
        let timestamp = now().as_secs().to_string();
        let mut signer = self.signer.clone();
        signer.update(timestamp.as_bytes());
        signer.update(b".");
        signer.update(body);
        let digest = signer.finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (timestamp, format!("v1={hex}"))
    }

    /// Logs a failure, unless one was logged a moment ago: each client that comes back makes one.
    fn tell(&self, call: &'static str, failure: &Failure) {
        let mut told = self.told.lock();
        if told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        tracing::warn!(call, why = %failure, "auth.backend does not decide; clients try again");
    }
}

impl Failure {
    /// The word for the metric.
    fn word(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Transport(_) => "transport",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Garbage(_) => "garbage",
        }
    }
}

/// `CredentialExpired` for what has ended before it was granted.
fn unless_ended<T>(decision: Decision<T>, end: impl Fn(&T) -> Option<i64>) -> Result<Decision<T>> {
    let now_ms = i64::try_from(now().as_millis()).unwrap_or(i64::MAX);
    match &decision {
        Decision::Granted(granted) if end(granted).is_some_and(|end_ms| end_ms <= now_ms) => {
            let text = "the backend says that it has ended";
            Err(Error::new(ErrorReason::CredentialExpired, text))
        }
        _ => Ok(decision),
    }
}

/// Since the Unix epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
