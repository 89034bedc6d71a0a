//! Where parts live: one directory for a test process, ports that nobody else holds, and the janitor.
//!
//! The janitor is a small shell whose standard input is held by the test process. When that process
//! ends, however it ends, the janitor kills whatever still has its working directory in the test
//! process's directory and removes the directory. It signals nothing else.
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, anyhow};
use rand::RngExt;

/// Below the range from which the kernel gives ports to outgoing connections.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
const PORT_TRIES: usize = 200;

/// `$1` is the directory. Some programs write for a moment after their parent's death, so it looks
/// several times.
const JANITOR: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
for round in 1 2 3 4 5; do
  for p in /proc/[0-9]*; do
    case "$(readlink "$p/cwd" 2>/dev/null)" in "$1"/*) kill -9 "${p#/proc/}" 2>/dev/null ;; esac
  done
  rm -rf -- "$1" 2>/dev/null
  sleep 0.3
done
"#;

struct Ground {
    path: PathBuf,
    /// Holds the pipe that the janitor reads. Never dropped: the statics of a process are not.
    _janitor: Child,
}

/// A part's own directory. Removed on drop.
#[derive(Debug)]
pub(super) struct PartDir(PathBuf);

impl PartDir {
    /// Makes a directory for a part of this name.
    pub(super) fn new(part: &str) -> Result<Self> {
        let path = ground()?.join(format!("{part}-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PartDir {
    fn drop(&mut self) {
        // A part that dies may still write; the janitor removes what is left in the end.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A port of 127.0.0.1 that nobody listens on now, and that this process is given only once.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..PORT_TRIES {
        let port = rand::rng().random_range(PORTS);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    Err(anyhow!("no free port found in {PORTS:?}"))
}

fn ground() -> Result<&'static Path> {
    static GROUND: OnceLock<std::result::Result<Ground, String>> = OnceLock::new();
    match GROUND.get_or_init(|| make_ground().map_err(|error| format!("{error:#}"))) {
        Ok(ground) => Ok(&ground.path),
        Err(error) => Err(anyhow!("{error}")),
    }
}

fn make_ground() -> Result<Ground> {
    let path = tempfile::Builder::new().prefix("roomcast-test-").tempdir()?.keep();
    // PostgreSQL runs as another user when the tests run as root, and must pass through.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let janitor = Command::new("sh")
        .args(["-c", JANITOR, "janitor"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own group: an interrupt from the keyboard ends the tests, not their janitor.
        .process_group(0)
        .spawn()
        .context("cannot start sh")?;
    Ok(Ground { path, _janitor: janitor })
}
