//! The real parts that verbs need of the machine: found, or installed, or named with the command.
//!
//! Debian packages are installed only by root and only what is missing, and nothing installed
//! gets started: tests start their own. Tools that no package has are built once into
//! `${ROOMCAST_CACHE:-~/.cache/roomcast}/bin`.
mod keycloak;
mod sdk;
pub mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Shell};

/// A Debian package and a file that shows that it is there.
struct Package {
    name: &'static str,
    /// Paths; the last word of a folder may be `*`.
    any_of: &'static [&'static str],
}

/// What the tests run against.
const PACKAGES: [Package; 9] = [
    Package { name: "rabbitmq-server", any_of: &["/usr/sbin/rabbitmq-server"] },
    Package { name: "redis-server", any_of: &["/usr/bin/redis-server"] },
    Package { name: "postgresql", any_of: &["/usr/lib/postgresql/*/bin/postgres"] },
    Package { name: "nginx", any_of: &["/usr/sbin/nginx"] },
    Package { name: "chromium", any_of: &["/usr/bin/chromium"] },
    Package {
        name: "fonts-liberation",
        any_of: &["/usr/share/fonts/truetype/liberation", "/usr/share/fonts/truetype/liberation2"],
    },
    // For the official SDKs, the last two for Keycloak too.
    Package { name: "python3-venv", any_of: &["/usr/lib/*/ensurepip/__main__.py"] },
    Package { name: "default-jdk-headless", any_of: &["/usr/bin/javac"] },
    Package { name: "maven", any_of: &["/usr/bin/mvn"] },
];

/// The release of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";
/// The release of grpcurl that the admin tests drive; the newest that Debian's Go can build.
const GRPCURL: &str = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.1";
/// The release of buf that the proto files are checked with. It is no dependency of the page: its
/// packages for other platforms are not on every mirror, and one that is missing stops `npm ci`.
const BUF: &str = "1.75.0";
/// The release of Grafana whose model the dashboards are checked against, and its compiler.
const GRAFANA_SCHEMA: &str = "12.2.0";
const TYPESCRIPT: &str = "5.9.3";
/// Node.js that the page is built with: this or newer.
const NODE: u32 = 20;

/// Makes sure of everything that tests run against.
pub fn for_tests(shell: &Shell) -> Result<()> {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|package| !package.is_there()).map(|package| package.name).collect();
    if missing.is_empty() {
        eprintln!("parts: every Debian package is there");
    } else {
        install(shell, &missing)?;
    }
    grpcurl(shell)?;
    sdk::python(shell)?;
    sdk::java(shell)?;
    keycloak::keycloak(shell)
}

/// Makes sure of Prometheus and promtool, for the dashboards.
pub fn prometheus(shell: &Shell) -> Result<()> {
    let package = Package { name: "prometheus", any_of: &["/usr/bin/promtool"] };
    if package.is_there() { Ok(()) } else { install(shell, &[package.name]) }
}

/// Makes sure of what a Python of a tool's own is made with.
fn python_venv(shell: &Shell) -> Result<()> {
    let package = Package { name: "python3-venv", any_of: &["/usr/lib/*/ensurepip/__main__.py"] };
    if package.is_there() { Ok(()) } else { install(shell, &[package.name]) }
}

/// Makes sure of the browser.
pub fn chromium(shell: &Shell) -> Result<()> {
    let browser = |package: &&Package| ["chromium", "fonts-liberation"].contains(&package.name);
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(browser)
        .filter(|package| !package.is_there())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() { Ok(()) } else { install(shell, &missing) }
}

/// Makes sure of grpcurl; built first if it is missing, with Debian's Go if there is no other.
fn grpcurl(shell: &Shell) -> Result<()> {
    let bin = cache()?.join("bin");
    if bin.join("grpcurl").is_file() {
        return Ok(());
    }
    if shell::output(shell.command("", "go", &["version"])).is_err() {
        install(shell, &["golang-go"])?;
    }
    eprintln!("parts: building grpcurl into {}, once", bin.display());
    std::fs::create_dir_all(&bin)?;
    let mut command = shell.command("", "go", &["install", GRPCURL]);
    command.env("GOBIN", &bin).env("CGO_ENABLED", "0");
    shell::run(command)
}

/// Makes sure of a Node.js that can build the page.
pub fn node(shell: &Shell) -> Result<()> {
    let hint = format!("the page needs Node.js {NODE} or newer and npm: install them, then again");
    let version = shell::output(shell.command("", "node", &["--version"])).context(hint.clone())?;
    shell::output(shell.command("", "npm", &["--version"])).context(hint.clone())?;
    let major = version.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    if major.parse::<u32>().unwrap_or(0) < NODE {
        bail!("{hint} (found {})", version.trim());
    }
    Ok(())
}

/// The program cargo-deny; built first if it is missing, which takes minutes.
pub fn cargo_deny(shell: &Shell) -> Result<PathBuf> {
    let built = cache()?.join("bin/cargo-deny");
    if built.is_file() {
        return Ok(built);
    }
    let version = shell.command("", "cargo-deny", &["--version"]);
    if shell::output(version).is_ok_and(|text| text.contains(CARGO_DENY)) {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let root = cache()?;
    let root = root.to_str().context("the cache's path is no text")?;
    eprintln!("parts: building cargo-deny {CARGO_DENY} into {root}/bin, once");
    let args =
        ["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--quiet", "--root", root];
    shell.cargo(&args)?;
    Ok(built)
}

/// The program buf; installed first if it is missing.
pub fn buf(shell: &Shell) -> Result<PathBuf> {
    let folder = cache()?.join(format!("buf-{BUF}"));
    let program = folder.join("node_modules/.bin/buf");
    if program.is_file() {
        return Ok(program);
    }
    node(shell)?;
    std::fs::create_dir_all(&folder)?;
    let prefix = folder.to_str().context("the cache's path is no text")?;
    eprintln!("parts: installing buf {BUF} into {prefix}, once");
    let package = format!("@bufbuild/buf@{BUF}");
    let args =
        ["install", "--prefix", prefix, "--no-audit", "--no-fund", "--loglevel=error", &package];
    shell::run(shell.command("", "npm", &args))?;
    Ok(program)
}

/// Grafana's own model of a dashboard and the compiler that checks against it; installed first if
/// they are missing. A folder for sources that import it.
pub fn grafana_schema(shell: &Shell) -> Result<PathBuf> {
    let folder = cache()?.join(format!("grafana-schema-{GRAFANA_SCHEMA}"));
    if folder.join("node_modules/.bin/tsc").is_file() {
        return Ok(folder);
    }
    node(shell)?;
    std::fs::create_dir_all(&folder)?;
    let prefix = folder.to_str().context("the cache's path is no text")?;
    eprintln!("parts: installing Grafana's schema {GRAFANA_SCHEMA} into {prefix}, once");
    let (schema, compiler) =
        (format!("@grafana/schema@{GRAFANA_SCHEMA}"), format!("typescript@{TYPESCRIPT}"));
    let args = ["install", "--prefix", prefix, "--no-audit", "--no-fund", "--loglevel=error"];
    shell::run(shell.command("", "npm", &[&args[..], &[&*schema, &*compiler]].concat()))?;
    Ok(folder)
}

/// Where things built once are kept.
#[expect(clippy::disallowed_methods, reason = "a tool's own place is no config of the product")]
pub fn cache() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ROOMCAST_CACHE") {
        return Ok(PathBuf::from(given));
    }
    let home = std::env::var_os("HOME").context("neither ROOMCAST_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/roomcast"))
}

static APT: Mutex<()> = Mutex::new(());

/// Installs Debian packages, or names the command that would.
pub fn install(shell: &Shell, missing: &[&str]) -> Result<()> {
    let by_hand = format!(
        "missing: {names}\n  run as root: apt-get update && RUNLEVEL=1 apt-get install -y {names}",
        names = missing.join(" ")
    );
    let root = shell::output(shell.command("", "id", &["-u"]))?.trim() == "0";
    if !root || !Path::new("/usr/bin/apt-get").exists() {
        bail!("{by_hand}");
    }
    // Steps run beside each other, and apt takes one at a time.
    let _turn = APT.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("parts: installing {}", missing.join(" "));
    let apt = |args: &[&str]| {
        let mut command: Command = shell.command("", "apt-get", args);
        // With run level 1 no package starts its service.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        shell::run(command)
    };
    apt(&["update", "-q"]).context(by_hand.clone())?;
    let mut args = vec!["install", "-y", "-q", "--no-install-recommends"];
    args.extend(missing);
    apt(&args).context(by_hand)
}

impl Package {
    fn is_there(&self) -> bool {
        self.any_of.iter().any(|path| exists(path))
    }
}

/// Whether a path exists, one folder of which may be `*`.
fn exists(path: &str) -> bool {
    let Some((folder, rest)) = path.split_once("/*/") else { return Path::new(path).exists() };
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().join(rest).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("15/bin")).unwrap();
        let path = format!("{}/*/bin/postgres", folder.path().display());
        assert!(!exists(&path));
        std::fs::write(folder.path().join("15/bin/postgres"), "").unwrap();
        assert!(exists(&path));
    }
}
