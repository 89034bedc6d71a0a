//! The ops port: `/livez`, `/readyz`, `/metrics`, for the platform and not for users.
//!
//! It has a thread of its own, so it answers while the process is busy. Liveness asks only
//! whether the process's own event loop still turns: a dead broker must not restart pods.
//! Readiness shows each flag. Bodies are JSON, metrics are Prometheus text.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, get, web};
use anyhow::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::prometheus::Recorder;
use crate::ready::Readiness;

/// The section `[ops]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpsConfig {
    /// Where the ops port listens: `address:port`.
    pub listen: String,
    /// How long the process may take to stop after SIGTERM before it gives up, milliseconds.
    pub shutdown_ms_max: u64,
}

impl Default for OpsConfig {
    fn default() -> Self {
        Self { listen: "0.0.0.0:9090".to_owned(), shutdown_ms_max: 60_000 }
    }
}

impl OpsConfig {
    /// What serde cannot see.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.listen.parse::<SocketAddr>().is_err() {
            problems.push("listen: not an address with a port, as 0.0.0.0:9090".to_owned());
        }
        if self.shutdown_ms_max == 0 {
            problems.push("shutdown_ms_max: at least 1".to_owned());
        }
        problems
    }
}

/// An event loop that does not turn for so long is taken for stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// How often the loop says that it turns.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// The ops port of a process.
pub(crate) struct Ops {
    /// Where it listens; the port is the real one if 0 was asked for.
    pub(crate) address: SocketAddr,
    server: ServerHandle,
}

#[derive(Clone)]
struct State {
    pulse: Pulse,
    readiness: Readiness,
    recorder: Recorder,
}

/// When the event loop last turned.
#[derive(Clone)]
struct Pulse {
    started: Instant,
    turned_ms: Arc<AtomicU64>,
}

/// Starts the port. Fails if it cannot be bound.
pub(crate) fn start(
    config: &OpsConfig,
    readiness: Readiness,
    recorder: Recorder,
) -> anyhow::Result<Ops> {
    let pulse = Pulse { started: Instant::now(), turned_ms: Arc::default() };
    tokio::spawn(beat(pulse.clone()));
    let state = web::Data::new(State { pulse, readiness, recorder });
    let app = move || {
        App::new().app_data(state.clone()).service(livez).service(readyz).service(exposition)
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(&config.listen)
        .with_context(|| format!("ops.listen: cannot listen on {}", config.listen))?;
    let address = server.addrs().first().copied().context("the ops port has no address")?;
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Ops { address, server: handle })
}

impl Ops {
    /// Closes the port.
    pub(crate) async fn stop(self) {
        self.server.stop(false).await;
    }
}

async fn beat(pulse: Pulse) {
    let mut turns = tokio::time::interval(TURN_EVERY);
    loop {
        turns.tick().await;
        let now = pulse.started.elapsed().as_millis();
        pulse.turned_ms.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Pulse {
    fn silent_for(&self) -> Duration {
        let turned = Duration::from_millis(self.turned_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(turned)
    }
}

#[get("/livez")]
async fn livez(state: web::Data<State>) -> HttpResponse {
    let silent = state.pulse.silent_for();
    let alive = silent < STUCK_AFTER;
    let body = serde_json::json!({ "alive": alive, "silent_ms": silent.as_millis() as u64 });
    if alive {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

#[get("/readyz")]
async fn readyz(state: web::Data<State>) -> HttpResponse {
    let report = state.readiness.report();
    if report.ready {
        HttpResponse::Ok().json(report)
    } else {
        HttpResponse::ServiceUnavailable().json(report)
    }
}

#[get("/metrics")]
async fn exposition(state: web::Data<State>) -> HttpResponse {
    let text = state.recorder.render(&state.readiness.report());
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_port_tells_life_readiness_and_metrics() {
        let config = OpsConfig { listen: "127.0.0.1:0".to_owned(), ..OpsConfig::default() };
        let shutdown = CancellationToken::new();
        let readiness = Readiness::new(shutdown.clone());
        let recorder = Recorder::detached("test");
        let ops = start(&config, readiness.clone(), recorder).unwrap();
        assert!(get(ops.address, "/livez").await.starts_with("HTTP/1.1 200"));
        let flag = readiness.flag("rooms");
        let unready = get(ops.address, "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.contains(r#""flags":{"rooms":false}"#), "{unready}");
        flag.set(true);
        assert!(get(ops.address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(ops.address, "/metrics").await.starts_with("HTTP/1.1 200"));
        shutdown.cancel();
        assert!(get(ops.address, "/readyz").await.starts_with("HTTP/1.1 503"));
        assert!(get(ops.address, "/livez").await.starts_with("HTTP/1.1 200"));
        ops.stop().await;
    }

    #[test]
    fn a_loop_that_does_not_turn_is_seen() {
        let Some(started) = Instant::now().checked_sub(STUCK_AFTER * 2) else { return };
        let pulse = Pulse { started, turned_ms: Arc::default() };
        assert!(pulse.silent_for() >= STUCK_AFTER);
    }
}
