//! One process of the system under test: started, asked, signalled, started again.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::parts::{Program, free_port};

use crate::binaries;

/// How long a process may take until it is ready, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A running service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the cluster, as `gateway-1`; a gateway's id too.
    pub name: String,
    /// The process.
    pub program: Program,
    /// Its public or gRPC port on loopback.
    pub port: u16,
    /// Its ops port.
    pub ops_port: u16,
    /// The admin port; rooms and the all-in-one have one. A gateway's is that for other gateways.
    pub admin_port: u16,
}

/// Ports of a service, chosen before it starts so that the others can be told.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Public or gRPC.
    pub main: u16,
    /// Ops.
    pub ops: u16,
    /// Admin; of a gateway that for other gateways.
    pub admin: u16,
}

impl Ports {
    /// Three free ports.
    pub fn choose() -> Result<Self> {
        Ok(Self { main: free_port()?, ops: free_port()?, admin: free_port()? })
    }
}

impl Service {
    /// Starts a binary in a folder of its own with these files; not yet ready.
    pub async fn start(
        name: &str,
        binary: &Path,
        arguments: &[&str],
        files: &[(&'static str, String)],
        env: &[(&'static str, String)],
        ports: Ports,
    ) -> Result<Self> {
        let program = Program::start(binary, arguments, env, files).await?;
        Ok(Self {
            name: name.to_owned(),
            program,
            port: ports.main,
            ops_port: ports.ops,
            admin_port: ports.admin,
        })
    }

    /// Waits until `/readyz` says so. Fails with the log's end when it does not.
    pub async fn ready(&self) -> Result<()> {
        self.program.wait_port(self.ops_port, READY).await?;
        testkit::poll::until(READY, &format!("{} ready", self.name), || async {
            self.get("readyz").await.is_ok_and(|(status, _)| status == 200)
        })
        .await
        .with_context(|| tail(&self.program.log()))
    }

    /// Whether it calls itself ready now.
    pub async fn is_ready(&self) -> bool {
        self.get("readyz").await.is_ok_and(|(status, _)| status == 200)
    }

    /// Asks the ops port.
    async fn get(&self, path: &str) -> Result<(u16, String)> {
        let url = format!("http://127.0.0.1:{}/{path}", self.ops_port);
        let answer = http()?.get(url).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    }

    /// The sum of a metric over all its labels; 0 if it was never counted.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let (_, text) = self.get("metrics").await?;
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next());
        Ok(values.filter_map(|value| value.parse::<f64>().ok()).sum())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let pid = self.program.process().pid().context("not running")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib * 1024)
    }

    /// Kills it at once.
    pub fn kill9(&self) {
        self.program.process().kill9();
    }

    /// Stops it where it is.
    pub fn freeze(&self) {
        self.program.process().freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.program.process().thaw();
    }

    /// Starts it again on the same ports and waits until it is ready.
    pub async fn restart(&self) -> Result<()> {
        self.program.restart().await?;
        self.ready().await
    }

    /// `roomcast doctor` on its config, not yet run.
    pub fn doctor(&self) -> Result<Command> {
        let mut command = Command::new(binaries::find("roomcast")?);
        command.args(["doctor", "--config", "roomcast.toml"]).current_dir(self.dir());
        Ok(command)
    }

    /// Its working directory.
    pub fn dir(&self) -> PathBuf {
        self.program.dir().to_owned()
    }
}

/// A client for the test's own questions: no proxy, 5 s at most.
pub fn http() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
