//! A PostgreSQL cluster for tests: fsync on, as in production, a password, TCP on 127.0.0.1 alone.
//!
//! It never runs as root: under root it becomes the user `postgres`.
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::Signal;

use super::blocking;
use super::place::{PartDir, free_port};
use super::process::{Process, Recipe, find_program, output};

const PACKAGE: &str = "postgresql";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(10);
const USER: &str = "roomcast";

/// A running PostgreSQL. Ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Postgres(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Process,
    psql: PathBuf,
    port: u16,
    password: String,
    dir: PartDir,
}

/// One PostgreSQL for all tests of a process that do not kill it: take a database each.
pub async fn shared_postgres() -> Result<&'static Postgres> {
    static SHARED: OnceLock<std::result::Result<Postgres, String>> = OnceLock::new();
    blocking(|| match SHARED.get_or_init(|| start(&[]).map_err(|error| format!("{error:#}"))) {
        Ok(postgres) => Ok(postgres),
        Err(error) => Err(anyhow!("{error}")),
    })
    .await
}

impl Postgres {
    /// Starts one with a data directory of its own.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one with settings, such as `("max_connections", "20")`, beside or over the usual ones.
    pub async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let settings: Vec<String> =
            settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        blocking(move || start(&settings)).await
    }

    /// The url of the database `postgres`.
    pub fn url(&self) -> String {
        self.0.url("postgres")
    }

    /// The url of a database of that name, whether it exists or not.
    pub fn database_url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// Makes an empty database of its own for a test, and gives its url.
    pub async fn new_database(&self) -> Result<String> {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        self.sql(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.0.url(&name))
    }

    /// Runs SQL in the database `postgres` by `psql`; columns are parted by `|`, rows by line ends.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        self.sql_in(&self.url(), sql).await
    }

    /// Runs SQL in the database of a url of this cluster.
    pub async fn sql_in(&self, url: &str, sql: &str) -> Result<String> {
        let (inner, url, sql) = (self.0.clone(), url.to_owned(), sql.to_owned());
        blocking(move || inner.sql(&url, &sql)).await
    }

    /// The port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Where the cluster's files lie.
    pub fn data_dir(&self) -> PathBuf {
        self.0.data()
    }

    /// The process (the postmaster), to be killed, frozen and thawed with all its backends.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Kills it and its backends at once.
    pub fn kill9(&self) {
        self.0.process.kill9();
    }

    /// Stops it and its backends where they are; clients see silence.
    pub fn freeze(&self) {
        self.0.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.0.process.thaw();
    }

    /// Ends it in order (a fast shutdown). The data stays.
    pub async fn stop(&self) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || {
            inner.process.stop(Signal::INT, STOP);
            Ok(())
        })
        .await
    }

    /// Ends it, if it runs, and starts it again on the same port and data.
    pub async fn restart(&self) -> Result<()> {
        let inner = self.0.clone();
        blocking(move || {
            inner.process.stop(Signal::INT, STOP);
            let begun = Instant::now();
            loop {
                inner.process.start_again()?;
                match inner.wait() {
                    // The memory of a server that was killed goes with its last process, a moment later.
                    Err(error) if in_use(&error) && begun.elapsed() < START => {
                        inner.process.kill9();
                    }
                    ended => return ended,
                }
            }
        })
        .await
    }
}

fn in_use(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("shared memory block")
}

fn start(settings: &[String]) -> Result<Postgres> {
    let folders = versions();
    let program = find_program("postgres", PACKAGE, &folders)?;
    let initdb = find_program("initdb", PACKAGE, &folders)?;
    let psql = find_program("psql", "postgresql-client", &folders)?;
    let dir = PartDir::new("postgres")?;
    let user = server_user();
    if let Some(user) = user {
        give(dir.path(), user)?;
    }
    let port = free_port()?;
    let password = uuid::Uuid::new_v4().simple().to_string();
    let data = dir.path().join("data");
    let recipe = Recipe {
        program,
        args: arguments(&data, port, settings),
        env: vec![("LC_ALL", "C.UTF-8".into())],
        dir: dir.path().to_owned(),
        log: dir.path().join("log"),
        user,
    };
    init(&recipe, &initdb, &data, &password)?;
    let inner = Inner { process: Process::start(recipe)?, psql, port, password, dir };
    inner.wait()?;
    Ok(Postgres(Arc::new(inner)))
}

/// Debian keeps the server's programs off the path, by version; the newest first.
fn versions() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, folder)| folder).collect()
}

fn arguments(data: &Path, port: u16, settings: &[String]) -> Vec<OsString> {
    let port = format!("port={port}");
    let usual = [
        port.as_str(),
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=on",
        "max_connections=200",
        "shared_buffers=64MB",
    ];
    let mut args: Vec<OsString> = vec!["-D".into(), data.into()];
    for setting in usual.into_iter().chain(settings.iter().map(String::as_str)) {
        args.extend(["-c".into(), setting.into()]);
    }
    args
}

fn init(recipe: &Recipe, initdb: &Path, data: &Path, password: &str) -> Result<()> {
    let secret = recipe.dir.join("password");
    std::fs::write(&secret, password)?;
    let mut command = recipe.command(initdb);
    command
        .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
        // The first state needs no sync; the server itself runs with fsync.
        .args(["--locale", "C.UTF-8", "--no-sync", "--pwfile"])
        .arg(&secret)
        .arg("--pgdata")
        .arg(data);
    output(&mut command).context("initdb failed").map(|_| ())
}

/// Whom the server runs as, if not as the tests do.
pub(super) fn server_user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

/// Makes a file or a directory the property of a user.
pub(super) fn give(path: &Path, user: &str) -> Result<()> {
    let id = |flag: &str| -> Result<u32> {
        let text = output(Command::new("id").args([flag, user]))
            .with_context(|| format!("no user {user}: install the Debian package {PACKAGE}"))?;
        Ok(text.trim().parse()?)
    };
    std::os::unix::fs::chown(path, Some(id("-u")?), Some(id("-g")?))?;
    Ok(())
}

impl Inner {
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    fn wait(&self) -> Result<()> {
        self.process.wait_ready(START, || Ok(self.sql(&self.url("postgres"), "SELECT 1").is_ok()))
    }

    fn sql(&self, url: &str, sql: &str) -> Result<String> {
        let mut command = Command::new(&self.psql);
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
            .env("PGCONNECT_TIMEOUT", "5");
        output(&mut command).map(|text| text.trim_end().to_owned())
    }
}
