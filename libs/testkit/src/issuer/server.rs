//! The test issuer's HTTP server: two documents, one task a connection, all ended together.
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::{REALM, Shared};

/// Serves until aborted; the connections end with it.
pub(super) fn spawn(listener: TcpListener, shared: Arc<Shared>) -> AbortHandle {
    let serving = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            let shared = Arc::clone(&shared);
            connections.spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                // A client that goes away in the middle is its own affair.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    serving.abort_handle()
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().strip_prefix(REALM).unwrap_or_default();
    if request.method() != Method::GET {
        return Ok(response(405, "{}"));
    }
    // Counted on arrival: a question that is answered late is a question all the same.
    match path {
        "/certs" => shared.jwks_fetches.fetch_add(1, Ordering::SeqCst),
        _ => shared.discoveries.fetch_add(1, Ordering::SeqCst),
    };
    let delay = *shared.delay.lock();
    tokio::time::sleep(delay).await;
    Ok(match path {
        "/certs" => match shared.instead.lock().clone() {
            Some((status, body)) => response(status, body),
            None => response(200, shared.jwks().to_string()),
        },
        "/.well-known/openid-configuration" => response(200, shared.discovery().to_string()),
        _ => response(404, "{}"),
    })
}

fn response(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
