//! A controller as a process in the cluster's network, where it needs no image.
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use super::cluster::Cluster;

/// Its process, which ends with its input, and so at the latest with this program.
pub struct Controller {
    name: &'static str,
    process: Child,
}

impl Controller {
    /// Starts a program with these arguments. Its log lies with the cluster's others, as `NAME.log`.
    pub fn start(cluster: &Cluster<'_>, name: &'static str, words: &[String]) -> Result<Self> {
        let held = ["-c", "\"$@\" & read -r _; kill $!; wait", "controller"].map(str::to_owned);
        let place = cluster.state().join("log").join(name).with_extension("log");
        let log = std::fs::File::create(place)?;
        let mut command = cluster.exec("bash", &[&held, words].concat());
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().with_context(|| format!("cannot run {name}"))?;
        Ok(Self { name, process })
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        if let Err(error) = self.process.wait() {
            eprintln!("{}: {error}", self.name);
        }
    }
}
