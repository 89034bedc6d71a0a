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

/// The rooms service with failpoints, built apart from the one that ships.
pub fn rooms_with_failpoints() -> anyhow::Result<PathBuf> {
    let target = folder()?;
    let path = target.parent().context("no target folder")?.join("failpoints/roomcast-rooms");
    ensure!(path.is_file(), "{} is missing: cargo xtask test builds it", path.display());
    Ok(path)
}
