//! A Prometheus of its own: scrapes the system every second, evaluates the rules, answers queries.
//!
//! Everything it keeps lies in a temporary folder. Queries go through promtool, which comes with
//! it. It ends with its value.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::{pause, quietly};
use crate::shell::Shell;

const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub struct Prometheus {
    shell: Shell,
    process: Child,
    url: String,
    folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes these addresses, each under its name.
    pub fn start(shell: &Shell, targets: &BTreeMap<String, String>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, written(shell, targets))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = shell.command("", "prometheus", &args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().context("cannot start prometheus")?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { shell: shell.clone(), process, url, folder })
    }

    /// The answer's lines; none if there is no data. Fails for a query that cannot be evaluated.
    pub fn ask(&self, expression: &str) -> Result<Vec<String>> {
        let printed =
            quietly(&self.shell, "promtool", &["query", "instant", &self.url, expression])?;
        Ok(printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// Waits until a query has data.
    pub fn wait(&self, expression: &str, most: Duration) -> Result<()> {
        let until = Instant::now() + most;
        loop {
            let answer = self.ask(expression);
            if answer.as_ref().is_ok_and(|lines| !lines.is_empty()) {
                return Ok(());
            }
            if Instant::now() > until {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                bail!("{expression}: nothing within {most:?}: {answer:?}\n{}", tail.join("\n"));
            }
            pause(LOOK_AGAIN);
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The labels of the scraped text win, as the dashboards want it.
fn written(shell: &Shell, targets: &BTreeMap<String, String>) -> String {
    let rules = shell.root().join("helm/roomcast/alerts/*.yaml");
    let mut text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{}']\nscrape_configs:\n  - job_name: roomcast\n    honor_labels: true\n    \
         static_configs:\n",
        rules.display()
    );
    for (name, address) in targets {
        let _ = writeln!(text, "      - {{ targets: ['{address}'], labels: {{ pod: {name} }} }}");
    }
    text
}
