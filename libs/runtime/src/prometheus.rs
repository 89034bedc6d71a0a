//! The metrics recorder: what the crate `metrics` counts, as Prometheus text.
//!
//! Durations are histograms over fixed bounds, so that figures of several pods can be added up.
//! Upkeep runs every 5 s, else histograms would grow between two scrapes. What the operating
//! system knows of the process is read at each scrape.
use std::time::Duration;

use metrics::{Unit, counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::ready::ReadyReport;

/// Bounds of durations, in seconds.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
/// Bounds of sizes.
const BYTES: [f64; 8] = [64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];
/// Bounds of how many there were of something at once.
const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The recorder of a process. Clones share it.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// Makes the process's recorder, for the service `name`. Fails if there is one already.
    pub(crate) fn install(name: &'static str) -> anyhow::Result<Self> {
        let recorder = builder(name)?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| anyhow::anyhow!("{error}"))?;
        describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory held");
        describe_gauge!("process_cpu_seconds", Unit::Seconds, "Processor time used so far");
        describe_gauge!("process_open_fds", Unit::Count, "Open files and sockets");
        describe_gauge!("roomcast_runtime_ready", "1 while traffic should be sent here");
        describe_gauge!("roomcast_runtime_draining", "1 since the process was told to stop");
        gauge!("roomcast_runtime_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // Made at once, so that an alert can tell "none" from "unknown".
        counter!("roomcast_runtime_panics_total").absolute(0);
        let upkeep = handle.clone();
        tokio::spawn(async move {
            let mut turns = tokio::time::interval(UPKEEP_EVERY);
            loop {
                turns.tick().await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// One that nothing is recorded into, for tests of what shows it.
    #[cfg(test)]
    pub(crate) fn detached(name: &'static str) -> Self {
        Self(builder(name).unwrap().build_recorder().handle())
    }

    /// The whole exposition, with how ready the process is.
    pub fn render(&self, report: &ReadyReport) -> String {
        own_figures();
        readiness(report);
        self.0.render()
    }
}

fn builder(name: &'static str) -> anyhow::Result<PrometheusBuilder> {
    Ok(PrometheusBuilder::new()
        .add_global_label("service", name)
        .set_buckets(&COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?)
}

/// Reads `/proc/self`; elsewhere than on Linux these figures are absent.
fn own_figures() {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(kib) = field(&status, "VmRSS:")
    {
        gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat")
        && let Some(ticks) = cpu_ticks(&stat)
    {
        // The kernel shows 100 ticks a second to every process, whatever its own rate is.
        gauge!("process_cpu_seconds").set(ticks / 100.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(open.count() as f64);
    }
}

/// So that a roll-out is seen in the same picture as what it did to the sockets.
fn readiness(report: &ReadyReport) {
    gauge!("roomcast_runtime_ready").set(f64::from(report.ready));
    gauge!("roomcast_runtime_draining").set(f64::from(report.draining));
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system ticks: the 14th and 15th field, counted after the command in brackets, which
/// may hold spaces.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_kernels_figures_are_read() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234.0));
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0";
        assert_eq!(cpu_ticks(stat), Some(400.0));
    }

    #[test]
    fn a_process_that_was_told_to_stop_says_so() {
        let recorder = builder("test").unwrap().build_recorder();
        let handle = recorder.handle();
        let report = ReadyReport { ready: false, draining: true, flags: BTreeMap::new() };
        metrics::with_local_recorder(&recorder, || readiness(&report));
        let text = handle.render();
        assert!(text.contains("roomcast_runtime_ready{service=\"test\"} 0\n"), "{text}");
        assert!(text.contains("roomcast_runtime_draining{service=\"test\"} 1\n"), "{text}");
    }

    #[test]
    fn durations_and_sizes_have_bounds_that_fit_them() {
        let recorder = builder("test").unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("roomcast_test_wait_seconds").record(0.003);
            metrics::histogram!("roomcast_test_batch_items").record(3.0);
        });
        let text = handle.render();
        assert!(text.contains("wait_seconds_bucket{service=\"test\",le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("batch_items_bucket{service=\"test\",le=\"4\"} 1"), "{text}");
    }
}
