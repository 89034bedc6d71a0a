//! The remote door: how one call is made, whichever it is.
//!
//! An attempt has 0.8 s if there is another endpoint to turn to, and all that is left of the deadline if
//! there is none. What may be repeated is repeated elsewhere, within the caller's deadline and the
//! budget. Every call is a span, and is counted and timed by its outcome.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::{Error, ErrorReason, Result};
use rand::RngExt;
use tokio::time::Instant;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::channel::{Pool, Preference, Replica};
use crate::method::Method;
use crate::retry::{Budget, Failure};
use crate::tls::Expected;
use crate::{Call, Deadline, Rpc, trace};

/// Most times that every endpoint is tried once for one call.
const ROUNDS_MAX: u32 = 5;
/// The pause before the second round, give or take half; each one after it is longer by as much.
const ROUND_PAUSE_MS: f64 = 100.0;

/// The largest message either way.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The client side of one service.
#[derive(Debug)]
pub(crate) struct Door {
    pool: Pool,
    budget: Budget,
    attempt: Duration,
    credential: Option<(AsciiMetadataKey, AsciiMetadataValue)>,
}

/// One endpoint's try.
struct Attempt {
    replica: Arc<Replica>,
    wait: Duration,
}

impl Door {
    pub(crate) fn open(
        service: &'static str,
        addresses: &[String],
        expected: Expected,
        rpc: &Rpc,
    ) -> Result<Self> {
        let config = rpc.config();
        Ok(Self {
            pool: Pool::open(service, addresses, expected, rpc)?,
            budget: Budget::new(config.retry_percent),
            attempt: Duration::from_millis(config.attempt_ms),
            credential: None,
        })
    }

    /// Shows a credential with every call.
    pub(crate) fn with_credential(
        mut self,
        key: AsciiMetadataKey,
        mut value: AsciiMetadataValue,
    ) -> Self {
        value.set_sensitive(true);
        self.credential = Some((key, value));
        self
    }

    /// Makes a call.
    pub(crate) async fn call<M, T, S, F>(
        &self,
        method: Method,
        call: Call,
        preference: Preference,
        message: M,
        send: S,
    ) -> Result<T>
    where
        M: Clone,
        S: Fn(Channel, Request<M>) -> F,
        F: Future<Output = std::result::Result<Response<T>, Status>>,
    {
        let began = Instant::now();
        self.budget.earn();
        let outcome = Box::pin(self.rounds(method, call.deadline, &preference, message, send));
        let outcome = outcome.instrument(method.span()).await;
        method.measure(began, &outcome);
        outcome
    }

    async fn rounds<M, T, S, F>(
        &self,
        method: Method,
        deadline: Deadline,
        preference: &Preference,
        message: M,
        send: S,
    ) -> Result<T>
    where
        M: Clone,
        S: Fn(Channel, Request<M>) -> F,
        F: Future<Output = std::result::Result<Response<T>, Status>>,
    {
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut round = 1;
        let mut last: Option<Failure> = None;
        loop {
            if deadline.passed() {
                return Err(match last {
                    Some(failure) => failure.error().clone(),
                    None => Error::new(ErrorReason::DeadlineExceeded, "the deadline has passed"),
                });
            }
            let Some(attempt) = self.next(method, deadline, preference, &tried).await? else {
                // Endpoints that cannot be reached may be back while the caller waits. One that answers, or
                // is slow, is not asked again.
                match &last {
                    Some(Failure::Unsent(_) | Failure::Lost(_))
                        if round < ROUNDS_MAX && pause(round, deadline).await =>
                    {
                        round += 1;
                        tried.clear();
                        continue;
                    }
                    Some(failure) => return Err(failure.error().clone()),
                    None => return Err(Error::unavailable("every endpoint is failing")),
                }
            };
            tried.push(attempt.replica.address);
            match self.attempt(&attempt, message.clone(), &send).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    let free = matches!(failure, Failure::Unsent(_));
                    if !failure.repeatable(method.idempotent) || !(free || self.budget.spend()) {
                        return Err(failure.error().clone());
                    }
                    tracing::debug!(address = %attempt.replica.address, ?failure, "an attempt failed");
                    last = Some(failure);
                }
            }
        }
    }

    /// The best endpoint that was not tried in this round, and how long to wait for it.
    async fn next(
        &self,
        method: Method,
        deadline: Deadline,
        preference: &Preference,
        tried: &[SocketAddr],
    ) -> Result<Option<Attempt>> {
        let replicas = self.pool.replicas(deadline).await?;
        let mut order = preference.order(&replicas).into_iter();
        let mut untried = order.by_ref().filter(|replica| !tried.contains(&replica.address));
        let Some(replica) = untried.next() else { return Ok(None) };
        let alone = untried.next().is_none();
        let wait = if method.idempotent && !method.patient && !alone {
            self.attempt.min(deadline.left())
        } else {
            deadline.left()
        };
        Ok(Some(Attempt { replica, wait }))
    }

    async fn attempt<M, T, S, F>(
        &self,
        attempt: &Attempt,
        message: M,
        send: &S,
    ) -> std::result::Result<T, Failure>
    where
        S: Fn(Channel, Request<M>) -> F,
        F: Future<Output = std::result::Result<Response<T>, Status>>,
    {
        let Some(permit) = attempt.replica.breaker.permit() else {
            return Err(Failure::Unsent(Error::unavailable("the endpoint is failing")));
        };
        let mut request = self.request(message);
        request.set_timeout(attempt.wait);
        let answer = send(attempt.replica.channel.clone(), request);
        let answer = match tokio::time::timeout(attempt.wait, answer).await {
            Ok(answer) => answer.map_err(|status| Failure::of(&status)),
            Err(_) => Err(Failure::late()),
        };
        match &answer {
            Err(Failure::Unsent(_) | Failure::Lost(_)) => permit.failed(),
            // A caller in a hurry proves nothing against the endpoint.
            Err(Failure::Late(_)) if attempt.wait >= self.attempt / 2 => permit.failed(),
            Err(Failure::Late(_)) => drop(permit),
            Ok(_) | Err(Failure::Answered(_)) => permit.answered(),
        }
        answer.map(Response::into_inner)
    }

    /// Opens a stream, once, at an endpoint that is not `but` if there is another. Says which one it
    /// took, also when that one failed.
    pub(crate) async fn stream<M, T, S, F>(
        &self,
        method: Method,
        wait: Duration,
        but: Option<SocketAddr>,
        messages: M,
        send: S,
    ) -> (Option<SocketAddr>, Result<(Arc<Replica>, T)>)
    where
        S: FnOnce(Channel, Request<M>) -> F,
        F: Future<Output = std::result::Result<Response<T>, Status>>,
    {
        let began = Instant::now();
        let deadline = Deadline::after(wait);
        let preference = Preference::Elsewhere(but);
        let (address, outcome) = match self.next(method, deadline, &preference, &[]).await {
            Ok(Some(Attempt { replica, .. })) => {
                let opening = Box::pin(self.open_stream(replica.clone(), deadline, messages, send));
                let opened = opening.instrument(method.span()).await;
                (Some(replica.address), opened.map(|answers| (replica, answers)))
            }
            Ok(None) => (None, Err(Error::unavailable("every endpoint is failing"))),
            Err(error) => (None, Err(error)),
        };
        method.measure(began, &outcome);
        (address, outcome)
    }

    async fn open_stream<M, T, S, F>(
        &self,
        replica: Arc<Replica>,
        deadline: Deadline,
        messages: M,
        send: S,
    ) -> Result<T>
    where
        S: FnOnce(Channel, Request<M>) -> F,
        F: Future<Output = std::result::Result<Response<T>, Status>>,
    {
        let Some(permit) = replica.breaker.permit() else {
            return Err(Error::unavailable("the endpoint is failing"));
        };
        // No time-out on the wire: the stream outlives its opening.
        let opening = send(replica.channel.clone(), self.request(messages));
        let failure = match tokio::time::timeout_at(deadline.0, opening).await {
            Ok(Ok(response)) => {
                permit.answered();
                return Ok(response.into_inner());
            }
            Ok(Err(status)) => Failure::of(&status),
            Err(_) => Failure::late(),
        };
        match &failure {
            Failure::Answered(_) => permit.answered(),
            _ => permit.failed(),
        }
        Err(failure.error().clone())
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        trace::inject(request.metadata_mut());
        if let Some((key, value)) = &self.credential {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        request
    }
}

/// Waits before another round; false if the caller would not wait so long.
async fn pause(round: u32, deadline: Deadline) -> bool {
    let jitter = rand::rng().random_range(0.5..1.5);
    let pause = Duration::from_secs_f64(ROUND_PAUSE_MS / 1e3 * f64::from(round) * jitter);
    if deadline.left() <= pause {
        return false;
    }
    tokio::time::sleep(pause).await;
    true
}

/// An answer that makes no sense is the peer's defect, not the caller's.
pub(crate) fn answered<T>(answer: Result<T>) -> Result<T> {
    answer.map_err(|error| {
        Error::new(ErrorReason::Internal, format!("a malformed answer: {}", error.message))
    })
}
