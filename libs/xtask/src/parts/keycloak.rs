//! Keycloak, as its project publishes it on Maven Central: fetched and built for its database once.
//!
//! It lies in the cache and is never written to afterwards; each test's Keycloak has a home of its
//! own that leads there (`libs/testkit/src/parts/keycloak.rs`). A mark tells a whole installation
//! from one that broke off, which is begun anew.
use anyhow::{Context, Result};

use crate::shell::{self, Shell};

/// The release that is tested with; the tests look for the same.
const RELEASE: &str = "26.7.3";
const UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack";

/// Makes sure of Keycloak. Wants Java and Maven.
pub(super) fn keycloak(shell: &Shell) -> Result<()> {
    let cache = super::cache()?;
    let folder = cache.join(format!("keycloak-{RELEASE}"));
    let mark = folder.join(".whole");
    if mark.is_file() {
        eprintln!("parts: Keycloak {RELEASE} is there");
        return Ok(());
    }
    eprintln!("parts: installing Keycloak {RELEASE} into {}, once", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    // The archive holds a folder of that name.
    let artifact = format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{RELEASE}:zip");
    let into = format!("-DoutputDirectory={}", cache.display());
    // Maven leaves a mark of what it unpacked where it runs: that must go with the folder.
    std::fs::create_dir_all(&folder)?;
    let mut unpack = shell.command("", "mvn", &["-q", "-B", UNPACK, &artifact, &into]);
    unpack.current_dir(&folder);
    shell::run(unpack)?;
    let program = folder.join("bin/kc.sh");
    let program = program.to_str().context("the cache's path is no text")?;
    // What is built in here need not be built at each start.
    shell::run(shell.command("", program, &["build", "--db=dev-file"]))?;
    std::fs::write(&mark, "").with_context(|| mark.display().to_string())
}
