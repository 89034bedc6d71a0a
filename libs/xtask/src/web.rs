//! The page: dependencies by `npm ci`, then the build, each only if its inputs changed.
//!
//! What an output was made from is kept as a stamp (a hash of the inputs) beside it, so a second
//! run costs milliseconds and a changed file is never missed.
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result};

use crate::parts;
use crate::shell::Shell;

/// Installs what `package-lock.json` says.
pub fn install(shell: &Shell) -> Result<()> {
    parts::node(shell)?;
    let inputs = ["web/package-lock.json".to_owned(), "web/package.json".to_owned()];
    let stamp = shell.root().join("web/node_modules/.stamp");
    unless_made(shell, &inputs, &stamp, "web/node_modules", || {
        shell.npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])
    })
}

/// Builds the page into `web/dist`.
pub fn build(shell: &Shell) -> Result<()> {
    install(shell)?;
    let inputs = shell.files("web")?;
    let stamp = shell.target().join("xtask/web.stamp");
    unless_made(shell, &inputs, &stamp, "web/dist/index.html", || shell.npm(&["run", "build"]))
}

fn unless_made(
    shell: &Shell,
    inputs: &[String],
    stamp: &Path,
    made: &str,
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let now = hash(shell.root(), inputs)?;
    let before = std::fs::read_to_string(stamp).unwrap_or_default();
    if before == now && shell.root().join(made).exists() {
        eprintln!("web: {made} is up to date");
        return Ok(());
    }
    make()?;
    if let Some(folder) = stamp.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(stamp, now).with_context(|| stamp.display().to_string())
}

fn hash(root: &Path, files: &[String]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(root.join(file)).with_context(|| file.clone())?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_changes_with_a_name_and_with_a_content() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        write("a", "1");
        write("b", "1");
        let of = |name: &str| hash(root.path(), &[name.to_owned()]).unwrap();
        let before = of("a");
        assert_ne!(before, of("b"));
        write("a", "2");
        assert_ne!(before, of("a"));
        write("a", "1");
        assert_eq!(before, of("a"));
    }
}
