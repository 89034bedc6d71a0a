//! The crowd of SDK connections, a process in the cluster's network that ends with its input.
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use super::cluster::Cluster;
use super::figures::Figures;

/// `web/sdk/load.mjs`, running.
pub struct Crowd {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    connections: u64,
}

/// Where the crowd goes, and as whom.
pub struct Target {
    /// The gateways' WebSocket.
    pub url: String,
    /// The issuer's token endpoint.
    pub token_url: String,
    /// What is posted there, one JSON object for each user.
    pub token_forms: String,
}

impl Crowd {
    /// Starts it and waits until all are there.
    pub fn start(cluster: &Cluster<'_>, target: &Target, connections: u64) -> Result<Self> {
        let mut command = cluster.exec("node", &["web/sdk/load.mjs"]);
        command.env("NODE_OPTIONS", "--no-warnings").env("CONNECTIONS", connections.to_string());
        command.env("URL", &target.url).env("TOKEN_URL", &target.token_url);
        command.env("TOKEN_FORMS", &target.token_forms);
        let log = std::fs::File::create(cluster.state().join("log/load.log"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("cannot run node")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("node has no output")?;
        let mut crowd = Self { child, input, lines: BufReader::new(output).lines(), connections };
        let first = crowd.line().context("the crowd did not come; see target/k8s/log/load.log")?;
        eprintln!("load: {first}");
        Ok(crowd)
    }

    /// Lets everybody hear everything, and judges what happened since the last mark.
    pub fn mark(&mut self, name: &str) -> Result<Figures> {
        let input = self.input.as_mut().context("the crowd has been sent home")?;
        writeln!(input, "mark {name}")?;
        let line = self.line()?;
        let figures: Figures = serde_json::from_str(&line).with_context(|| line.clone())?;
        println!("{}", figures.line());
        figures.judge(self.connections)?;
        Ok(figures)
    }

    fn line(&mut self) -> Result<String> {
        match self.lines.next() {
            Some(line) => Ok(line?),
            None => bail!("the crowd ended by itself"),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.child.wait() {
            eprintln!("load: {error}");
        }
    }
}
