//! Any program as a part: a service under test with a directory, a config file and a log of its own.
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::blocking;
use super::place::PartDir;
use super::process::{Process, Recipe, accepts};

/// A started program. Ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Program(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Process,
    log: PathBuf,
    dir: PartDir,
}

impl Program {
    /// Starts `program` with arguments, environment and files that are written into its working directory first.
    pub async fn start(
        program: &Path,
        args: &[&str],
        env: &[(&'static str, String)],
        files: &[(&str, String)],
    ) -> Result<Self> {
        let dir =
            PartDir::new(program.file_name().and_then(|name| name.to_str()).unwrap_or("program"))?;
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).with_context(|| (*name).to_owned())?;
        }
        let log = dir.path().join("log");
        let recipe = Recipe {
            program: program.to_owned(),
            args: args.iter().map(OsString::from).collect(),
            env: env.iter().map(|(key, value)| (*key, value.into())).collect(),
            dir: dir.path().to_owned(),
            log: log.clone(),
            user: None,
        };
        Ok(Self(Arc::new(Inner { process: Process::start(recipe)?, log, dir })))
    }

    /// Waits until it accepts connections on a port of loopback. Fails early if it ends, with its log's end.
    pub async fn wait_port(&self, port: u16, patience: Duration) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || inner.process.wait_ready(patience, || Ok(accepts(port)))).await
    }

    /// Starts it again after it ended or was killed, in the same directory.
    pub async fn restart(&self) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || {
            inner.process.kill9();
            inner.process.start_again()
        })
        .await
    }

    /// Asks it to end (SIGTERM); answers at once.
    pub fn terminate(&self) {
        self.0.process.ask(Signal::TERM);
    }

    /// Waits for its end and gives the exit code; fails after `patience`. A signal's end is no code.
    pub async fn exit_code(&self, patience: Duration) -> Result<Option<i32>> {
        let inner = self.0.clone();
        blocking(move || inner.process.wait_end(patience)).await
    }

    /// The process itself: its id, and the signals.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Its working directory.
    pub fn dir(&self) -> &Path {
        self.0.dir.path()
    }

    /// All that it printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.0.log).unwrap_or_default()
    }
}
