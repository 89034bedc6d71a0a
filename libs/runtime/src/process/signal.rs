//! Signals and panics: what reaches the process from outside its own control flow.
//!
//! The first SIGTERM or SIGINT asks to stop; a second one ends the process at once, for a person
//! who does not want to wait. A panic is logged and counted where it happens; whether the rest
//! can go on is for the owner of the task to decide.
use std::panic::PanicHookInfo;

use anyhow::Context;
use metrics::counter;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What a process ended by an impatient signal exits with.
const IMPATIENT: i32 = 130;

/// Turns signals into a cancelled `shutdown`.
#[expect(clippy::disallowed_methods, reason = "whoever asks twice wants no drain")]
pub(super) fn listen(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if shutdown.is_cancelled() {
                warn!(signal = name, "asked twice to stop: stopping at once");
                std::process::exit(IMPATIENT);
            }
            info!(signal = name, "asked to stop");
            shutdown.cancel();
        }
    });
    Ok(())
}

/// Logs and counts panics instead of printing them past the log.
pub(super) fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("a panic without a text");
        counter!("roomcast_runtime_panics_total").increment(1);
        error!(place, text, "panicked");
    }));
}
