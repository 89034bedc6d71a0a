//! A process from its first line to its exit code.
//!
//! Order: config (64 if it is bad), telemetry, metrics, ops port, signals, then the service
//! itself. SIGTERM or SIGINT asks the service to hand off and return; the second signal, or
//! `ops.shutdown_ms_max`, ends the wait. Exit codes: 0 asked and done, 1 failed or overdue, 64 bad config.
mod signal;

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::args::{self, Instead, ServiceArgs};
use crate::config::{ConfigProblems, Loader};
use crate::health;
use crate::ops::{self, OpsConfig};
use crate::prometheus::Recorder;
use crate::ready::Readiness;
use crate::telemetry::{self, TelemetryConfig};

/// What a service gets from the process that it lives in.
#[derive(Debug, Clone)]
pub struct Process {
    /// The service's name.
    pub name: &'static str,
    /// The product's version.
    pub version: &'static str,
    /// Cancelled when the process is asked to stop. A service that cannot go on cancels it too.
    pub shutdown: CancellationToken,
    /// Flags for `/readyz`.
    pub ready: Readiness,
}

/// The product's version: all crates share it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long blocking work may hold the process after everything else has ended.
const LINGER: Duration = Duration::from_secs(2);

/// The whole life of a service's process, with the usual command line.
///
/// `load` takes the service's sections; `start` builds it, serves, and returns once
/// [`Process::shutdown`] was cancelled and its work is handed off, or with an error.
pub fn run<C, F>(
    name: &'static str,
    load: impl FnOnce(&mut Loader) -> C,
    start: impl FnOnce(Process, C) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    match args::parse(name) {
        (args, None) => run_with(name, &args, load, start),
        (args, Some(Instead::Health)) => health::run(name, &args, |_| {}),
    }
}

/// The same with arguments that were read before.
pub fn run_with<C, F>(
    name: &'static str,
    args: &ServiceArgs,
    load: impl FnOnce(&mut Loader) -> C,
    start: impl FnOnce(Process, C) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    let begun = Instant::now();
    let (config, own) = match configure(args, load) {
        Ok(both) => both,
        Err(problems) => {
            eprintln!("{}: {problems}", program(name));
            return ExitCode::from(ConfigProblems::EXIT_CODE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{}: no threads to run on: {error}", program(name));
            return ExitCode::FAILURE;
        }
    };
    let ended =
        runtime.block_on(Box::pin(life(name, begun, &own, |process| start(process, config))));
    runtime.shutdown_timeout(LINGER);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", program(name));
            ExitCode::FAILURE
        }
    }
}

/// What the process itself needs of the config.
struct Own {
    telemetry: TelemetryConfig,
    ops: OpsConfig,
}

/// Reads the service's sections and the process's own; tells all problems at once.
fn configure<C>(
    args: &ServiceArgs,
    load: impl FnOnce(&mut Loader) -> C,
) -> Result<(C, Own), ConfigProblems> {
    let mut loader = Loader::open(args.config.clone())?;
    let config = load(&mut loader);
    let own = Own {
        telemetry: loader.section("telemetry", TelemetryConfig::problems),
        ops: loader.section("ops", OpsConfig::problems),
    };
    loader.finish()?;
    Ok((config, own))
}

async fn life<F>(
    name: &'static str,
    begun: Instant,
    own: &Own,
    start: impl FnOnce(Process) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let telemetry = telemetry::install(name, &own.telemetry).context("telemetry")?;
    signal::tell_of_panics();
    let recorder = Recorder::install(name)?;
    let shutdown = CancellationToken::new();
    signal::listen(shutdown.clone())?;
    let ready = Readiness::new(shutdown.clone()).since(begun);
    let ops = ops::start(&own.ops, ready.clone(), recorder)?;
    info!(version = VERSION, address = %ops.address, "started; the ops port listens");
    let process = Process { name, version: VERSION, shutdown: shutdown.clone(), ready };
    let limit = Duration::from_millis(own.ops.shutdown_ms_max);
    let ended = bounded(start(process), &shutdown, limit).await;
    match &ended {
        Ok(()) => info!("stopped"),
        Err(error) => error!(error = %format!("{error:#}"), "failed"),
    }
    shutdown.cancel();
    ops.stop().await;
    telemetry.finish().await;
    ended
}

/// Waits for the service; after it was asked to stop for `limit` at most.
async fn bounded(
    service: impl Future<Output = anyhow::Result<()>>,
    shutdown: &CancellationToken,
    limit: Duration,
) -> anyhow::Result<()> {
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(limit).await;
    };
    tokio::select! {
        ended = service => ended,
        () = overdue => anyhow::bail!("not stopped within {} ms", limit.as_millis()),
    }
}

/// What the program of a service is called; the one that is all of them has no word behind it.
pub(crate) fn program(name: &str) -> String {
    if name == "roomcast" { name.to_owned() } else { format!("roomcast-{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_does_not_stop_is_left() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let limit = Duration::from_secs(60);
        let ended = bounded(std::future::pending(), &shutdown, limit).await;
        assert_eq!(ended.unwrap_err().to_string(), "not stopped within 60000 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hands_off_in_time_ends_well() {
        let shutdown = CancellationToken::new();
        let asked = shutdown.clone();
        let service = async move {
            asked.cancelled().await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            Ok(())
        };
        shutdown.cancel();
        bounded(service, &shutdown, Duration::from_secs(60)).await.unwrap();
    }
}
