//! A Docker daemon and its client, for verbs that build images and run them.
//!
//! A daemon that runs is used as it is. Where none does, Debian's is started with its data in the cache
//! folder, and ended with the verb. `buildx` and `compose` are the machine's; if it has none, they are unpacked
//! from Debian's packages into the cache, where only commands of these verbs see them.
pub mod stand_in;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::parts;
use crate::shell::{self, Shell};

/// How long a daemon may take to answer after its start.
const START_MAX: Duration = Duration::from_secs(60);
/// Between two looks at something that is waited for.
pub const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A daemon that answers.
#[derive(Debug)]
pub struct Docker {
    shell: Shell,
    /// Given to the client if the machine's own configuration lacks the plugins.
    config: Option<PathBuf>,
    /// The daemon, if this verb started it.
    daemon: Option<Child>,
}

impl Docker {
    /// Makes sure of a daemon and of the plugins.
    pub fn open(shell: &Shell) -> Result<Self> {
        let mut docker = Self { shell: shell.clone(), config: None, daemon: None };
        if shell::output(shell.command("", "docker", &["--version"])).is_err() {
            parts::install(shell, &["docker.io"])?;
        }
        docker.plugins()?;
        if shell::output(docker.command(&["info"])).is_err() {
            docker.start()?;
        }
        Ok(docker)
    }

    /// Leaves a daemon that was started here running, for what shall outlive the verb.
    pub fn leave(mut self) {
        if let Some(daemon) = self.daemon.take() {
            println!("docker: its daemon is left running; `kill {}` ends it", daemon.id());
        }
    }

    /// A command of the client, not yet run, at the root.
    pub fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = self.shell.command("", "docker", args);
        if let Some(config) = &self.config {
            command.env("DOCKER_CONFIG", config);
        }
        command
    }

    /// Runs it, and shows what it says.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Result<()> {
        shell::run(self.command(args))
    }

    /// Runs it silently, and gives what it printed, without the line's end.
    pub fn output<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        Ok(shell::output(self.command(args))?.trim_end().to_owned())
    }

    /// Whether the daemon has an image.
    pub fn has(&self, image: &str) -> bool {
        self.output(&["image", "inspect", "--format", "{{.Id}}", image]).is_ok()
    }

    fn plugins(&mut self) -> Result<()> {
        let there = |docker: &Self| {
            docker.output(&["buildx", "version"]).is_ok()
                && docker.output(&["compose", "version"]).is_ok()
        };
        if there(self) {
            return Ok(());
        }
        let folder = parts::cache()?.join("docker");
        self.config = Some(folder.clone());
        if !there(self) {
            let plugins = folder.join("cli-plugins");
            eprintln!("docker: unpacking buildx and compose into {}, once", plugins.display());
            let into = plugins.to_str().context("the cache's path is no text")?;
            shell::run(self.shell.command("", "libs/xtask/images/plugins.sh", &[into]))?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        let folder = parts::cache()?.join("dockerd");
        std::fs::create_dir_all(&folder)?;
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let log = std::fs::File::create(path("log"))?;
        eprintln!("docker: no daemon runs; starting one with its data in {}", folder.display());
        let mut command = self.shell.command("", "dockerd", &["--data-root", &path("data")]);
        command.args(["--pidfile", &path("pid")]).stdin(Stdio::null()).stdout(Stdio::null());
        let daemon = command.stderr(log).spawn();
        self.daemon = Some(daemon.context("cannot run dockerd: install docker.io")?);
        wait(START_MAX, "a Docker daemon", || Ok(self.output(&["info"]).is_ok()))
    }
}

impl Drop for Docker {
    /// Asks the daemon that was started here to end, and waits: it has to let go of its mounts.
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let pid = daemon.id().to_string();
            let asked = self.shell.command("", "kill", &["-TERM", &pid]).status();
            if asked.is_ok_and(|status| status.success()) {
                let _ = daemon.wait();
            }
        }
    }
}

/// Looks again and again until something holds; after `longest` it is an error.
pub fn wait(longest: Duration, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        if begun.elapsed() > longest {
            bail!("{what}: not there after {} s", longest.as_secs());
        }
        pause();
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a verb has nothing else to do meanwhile")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}
