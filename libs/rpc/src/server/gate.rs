//! What every call passes before its handler: the limit on calls under way, and the guard if there is one.
//!
//! Health passes freely: a server that is full, or asked by somebody without a key, still says how it is.
use std::sync::Arc;
use std::task::{Context, Poll};

use domain::{Error, Result};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::admin::Guard;
use crate::status;
use crate::tls::{Peer, Peers};

const HEALTH: &str = "/grpc.health.v1.Health/";

/// Put into each call's extensions: fires when the server begins to drain.
#[derive(Clone, Debug)]
pub(crate) struct Draining(pub(crate) CancellationToken);

/// What all connections of a port share.
pub(super) struct Gate {
    free: Arc<Semaphore>,
    guard: Option<Guard>,
    /// Services that may call; `None` where callers show no certificates.
    callers: Option<Vec<Peer>>,
    draining: Draining,
}

#[derive(Clone)]
pub(super) struct GateLayer(pub(super) Arc<Gate>);

#[derive(Clone)]
pub(super) struct Gated<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl Gate {
    pub(super) fn new(
        calls_max: usize,
        guard: Option<Guard>,
        callers: Option<Vec<Peer>>,
        shutdown: CancellationToken,
    ) -> Self {
        let free = Arc::new(Semaphore::new(calls_max.min(Semaphore::MAX_PERMITS)));
        Self { free, guard, callers, draining: Draining(shutdown) }
    }

    /// Lets a call pass, or says why not.
    async fn pass<B>(&self, request: &mut Request<B>) -> Result<()> {
        if let Some(callers) = &self.callers {
            let shown = request.extensions().get::<Peers>();
            let shown = shown.map_or(&[][..], |peers| &peers.0);
            if !shown.iter().any(|peer| callers.contains(peer)) {
                metrics::counter!("roomcast_rpc_callers_refused_total").increment(1);
                let text = "the caller's certificate names no service that may call this one";
                // Nobody's fault but the installation's: a client must not be told that it may not.
                return Err(Error::unavailable(text));
            }
        }
        if let Some(guard) = &self.guard {
            let principal = guard.admit(request.headers(), request.uri().path()).await?;
            request.extensions_mut().insert(principal);
        }
        request.extensions_mut().insert(self.draining.clone());
        Ok(())
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gated<S>;
    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.0.clone() }
    }
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, std::result::Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The clone that was polled ready is the one to be called.
        let other = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, other);
        let gate = self.gate.clone();
        Box::pin(async move {
            if request.uri().path().starts_with(HEALTH) {
                return inner.call(request).await;
            }
            // Held until the answer's head is there: a stream that stands costs nothing here.
            let Ok(_permit) = gate.free.try_acquire() else {
                metrics::counter!("roomcast_rpc_shed_total").increment(1);
                return Ok(status::to_status(&Error::unavailable("too many calls")).into_http());
            };
            match gate.pass(&mut request).await {
                Ok(()) => inner.call(request).await,
                Err(error) => Ok(status::to_status(&error).into_http()),
            }
        })
    }
}
