//! What processes cost: CPU seconds and memory, each with all its children, from `/proc`.
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use procfs::process::{Process, all_processes};
use serde::Serialize;

use crate::target::Target;

/// The cost of one process and its children.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Cost {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Proportional set size, bytes.
    pub pss_bytes: u64,
}

/// Costs by process name.
pub type Costs = BTreeMap<String, Cost>;

/// What every process of the target has cost until now.
pub fn read(target: &Target) -> anyhow::Result<Costs> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in all_processes()?.flatten().filter_map(|process| process.stat().ok()) {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    let of_name = |(name, pid): (&String, &u32)| {
        let root = i32::try_from(*pid).context("a process id")?;
        let mut todo = vec![root];
        let mut sum = Cost::default();
        while let Some(pid) = todo.pop() {
            let cost = read_one(pid);
            sum.cpu_s += cost.cpu_s;
            sum.pss_bytes += cost.pss_bytes;
            todo.extend(children.get(&pid).into_iter().flatten());
        }
        Ok((name.clone(), sum))
    };
    target.processes.iter().map(of_name).collect()
}

/// Memory of the processes whose name begins so, in bytes. Children are left out.
pub fn memory_of(target: &Target, prefix: &str) -> anyhow::Result<u64> {
    let named = target.processes.iter().filter(|(name, _)| name.starts_with(prefix));
    let pids = named.map(|(_, pid)| i32::try_from(*pid).context("a process id"));
    pids.map(|pid| Ok(read_one(pid?).pss_bytes)).sum()
}

/// A process that has just ended costs nothing more.
fn read_one(pid: i32) -> Cost {
    let Ok(process) = Process::new(pid) else { return Cost::default() };
    let ticks = process.stat().map(|stat| stat.utime + stat.stime).unwrap_or(0);
    let rollup = process.smaps_rollup().ok();
    let pss = rollup
        .and_then(|maps| maps.memory_map_rollup.iter().next()?.extension.map.get("Pss").copied());
    Cost { cpu_s: ticks as f64 / procfs::ticks_per_second() as f64, pss_bytes: pss.unwrap_or(0) }
}

/// What was spent between two readings: CPU of the time between, memory as it is at the end.
pub fn between(before: &Costs, after: &Costs) -> Costs {
    let spent = |(name, late): (&String, &Cost)| {
        let early = before.get(name).copied().unwrap_or_default();
        (name.clone(), Cost { cpu_s: late.cpu_s - early.cpu_s, pss_bytes: late.pss_bytes })
    };
    after.iter().map(spent).collect()
}

/// Waits until the servers are at rest: less than a twentieth of a core over a second.
///
/// Joining costs them work that goes on after the last answer (join events, leases, binds).
pub async fn settled(target: &Target) -> anyhow::Result<()> {
    for _ in 0..60 {
        let before = read(target)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if cpu_s(&between(&before, &read(target)?)) < 0.05 {
            return Ok(());
        }
    }
    bail!("the servers are still busy a minute after the last connection joined")
}

/// CPU seconds of all processes together.
pub fn cpu_s(costs: &Costs) -> f64 {
    costs.values().map(|cost| cost.cpu_s).sum()
}

/// CPU seconds of those whose name begins so.
pub fn cpu_s_of(costs: &Costs, prefix: &str) -> f64 {
    costs.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, cost)| cost.cpu_s).sum()
}
