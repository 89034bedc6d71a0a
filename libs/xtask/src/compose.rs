//! `compose`: brings compose.yaml up as it stands, and lets two people talk while its parts die.
//!
//! It is a project of its own with secrets of its own, on the ports that the file names, and goes away at
//! the end with its volumes. Each death is a SIGKILL of one container; the browser test has to pass while it
//! is away. A profile has a story of its own.
mod profile;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::docker::{Docker, stand_in, wait};
use crate::report::Report;
use crate::shell::{self, Shell};
use crate::{env, images, parts, web};

pub use profile::Profile;

const PROJECT: &str = "roomcast-test";
const URL: &str = "http://localhost:8080";
/// From the images being there to all being well, seconds.
const UP_S_MAX: &str = "120";
/// Until what was killed is well again.
const BACK_MAX: Duration = Duration::from_secs(60);
/// Killed one after the other, as Docker Compose names containers.
const VICTIMS: [&str; 3] = ["gateway-1-1", "rooms-1", "rabbitmq-1"];
/// Services that have to end with code 0 when they are asked to.
const OURS: [&str; 7] =
    ["gateway-0", "gateway-1", "gateway-2", "rooms", "presence", "auth", "page"];

/// Builds the images unless they are there, and runs everything, or one of the profiles; `keep` leaves
/// it running.
pub fn run(shell: &Shell, profile: Option<Profile>, keep: bool) -> Result<()> {
    let docker = Docker::open(shell)?;
    if !images::TARGETS.iter().all(|target| docker.has(&images::name(target))) {
        images::build(shell, &docker, true)?;
    }
    stand_in::need(shell, &docker, &stand_in::FOR_IMAGES[2..])?;
    stand_in::need(shell, &docker, &stand_in::FOR_COMPOSE)?;
    web::install(shell)?;
    parts::chromium(shell)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("env");
    env::write(shell, &file)?;
    let mut system = System { shell, docker: &docker, file: &file, url: URL, overlay: None };
    let (mut services, mut limit) = (Vec::new(), UP_S_MAX);
    if let Some(profile) = profile {
        (services, limit) = (profile.services(shell, &docker)?, profile.up_s_max());
        profile.settings(&file)?;
        (system.url, system.overlay) = (profile.url(), profile.overlay());
    }
    // What an earlier run has kept holds other secrets.
    system.remove()?;
    let mut report = Report::new();
    if report.step("compose up", || system.up(&services, limit)) {
        match profile {
            Some(profile) => profile.steps(&system, &mut report),
            None => system.steps(&mut report),
        }
        if !keep {
            report.step("compose stop", || system.stop());
        }
    }
    if keep {
        std::fs::copy(&file, shell.target().join("compose.env")).context("target/compose.env")?;
        docker.leave();
    } else {
        system.remove()?;
    }
    report.finish()
}

/// The project, and the file with its secrets.
struct System<'a> {
    shell: &'a Shell,
    docker: &'a Docker,
    file: &'a Path,
    /// What browsers open.
    url: &'static str,
    /// A file that is laid over compose.yaml.
    overlay: Option<&'static str>,
}

impl System<'_> {
    fn words<'a>(&'a self, words: &[&'a str]) -> Result<Vec<&'a str>> {
        let file = self.file.to_str().context("the folder's path is no text")?;
        let mut all = vec!["compose", "--project-name", PROJECT, "--env-file", file];
        if let Some(overlay) = self.overlay {
            all.extend(["--file", "compose.yaml", "--file", overlay]);
        }
        all.extend(words);
        Ok(all)
    }

    fn compose(&self, words: &[&str]) -> Result<()> {
        self.docker.run(&self.words(words)?)
    }

    /// Ends what runs of the project, and removes it with its volumes.
    fn remove(&self) -> Result<()> {
        self.compose(&["--profile", "*", "down", "--volumes", "--timeout", "5"])
    }

    /// Starts these services and what they need; none: all that belong to no profile.
    fn up(&self, services: &[&str], limit: &str) -> Result<()> {
        let begun = Instant::now();
        let words = ["up", "--detach", "--wait", "--wait-timeout", limit, "--pull", "never"];
        let ended = self.compose(&[&words[..], &["--no-build", "--quiet-pull"], services].concat());
        println!("compose: {:.0} s", begun.elapsed().as_secs_f64());
        if ended.is_err() {
            self.compose(&["ps", "--all"])?;
            self.compose(&["logs", "--tail", "15"])?;
        }
        ended
    }

    /// What has to hold without a profile.
    fn steps(&self, report: &mut Report) {
        report.step("browser", || self.browser());
        for victim in VICTIMS {
            report.step(&format!("browser without {victim}"), || self.without(victim));
        }
    }

    /// The browser test, with the secrets of this project.
    fn browser(&self) -> Result<()> {
        let words = ["run", "--silent", "e2e", "--", "--config", "playwright.compose.config.ts"];
        let mut command = self.shell.command("web", "npm", &words);
        command.env("ROOMCAST_URL", self.url);
        let secrets = std::fs::read_to_string(self.file)?;
        command.envs(secrets.lines().filter_map(|line| line.split_once('=')).filter(people));
        shell::run(command)
    }

    /// The same while a container is dead; it lives again, and is well, afterwards.
    fn without(&self, victim: &str) -> Result<()> {
        let victim = format!("{PROJECT}-{victim}");
        self.docker.output(&["kill", "--signal", "KILL", &victim])?;
        let passed = self.browser();
        self.docker.output(&["start", &victim])?;
        let health = ["inspect", "--format", "{{.State.Health.Status}}", &victim];
        wait(BACK_MAX, &victim, || Ok(self.docker.output(&health)? == "healthy"))?;
        passed
    }

    /// Asks all to end, and looks how ours did.
    fn stop(&self) -> Result<()> {
        self.compose(&["stop"])?;
        for service in OURS {
            let list = self.docker.output(&self.words(&["ps", "--all", "--quiet", service])?)?;
            ensure!(!list.is_empty(), "{service} has no container");
            for container in list.lines() {
                let code = ["inspect", "--format", "{{.State.ExitCode}}", container];
                let code = self.docker.output(&code)?;
                if code != "0" {
                    self.docker.run(&["logs", "--tail", "10", container])?;
                    bail!("{service} ended with code {code}");
                }
            }
        }
        Ok(())
    }
}

/// What the browser has to type.
fn people((name, _): &(&str, &str)) -> bool {
    matches!(*name, "ANN_PASSWORD" | "BEN_PASSWORD")
}
