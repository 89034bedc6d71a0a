//! The test cluster as Rust sees it: its script, and commands inside its network.
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::docker::{Docker, stand_in};
use crate::parts;
use crate::shell::{self, Shell};

const SCRIPT: &str = "k8s/cluster/cluster.sh";

/// The one cluster of this checkout; its state is in `target/k8s`.
pub struct Cluster<'a> {
    shell: &'a Shell,
}

impl<'a> Cluster<'a> {
    /// Starts nothing.
    pub fn new(shell: &'a Shell) -> Self {
        Self { shell }
    }

    /// Where its commands run.
    pub fn shell(&self) -> &'a Shell {
        self.shell
    }

    /// The folder of its state: config, keys, logs.
    pub fn state(&self) -> PathBuf {
        self.shell.target().join("k8s")
    }

    /// Runs the script.
    pub fn script<S: AsRef<str>>(&self, words: &[S]) -> Result<()> {
        shell::run(self.command(words))
    }

    /// Helm in the cluster's network, not yet run; it is built first if it is missing.
    pub fn helm<S: AsRef<str>>(&self, args: &[S]) -> Result<Command> {
        let program = parts::tools::go_tool(self.shell, "helm")?;
        Ok(self.exec(&program.to_string_lossy(), args))
    }

    /// Helm outside of it, for what needs no cluster.
    pub fn helm_here<S: AsRef<str>>(&self, args: &[S]) -> Result<Command> {
        let program = parts::tools::go_tool(self.shell, "helm")?;
        Ok(self.shell.command("", &program.to_string_lossy(), args))
    }

    /// Whether the local Docker daemon has all these images.
    pub fn docker_has(&self, images: &[String]) -> bool {
        let Ok(docker) = Docker::open(self.shell) else { return false };
        let has = |image: &String| {
            shell::output(docker.command(&["image", "inspect", "--format", "{{.Id}}", image]))
                .is_ok()
        };
        images.iter().all(has)
    }

    /// A command in the cluster's network, not yet run.
    pub fn exec<S: AsRef<str>>(&self, program: &str, args: &[S]) -> Command {
        let mut words = vec!["exec", program];
        words.extend(args.iter().map(AsRef::as_ref));
        self.command(&words)
    }

    /// What kubectl prints.
    pub fn kubectl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        shell::output(self.exec("kubectl", args))
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        self.read_by(&["apply", "-f", "-"], manifest)
    }

    /// Applies a manifest all of whose objects belong into a namespace.
    pub fn apply_in(&self, namespace: &str, manifest: &str) -> Result<()> {
        self.read_by(&["apply", "-f", "-", "-n", namespace], manifest)
    }

    /// Deletes what a manifest names, and waits until it is gone.
    pub fn delete(&self, manifest: &str) -> Result<()> {
        self.read_by(&["delete", "--ignore-not-found", "--timeout=60s", "-f", "-"], manifest)
    }

    /// A verb of kubectl that reads a manifest.
    fn read_by(&self, verb: &[&str], manifest: &str) -> Result<()> {
        let mut command = self.exec("kubectl", verb);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut input = child.stdin.take().context("kubectl has no input")?;
        input.write_all(manifest.as_bytes())?;
        drop(input);
        let status = child.wait()?;
        if status.success() { Ok(()) } else { bail!("kubectl {}: {status}", verb[0]) }
    }

    /// Copies those images into the node that are not there yet.
    pub fn load(&self, images: &[String]) -> Result<()> {
        let there = shell::output(self.command(&["loaded"]))?;
        let has = |image: &str| {
            let (name, official) =
                (format!("docker.io/{image}"), format!("docker.io/library/{image}"));
            there.lines().any(|line| line == image || line == name || line == official)
        };
        let mut words = vec!["load"];
        words.extend(images.iter().map(String::as_str).filter(|image| !has(image)));
        if words.len() == 1 {
            return Ok(());
        }
        // Where no daemon runs, one is started for as long as it is needed.
        let docker = Docker::open(self.shell)?;
        let official = stand_in::FOR_IMAGES.into_iter().chain(stand_in::FOR_COMPOSE);
        let official: Vec<&str> = official.filter(|image| words.contains(image)).collect();
        stand_in::need(self.shell, &docker, &official)?;
        self.script(&words)
    }

    /// Gives images of the node another tag, beside the one that they have.
    pub fn tag(&self, images: &[String], tag: &str) -> Result<()> {
        let mut words = vec!["tag", tag];
        words.extend(images.iter().map(String::as_str));
        self.script(&words)
    }

    fn command<S: AsRef<str>>(&self, words: &[S]) -> Command {
        let mut command = self.shell.command("", "bash", &[SCRIPT]);
        command.args(words.iter().map(AsRef::as_ref));
        command.env("STATE", self.state());
        command
    }
}
