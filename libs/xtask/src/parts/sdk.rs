//! The official SDKs that tests run, as their users install them: from PyPI and from Maven Central.
//!
//! Each list of packages lies beside the stories in `libs/cluster/sdk`. It is installed once, into a
//! folder of the cache whose name holds the list's hash; the tests compute the same name. A folder
//! gets its name when it is whole, so that a broken installation is begun anew.
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};

use crate::shell::{self, Shell};

const PYTHON_LIST: &str = "libs/cluster/sdk/python/requirements.txt";
const JAVA_LIST: &str = "libs/cluster/sdk/java/pom.xml";

/// Makes sure of a Python of its own with the Python SDK.
pub(super) fn python(shell: &Shell) -> Result<()> {
    once(shell, "python", PYTHON_LIST, |folder| {
        shell::run(shell.command("", "/usr/bin/python3", &["-m", "venv", folder]))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        let python = format!("{folder}/bin/python");
        shell::run(shell.command("", &python, &[&pip[..], &[PYTHON_LIST]].concat()))
    })
}

/// Makes sure of the Java SDK's archives.
pub(super) fn java(shell: &Shell) -> Result<()> {
    once(shell, "java", JAVA_LIST, |folder| {
        let into = format!("-DoutputDirectory={folder}");
        let args = ["-q", "-B", "-f", JAVA_LIST, "dependency:copy-dependencies", &into];
        shell::run(shell.command("", "mvn", &args))
    })
}

/// Installs what a list names, unless that was done before.
fn once(
    shell: &Shell,
    kind: &str,
    list: &str,
    install: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let text = std::fs::read_to_string(shell.root().join(list)).context(list.to_owned())?;
    let folder = super::cache()?.join(name(kind, &text));
    if folder.is_dir() {
        return Ok(());
    }
    let begun = folder.with_extension("new");
    if begun.exists() {
        std::fs::remove_dir_all(&begun)?;
    }
    eprintln!("parts: installing {list} into {}, once", folder.display());
    std::fs::create_dir_all(&begun)?;
    install(begun.to_str().context("the cache's path is no text")?)?;
    std::fs::rename(&begun, &folder).with_context(|| folder.display().to_string())
}

/// The folder for a list of packages.
pub(super) fn name(kind: &str, list: &str) -> String {
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    format!("sdk-{kind}-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_list_has_another_folder() {
        let one = name("python", "a==1\n");
        assert_eq!(one, name("python", "a==1\n"));
        assert_ne!(one, name("python", "a==2\n"));
        assert!(one.starts_with("sdk-python-"));
    }
}
