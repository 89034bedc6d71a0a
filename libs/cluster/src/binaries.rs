//! Where the binaries under test lie: beside this executable, built by `cargo xtask test` or `bench`.
use std::path::PathBuf;

use anyhow::{Context, ensure};

/// The folder that cargo puts binaries into.
pub fn folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the test has no executable")?;
    let folder = own.parent().context("no target folder")?;
    // A test is target/debug/deps/test-1234, a binary target/release/roomcast-cluster.
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    Ok(folder.context("no target folder")?.to_owned())
}

/// A binary of the workspace.
pub fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(name);
    ensure!(path.is_file(), "{} is missing: cargo build --workspace --bins", path.display());
    Ok(path)
}

/// Another version, which the tests are asked to upgrade from (`cargo xtask upgrade`).
#[derive(Debug, Clone)]
pub struct OtherVersion {
    /// The folder of its binaries.
    pub folder: PathBuf,
    /// Whether it has to work on what the newer one has left, too.
    pub and_back: bool,
}

/// See [`OtherVersion`]; `None` if nobody asked.
#[expect(clippy::disallowed_methods, reason = "a wish of whoever runs the tests, no configuration")]
pub fn other_version() -> anyhow::Result<Option<OtherVersion>> {
    let Some(folder) = std::env::var_os("ROOMCAST_UPGRADE_FROM") else { return Ok(None) };
    let folder = PathBuf::from(folder).canonicalize().context("ROOMCAST_UPGRADE_FROM")?;
    let and_back = std::env::var_os("ROOMCAST_UPGRADE_ONE_WAY").is_none();
    Ok(Some(OtherVersion { folder, and_back }))
}

/// The rooms service with failpoints, built apart from the one that ships.
pub fn rooms_with_failpoints() -> anyhow::Result<PathBuf> {
    let target = folder()?;
    let path = target.parent().context("no target folder")?.join("failpoints/roomcast-rooms");
    ensure!(path.is_file(), "{} is missing: cargo xtask test builds it", path.display());
    Ok(path)
}
