//! `images`: builds every image of the Dockerfile, and looks whether each is what it promises to be.
//!
//! What the images are built from is pulled or made (`docker::stand_in`). Then each is checked: size, user, no
//! shell; and all of them run together, read-only and without capabilities, until `health` says that they
//! are well, and end with code 0 when they are asked to.
mod check;

use anyhow::Result;

use crate::docker::{Docker, stand_in};
use crate::report::Report;
use crate::shell::{self, Shell};

/// The targets of the Dockerfile.
pub const TARGETS: [&str; 6] = ["auth", "presence", "rooms", "gateway", "page", "roomcast"];
/// Images are named as compose.yaml and the chart name them.
const REPOSITORY: &str = "roomcast";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds and checks all of them; `quick` with less optimisation, in less time.
pub fn run(shell: &Shell, quick: bool) -> Result<()> {
    let docker = Docker::open(shell)?;
    build(shell, &docker, quick)?;
    let mut report = Report::new();
    for target in TARGETS {
        report.step(&format!("image {target}"), || check::image(&docker, &name(target)));
    }
    report.step("images run", || check::together(&docker));
    report.finish()
}

/// Builds all of them.
pub fn build(shell: &Shell, docker: &Docker, quick: bool) -> Result<()> {
    stand_in::need(shell, docker, &stand_in::FOR_IMAGES)?;
    let revision = shell::output(shell.command("", "git", &["rev-parse", "HEAD"]))?;
    let revision = format!("REVISION={}", revision.trim());
    let version = format!("VERSION={VERSION}");
    let profile = if quick { "PROFILE=release" } else { "PROFILE=dist" };
    for target in TARGETS {
        let mut words = vec!["buildx", "build", "--quiet", "--load", "--target", target];
        for argument in [profile, &version, &revision] {
            words.extend(["--build-arg", argument]);
        }
        let tag = name(target);
        words.extend(["--tag", &tag, "."]);
        docker.run(&words)?;
    }
    Ok(())
}

/// `roomcast/gateway:0.1.0`.
pub fn name(target: &str) -> String {
    format!("{REPOSITORY}/{target}:{VERSION}")
}
