//! A Keycloak for tests, with the realm that ships (`helm/roomcast/files/keycloak/chat-realm.json`)
//! and a database, passwords and ports of its own.
//!
//! The program is the one that `cargo xtask test` puts into the cache, shared by all and never
//! written to: a test's Keycloak has a home of its own whose `lib` leads there. It boots for
//! 20 s or more: share one by [`shared_keycloak`], unless the test stops it. Its keys and people
//! stay over a restart. What people and operators do with it is in `keycloak/realm`.
mod realm;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

pub use realm::{Person, Tokens};

use super::blocking;
use super::place::{PartDir, free_port};
use super::process::{Process, Recipe, accepts, find_program};

/// The release that is tested with; `libs/xtask/src/parts/keycloak.rs` installs it.
const RELEASE: &str = "26.7.3";
/// The realm that compose and the chart bring too.
const REALM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../helm/roomcast/files/keycloak/chat-realm.json");
const START: Duration = Duration::from_secs(300);
/// What of the program a home shows without having it.
const LED_TO: [&str; 4] = ["lib", "conf", "themes", "providers"];

/// A running Keycloak. Ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Keycloak(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    process: Process,
    port: u16,
    password: String,
    client_secret: String,
    http: reqwest::Client,
    _dir: PartDir,
}

/// One Keycloak for all tests of a process that do not stop it: take people of your own.
pub async fn shared_keycloak() -> Result<&'static Keycloak> {
    static SHARED: OnceLock<std::result::Result<Keycloak, String>> = OnceLock::new();
    blocking(|| match SHARED.get_or_init(|| start(NO_PAGE).map_err(|error| format!("{error:#}"))) {
        Ok(keycloak) => Ok(keycloak),
        Err(error) => Err(anyhow!("{error}")),
    })
    .await
}

/// Where the page would be in tests that have none.
const NO_PAGE: &str = "http://127.0.0.1:8080";

impl Keycloak {
    /// Starts one for a page at `page_url`, which has no slash at its end.
    pub async fn start(page_url: &str) -> Result<Self> {
        let page_url = page_url.to_owned();
        blocking(move || start(&page_url)).await
    }

    /// The issuer of the realm, as it stands in tokens.
    pub fn issuer(&self) -> String {
        format!("{}/realms/chat", self.base())
    }

    /// The secret of the client `backend`.
    pub fn client_secret(&self) -> &str {
        &self.0.client_secret
    }

    /// The process, to be frozen and thawed.
    pub fn process(&self) -> &Process {
        &self.0.process
    }

    /// Kills it at once.
    pub fn kill9(&self) {
        self.0.process.kill9();
    }

    /// Starts it again on the same port and data after it was killed.
    pub async fn restart(&self) -> Result<()> {
        let inner = Arc::clone(&self.0);
        blocking(move || {
            inner.process.kill9();
            inner.process.start_again()?;
            inner.wait()
        })
        .await?;
        self.ready().await
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }
}

fn start(page_url: &str) -> Result<Keycloak> {
    let dir = PartDir::new("keycloak")?;
    let home = dir.path().join("home");
    lay_out(&program()?, &home)?;
    let (port, management) = (free_port()?, free_port()?);
    let secret = || uuid::Uuid::new_v4().simple().to_string();
    let (password, client_secret) = (secret(), secret());
    let process = Process::start(Recipe {
        program: home.join("bin/kc.sh"),
        args: arguments(port, management),
        env: vec![
            ("KC_BOOTSTRAP_ADMIN_USERNAME", "admin".into()),
            ("KC_BOOTSTRAP_ADMIN_PASSWORD", (&password).into()),
            ("ROOMCAST_PUBLIC_URL", page_url.into()),
            ("BACKEND_CLIENT_SECRET", (&client_secret).into()),
            ("JAVA_OPTS_KC_HEAP", "-Xms128m -Xmx512m".into()),
        ],
        dir: dir.path().to_owned(),
        log: dir.path().join("log"),
        user: None,
    })?;
    // Nothing is pooled: a connection belongs to the runtime of the test that opened it.
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    let http = http.timeout(Duration::from_secs(30)).build()?;
    let inner = Inner { process, port, password, client_secret, http, _dir: dir };
    inner.wait()?;
    Ok(Keycloak(Arc::new(inner)))
}

/// Production mode over plain HTTP on loopback: it starts twice as fast as the mode for developers.
fn arguments(port: u16, management: u16) -> Vec<OsString> {
    let url = format!("http://127.0.0.1:{port}");
    [
        "start",
        "--optimized",
        "--import-realm",
        "--cache=local",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        &format!("--http-port={port}"),
        "--http-management-host=127.0.0.1",
        &format!("--http-management-port={management}"),
        // Else the issuer in tokens would follow the host of each request.
        &format!("--hostname={url}"),
    ]
    .map(OsString::from)
    .to_vec()
}

/// A home that leads to the program's files and has data of its own.
fn lay_out(program: &Path, home: &Path) -> Result<()> {
    let import = home.join("data/import");
    std::fs::create_dir_all(&import)?;
    std::fs::create_dir(home.join("bin"))?;
    // A copy and no link: the script takes the folder above it for its home.
    std::fs::copy(program.join("bin/kc.sh"), home.join("bin/kc.sh"))?;
    for name in LED_TO {
        std::os::unix::fs::symlink(program.join(name), home.join(name))?;
    }
    std::fs::copy(REALM, import.join("chat-realm.json")).context(REALM)?;
    Ok(())
}

/// Where `cargo xtask test` puts the program.
#[expect(clippy::disallowed_methods, reason = "a tool's own place is no config of the product")]
fn program() -> Result<PathBuf> {
    find_program("java", "default-jdk-headless", &[])?;
    let cache = match std::env::var_os("ROOMCAST_CACHE") {
        Some(given) => PathBuf::from(given),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?)
            .join(".cache/roomcast"),
    };
    let folder = cache.join(format!("keycloak-{RELEASE}"));
    ensure!(
        folder.join(".whole").is_file(),
        "{} is missing: cargo xtask test installs it",
        folder.display()
    );
    Ok(folder)
}

impl Inner {
    /// It listens when it has imported the realm.
    fn wait(&self) -> Result<()> {
        self.process.wait_ready(START, || Ok(accepts(self.port)))
    }
}
