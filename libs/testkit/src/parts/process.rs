//! One process of a part: started, signalled, started again, and ended with all its children.
//!
//! Signals go to the process and everything that descends from it, found by parentage and never by
//! name. Output goes to a log file in the part's directory, whose end is in the error of a failed start.
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

const POLL: Duration = Duration::from_millis(25);

/// How a process is started, each time.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    /// Working directory, by which the janitor knows the process. The log lies beside it.
    pub(super) dir: PathBuf,
    pub(super) log: PathBuf,
    /// The user to become, if the tests run as root.
    pub(super) user: Option<&'static str>,
}

/// A started process that ends with this value.
#[derive(Debug)]
pub struct Process {
    recipe: Recipe,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(super) fn start(recipe: Recipe) -> Result<Self> {
        let process = Self { recipe, child: Mutex::new(None) };
        process.start_again()?;
        Ok(process)
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Kills it and all its children at once (SIGKILL) and waits for the end. Nothing happens if it has ended.
    pub fn kill9(&self) {
        let Some(mut child) = self.child().take() else { return };
        // Stopped first, so that it cannot make children while they are counted.
        signal(child.id(), Signal::STOP);
        for pid in descendants(child.id()) {
            signal(pid, Signal::KILL);
        }
        signal(child.id(), Signal::KILL);
        let _ = child.wait();
    }

    /// Stops it and all its children where they are (SIGSTOP): sockets stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets it go on after [`Self::freeze`] (SIGCONT).
    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Sends one signal to the process alone.
    pub(super) fn ask(&self, how: Signal) {
        if let Some(child) = self.child().as_ref() {
            signal(child.id(), how);
        }
    }

    /// Waits for its end and gives the exit code, `None` after a signal. Fails after `patience`.
    pub(super) fn wait_end(&self, patience: Duration) -> Result<Option<i32>> {
        let mut code = None;
        wait_until("the end", patience, || {
            let mut child = self.child();
            let Some(running) = child.as_mut() else { return Ok(true) };
            let Some(status) = running.try_wait()? else { return Ok(false) };
            code = status.code();
            *child = None;
            Ok(true)
        })?;
        Ok(code)
    }

    /// Asks it to end with a signal, and kills it when it has not after `patience`.
    pub(super) fn stop(&self, how: Signal, patience: Duration) {
        if let Some(child) = self.child().as_ref() {
            signal(child.id(), how);
        }
        let _ = wait_until("the end", patience, || {
            Ok(self.child().as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))))
        });
        self.kill9();
    }

    /// Starts it again after it ended or was killed.
    pub(super) fn start_again(&self) -> Result<()> {
        let mut child = self.child();
        if child.is_some() {
            bail!("{} runs already", self.recipe.program.display());
        }
        *child = Some(self.recipe.spawn()?);
        Ok(())
    }

    /// Polls until `ready` says so. Fails when the process ends or the time is over, with the log's end.
    pub(super) fn wait_ready(
        &self,
        patience: Duration,
        ready: impl Fn() -> Result<bool>,
    ) -> Result<()> {
        let name = self.recipe.program.display().to_string();
        wait_until(&format!("{name} being ready"), patience, || {
            if let Some(child) = self.child().as_mut()
                && let Some(status) = child.try_wait()?
            {
                bail!("{name} ended with {status}");
            }
            ready()
        })
        .with_context(|| log_end(&self.recipe.log))
    }

    fn signal_all(&self, how: Signal) {
        if let Some(child) = self.child().as_ref() {
            signal(child.id(), how);
            for pid in descendants(child.id()) {
                signal(pid, how);
            }
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

impl Recipe {
    /// A command that runs the recipe's program or a companion of it as the recipe's user.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]);
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(&self.dir).envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }

    fn spawn(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.command(&self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: an interrupt from the keyboard reaches the tests alone.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))
    }
}

/// Finds a program in `folders` or on the path.
#[expect(clippy::disallowed_methods, reason = "the path is no configuration of ours")]
pub(super) fn find_program(name: &str, package: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| anyhow!("{name} is missing: install the Debian package {package}"))
}

/// Runs a command to its end and gives its standard output.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("cannot start {name:?}"))?;
    if !output.status.success() {
        bail!(
            "{name:?} ended with {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Polls until `done` says so, or fails after `patience`.
#[expect(clippy::disallowed_methods, reason = "runs on blocking threads alone")]
pub(super) fn wait_until(
    what: &str,
    patience: Duration,
    mut done: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let begun = Instant::now();
    while !done()? {
        if begun.elapsed() > patience {
            bail!("waited {patience:?} for {what}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Whether something accepts connections there.
pub(super) fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), Duration::from_secs(1)).is_ok()
}

fn signal(pid: u32, how: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, how);
    }
}

/// All processes that descend from `pid`, as the kernel lists them at this moment.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let list = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in list.split_whitespace().filter_map(|word| word.parse().ok()) {
            found.extend(descendants(child));
            found.push(child);
        }
    }
    found
}

fn log_end(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(15);
    format!("the log's end:\n{}", lines.get(end..).unwrap_or_default().join("\n"))
}
