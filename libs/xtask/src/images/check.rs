//! Whether the images are what they promise: small, without root or shell, well, and ending when asked.
//!
//! The services run together on a network of their own, on SQLite and memory and without a broker, which is as
//! much as they need to be ready. That they work on real parts is for `compose` to show.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{TARGETS, name};
use crate::docker::{Docker, wait};

const BYTES_MAX: u64 = 40_000_000;
const USER: &str = "65532:65532";
/// None of these is in an image, wherever it may lie.
const FORBIDDEN: [&str; 9] =
    ["sh", "bash", "dash", "busybox", "apt-get", "dpkg", "apk", "perl", "curl"];
const READY_MAX: Duration = Duration::from_secs(30);
/// Seconds that a container gets to end; the gateway's drain is the longest.
const GRACE_S: &str = "60";

/// Looks at one image without running it.
pub fn image(docker: &Docker, image: &str) -> Result<()> {
    let inspect = |format: &str| docker.output(&["image", "inspect", "--format", format, image]);
    let bytes: u64 = inspect("{{.Size}}")?.parse().context("its size")?;
    println!("{image}: {:.1} MB", bytes as f64 / 1e6);
    ensure!(bytes < BYTES_MAX, "{image} has {bytes} bytes");
    let user = inspect("{{.Config.User}}")?;
    ensure!(user == USER, "{image} runs as {user:?}");
    ensure!(inspect("{{json .Config.Healthcheck}}")? != "null", "{image} has no health check");
    let revision = inspect(r#"{{index .Config.Labels "org.opencontainers.image.revision"}}"#)?;
    ensure!(revision.len() == 40, "{image} does not say what it was built from");
    let found: Vec<String> = files(docker, image)?.into_iter().filter(|f| forbidden(f)).collect();
    ensure!(found.is_empty(), "{image} holds {}", found.join(", "));
    Ok(())
}

/// Every path in an image.
fn files(docker: &Docker, image: &str) -> Result<Vec<String>> {
    let container = docker.output(&["create", image])?;
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("image.tar");
    let archive = archive.to_str().context("the folder's path is no text")?;
    let exported = docker.output(&["export", "--output", archive, &container]);
    docker.output(&["rm", &container])?;
    exported?;
    let list = std::process::Command::new("tar").args(["-tf", archive]).output()?;
    let read = list.status.success() && !list.stdout.is_empty();
    anyhow::ensure!(read, "the files of {image} cannot be listed");
    Ok(String::from_utf8_lossy(&list.stdout).lines().map(str::to_owned).collect())
}

fn forbidden(path: &str) -> bool {
    FORBIDDEN.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// Runs all of them, and ends them.
pub fn together(docker: &Docker) -> Result<()> {
    let network = format!("roomcast-images-{}", std::process::id());
    docker.output(&["network", "create", &network])?;
    let ended = TARGETS.iter().try_for_each(|target| up(docker, &network, target));
    let ended = ended.and_then(|()| {
        // Who asks others goes before them.
        TARGETS.iter().rev().try_for_each(|target| down(docker, &network, target))
    });
    for target in TARGETS {
        // One that never came up is not there.
        let _ = docker.output(&["rm", "--force", &container(&network, target)]);
    }
    docker.output(&["network", "rm", &network])?;
    ended
}

fn container(network: &str, target: &str) -> String {
    format!("{network}-{target}")
}

fn up(docker: &Docker, network: &str, target: &str) -> Result<()> {
    let (container, image) = (container(network, target), name(target));
    let bare = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let mut words = vec!["run", "--detach", "--network", network, "--network-alias", target];
    words.extend(["--name", &container, "--tmpfs", "/tmp:mode=1777"]);
    words.extend(bare);
    for variable in environment(target) {
        words.extend(["--env", variable]);
    }
    words.push(&image);
    let begun = Instant::now();
    docker.output(&words)?;
    let program = match target {
        "roomcast" => "/usr/bin/roomcast".to_owned(),
        other => format!("/usr/bin/roomcast-{other}"),
    };
    let well = || Ok(docker.output(&["exec", &container, &program, "health"]).is_ok());
    let ready = wait(READY_MAX, target, well);
    if ready.is_err() {
        eprintln!("{}", docker.output(&["logs", "--tail", "20", &container])?);
    }
    println!("{target}: well {} ms after `docker run`", begun.elapsed().as_millis());
    ready
}

fn down(docker: &Docker, network: &str, target: &str) -> Result<()> {
    let container = container(network, target);
    let begun = Instant::now();
    docker.output(&["stop", "--time", GRACE_S, &container])?;
    let code = docker.output(&["inspect", "--format", "{{.State.ExitCode}}", &container])?;
    println!("{target}: ended {} ms after SIGTERM, code {code}", begun.elapsed().as_millis());
    if code != "0" {
        eprintln!("{}", docker.output(&["logs", "--tail", "20", &container])?);
        bail!("{target} ended with code {code}");
    }
    Ok(())
}

/// As much config as lets a service be ready without other parts.
fn environment(target: &str) -> Vec<&'static str> {
    let (auth, rooms, presence, bus) = (
        "ROOMCAST_RPC__AUTH=http://auth:50051",
        "ROOMCAST_RPC__ROOMS=http://rooms:50051",
        "ROOMCAST_RPC__PRESENCE=http://presence:50051",
        "ROOMCAST_BUS__ADDRESSES=amqp://nobody:nothing@127.0.0.1:9/",
    );
    match target {
        "presence" => {
            vec![bus, "ROOMCAST_PRESENCE__STORE=memory", "ROOMCAST_PRESENCE__LISTEN=0.0.0.0:50051"]
        }
        "rooms" => vec![
            auth,
            presence,
            bus,
            "ROOMCAST_ROOMS__DATABASE=sqlite:///tmp/rooms.db",
            "ROOMCAST_ROOMS__LISTEN=0.0.0.0:50051",
        ],
        "gateway" => vec![auth, rooms, presence, bus, "ROOMCAST_GATEWAY__DRAIN__ACCEPT_MS=0"],
        "page" => vec![
            "ROOMCAST_PAGE_ISSUER=https://id.example.com/realms/chat",
            "ROOMCAST_PAGE_CLIENT_ID=frontend",
        ],
        "roomcast" => vec!["ROOMCAST_ROOMCAST__DATA_DIR=/tmp/data"],
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    #[test]
    fn a_shell_is_found_wherever_it_lies() {
        assert!(forbidden("usr/local/bin/busybox") && forbidden("bin/sh") && forbidden("sh"));
        assert!(!forbidden("usr/bin/roomcast") && !forbidden("srv/page/assets/index-sh.js"));
    }
}
