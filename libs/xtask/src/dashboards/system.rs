//! The system that is looked at: real processes by `roomcast-cluster`, loaded by `roomcast-bench`.
//!
//! Rates need something to show; what the load generator measures is of no interest here. Everything ends with `end`, or with this process.
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use super::quietly;
use crate::shell::Shell;

/// Two gateways, so that there is something to tell apart; as many tokens as the load has people.
const SHAPE: [&str; 3] = ["processes", "2", "60"];
/// Small on purpose: the figures must be there, not large. Its publishers answer no pings, so they
/// are closed after half a minute: who needs load for longer starts it again.
const LOAD: &str = "fanout --rooms 10 --members 5 --rate 20 --publishers 4 --seconds 30";
/// A second wave, besides.
const CONNECTS: &str = "storm --connections 20 --at-once 5 --rooms 4";
/// How long a refusal may take.
const ANSWER: Duration = Duration::from_secs(5);

pub struct System {
    cluster: Child,
    load: Option<Child>,
    described: TempDir,
    programs: PathBuf,
    /// Ops port of each process, by its name.
    pub ops: BTreeMap<String, String>,
    http: Vec<String>,
    processes: BTreeMap<String, u32>,
}

/// What `roomcast-cluster` prints.
#[derive(Debug, Deserialize)]
struct Printed {
    http: Vec<String>,
    ops: BTreeMap<String, String>,
    processes: BTreeMap<String, u32>,
}

impl System {
    /// Starts it and waits until it is ready.
    pub fn start(shell: &Shell, profile: &str) -> Result<Self> {
        let programs = shell.target().join(profile);
        let program = programs.join("roomcast-cluster");
        let hint = "missing: cargo build --workspace --bins";
        ensure!(program.is_file(), "{}: {hint}", program.display());
        let mut command = shell.command("", &program.to_string_lossy(), &SHAPE);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut cluster = command.spawn().context("cannot start a system")?;
        let stdout = cluster.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let printed: Printed = serde_json::from_str(&line).context("the system did not start")?;
        let described = tempfile::tempdir()?;
        std::fs::write(described.path().join("system.json"), line)?;
        let Printed { http, ops, processes } = printed;
        Ok(Self { cluster, load: None, described, programs, ops, http, processes })
    }

    /// Lets people talk from now on, for half a minute.
    pub fn load(&mut self, shell: &Shell) -> Result<()> {
        self.unload();
        let system = self.described.path().join("system.json");
        let system = system.to_string_lossy();
        let mut args = vec!["--system", &system];
        args.extend(LOAD.split(' '));
        let program = self.programs.join("roomcast-bench");
        let mut command = shell.command("", &program.to_string_lossy(), &args);
        // It complains when parts die under it, which they will.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.load = Some(command.spawn().context("cannot start the load")?);
        Ok(())
    }

    /// Lets nobody talk any more.
    pub fn unload(&mut self) {
        if let Some(mut load) = self.load.take() {
            // It may have ended by itself.
            let _ = load.kill();
            let _ = load.wait();
        }
    }

    /// Some more connects, which is over when it returns.
    pub fn connects(&self, shell: &Shell) -> Result<()> {
        let system = self.described.path().join("system.json");
        let mut args = vec!["--system", system.to_str().context("the folder is no text")?];
        args.extend(CONNECTS.split(' '));
        let program = self.programs.join("roomcast-bench");
        quietly(shell, &program.to_string_lossy(), &args).map(drop)
    }

    /// Somebody whose request is no upgrade, and somebody whose token is none.
    pub fn refusals(&self) -> Result<()> {
        let address = self.http.first().context("no gateway")?.trim_start_matches("http://");
        let connect = r#"{"id":1,"connect":{"token":"none"}}"#;
        let stream = format!("content-length: {}\r\n\r\n{connect}", connect.len());
        for (line, rest) in [("GET /ws", "\r\n"), ("POST /connection/http_stream", &*stream)] {
            let mut socket = TcpStream::connect(address)?;
            socket.set_read_timeout(Some(ANSWER))?;
            write!(socket, "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{rest}")?;
            let mut answer = [0; 12];
            socket.read_exact(&mut answer).with_context(|| line.to_owned())?;
        }
        Ok(())
    }

    /// Kills one of the system's own parts at once.
    pub fn kill(&self, shell: &Shell, part: &str) -> Result<()> {
        let id = self.processes.get(part).with_context(|| format!("no process {part}"))?;
        quietly(shell, "kill", &["-9", &id.to_string()]).map(drop)
    }

    /// Ends everything.
    pub fn end(mut self) -> Result<()> {
        self.unload();
        drop(self.cluster.stdin.take());
        let status = self.cluster.wait()?;
        ensure!(status.success(), "the system ended with {status}");
        Ok(())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.unload();
        // The cluster ends everything that it started when its input does, and then itself.
        drop(self.cluster.stdin.take());
        let _ = self.cluster.wait();
    }
}
