//! The official images that the Dockerfile and compose.yaml name: there, or pulled, or made.
//!
//! Where no registry can be reached, an image of the same name is made from Debian's packages by the files in
//! `libs/xtask/images`. Such a stand-in has the account, the folders and the variables that we use, and
//! is not the official image: a release is built where the registry can be reached.
use std::path::Path;

use anyhow::{Context, Result};

use super::Docker;
use crate::parts::{self, tools};
use crate::shell::{self, Shell};

const FOLDER: &str = "libs/xtask/images";
/// Keycloak that its stand-in is made of; Maven Central has its distribution.
const KEYCLOAK: &str = "26.7.3";

/// What the images are built from.
pub const FOR_IMAGES: [&str; 3] = ["node:20-slim", "rust:1.95-bookworm", "nginx:1.26"];
/// What else compose.yaml runs, without its profiles.
pub const FOR_COMPOSE: [&str; 4] =
    ["rabbitmq:4-management", "redis:8", "postgres:17", "keycloak/keycloak:26.7"];

/// Makes sure of each of these images.
pub fn need(shell: &Shell, docker: &Docker, images: &[&str]) -> Result<()> {
    for image in images {
        if docker.has(image) {
            continue;
        }
        if docker.output(&["pull", "--quiet", image]).is_ok() {
            eprintln!("docker: pulled {image}");
            continue;
        }
        eprintln!("docker: {image} cannot be pulled; making a stand-in from Debian's packages");
        make(shell, docker, image).with_context(|| format!("a stand-in for {image}"))?;
    }
    Ok(())
}

fn make(shell: &Shell, docker: &Docker, image: &str) -> Result<()> {
    let suite = if image.starts_with("rust:") { "bookworm" } else { "trixie" };
    base(shell, docker, suite)?;
    let name = image.rsplit('/').next().unwrap_or(image).split(':').next().unwrap_or(image);
    let file = format!("{FOLDER}/{name}.Dockerfile");
    let build = |context: &str| {
        docker.run(&["buildx", "build", "--quiet", "--tag", image, "--file", &file, context])
    };
    match name {
        "rust" => {
            let toolchain = shell.command("", "rustc", &["--print", "sysroot"]);
            build(shell::output(toolchain)?.trim())
        }
        "traefik" | "pebble" | "jaeger" => {
            let folder = tempfile::tempdir()?;
            std::fs::copy(tools::go_tool(shell, name)?, folder.path().join(name))?;
            if name == "pebble" {
                let certificates = tools::go_files(shell, name)?.join("test/certs");
                for file in ["localhost/cert.pem", "localhost/key.pem", "pebble.minica.pem"] {
                    let from = certificates.join(file);
                    let file_name = from.file_name().context("no file name")?;
                    std::fs::copy(&from, folder.path().join(file_name))?;
                }
            }
            build(&folder.path().to_string_lossy())
        }
        "keycloak" => {
            let folder = tempfile::tempdir()?;
            keycloak(shell, folder.path())?;
            build(&folder.path().to_string_lossy())
        }
        _ => build(FOLDER),
    }
}

/// Debian itself, by debootstrap.
fn base(shell: &Shell, docker: &Docker, suite: &str) -> Result<()> {
    if docker.has(&format!("debian:{suite}-slim")) {
        return Ok(());
    }
    if !Path::new("/usr/sbin/debootstrap").exists() {
        parts::install(shell, &["debootstrap"])?;
    }
    shell::run(shell.command("", &format!("{FOLDER}/debian.sh"), &[suite]))
}

/// Keycloak's distribution, unpacked as `keycloak` in a folder; the archive is kept in the cache.
fn keycloak(shell: &Shell, folder: &Path) -> Result<()> {
    let cache = parts::cache()?;
    let archive = cache.join(format!("keycloak-quarkus-dist-{KEYCLOAK}.zip"));
    if !archive.is_file() {
        let artifact = format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip");
        let into = format!("-DoutputDirectory={}", cache.display());
        let copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
        shell::run(shell.command("", "mvn", &["-q", "-B", copy, &artifact, &into]))?;
    }
    let into = folder.to_str().context("the folder's path is no text")?;
    let archive = archive.to_str().context("the cache's path is no text")?;
    shell::run(shell.command("", "unzip", &["-q", archive, "-d", into]))?;
    std::fs::rename(folder.join(format!("keycloak-{KEYCLOAK}")), folder.join("keycloak"))?;
    Ok(())
}
