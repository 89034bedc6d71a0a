//! A Redis for one test, without persistence: what a restart keeps is nothing, as after a lost volume.
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::blocking;
use super::place::{PartDir, free_port};
use super::process::{Process, Recipe, find_program};

const START: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(2);

/// A running Redis. Ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Process,
    port: u16,
    _dir: PartDir,
}

impl Redis {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        Self::start_with("").await
    }

    /// Starts one with lines of `redis.conf` beside the usual ones.
    pub async fn start_with(conf: &str) -> Result<Self> {
        let conf = conf.to_owned();
        blocking(move || start(&conf)).await
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// The port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The process, to be killed, frozen and thawed.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Kills it at once.
    pub fn kill9(&self) {
        self.0.process.kill9();
    }

    /// Stops it where it is; clients see silence.
    pub fn freeze(&self) {
        self.0.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.0.process.thaw();
    }

    /// Ends it, if it runs, and starts it again on the same port, empty.
    pub async fn restart(&self) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || {
            inner.process.stop(Signal::TERM, ANSWER);
            inner.process.start_again()?;
            inner.wait()
        })
        .await
    }

    /// Sends one command of plain words, such as `["FLUSHALL"]`, and gives the raw answer.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        let inner = self.0.clone();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        blocking(move || inner.command(&words)).await
    }
}

fn start(conf: &str) -> Result<Redis> {
    let dir = PartDir::new("redis")?;
    let port = free_port()?;
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {dir}\nsave \"\"\nappendonly no\ndaemonize no\n{conf}\n",
        dir = dir.path().display()
    );
    let file = dir.path().join("redis.conf");
    std::fs::write(&file, text)?;
    let process = Process::start(Recipe {
        program: find_program("redis-server", "redis-server", &[])?,
        args: vec![file.into()],
        env: Vec::new(),
        log: dir.path().join("log"),
        dir: dir.path().to_owned(),
        user: None,
    })?;
    let inner = Inner { process, port, _dir: dir };
    inner.wait()?;
    Ok(Redis(Arc::new(inner)))
}

impl Inner {
    fn wait(&self) -> Result<()> {
        self.process.wait_ready(START, || {
            Ok(self.command(&["PING".to_owned()]).is_ok_and(|answer| answer.contains("PONG")))
        })
    }

    fn command(&self, words: &[String]) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(text.as_bytes())?;
        let mut answer = vec![0; 64 * 1024];
        let count = stream.read(&mut answer).context("Redis did not answer")?;
        Ok(String::from_utf8_lossy(answer.get(..count).unwrap_or_default()).into_owned())
    }
}
