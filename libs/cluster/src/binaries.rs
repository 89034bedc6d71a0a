//! Where the binaries under test lie: beside the test's own executable, built by `cargo xtask test`.
use std::path::PathBuf;

use anyhow::{Context, ensure};

/// The folder that cargo puts binaries into.
pub fn folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the test has no executable")?;
    // target/debug/deps/test-1234 -> target/debug
    let folder = own.parent().and_then(|deps| deps.parent()).context("no target folder")?;
    Ok(folder.to_owned())
}

/// A binary of the workspace.
pub fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(name);
    ensure!(path.is_file(), "{} is missing: cargo build --workspace --bins", path.display());
    Ok(path)
}

/// The rooms service with failpoints, built apart from the one that ships.
pub fn rooms_with_failpoints() -> anyhow::Result<PathBuf> {
    let target = folder()?;
    let path = target.parent().context("no target folder")?.join("failpoints/roomcast-rooms");
    ensure!(path.is_file(), "{} is missing: cargo xtask test builds it", path.display());
    Ok(path)
}
