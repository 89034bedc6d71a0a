//! `k8s`: the chart on a real Kubernetes: installed, tested, upgraded and hurt under load, removed.
//!
//! The cluster is `k8s/cluster`: one node of real parts, built once into the cache, in a network of
//! its own. Without an action this verb brings it up, goes through the whole story and ends it; the
//! actions give the cluster to whoever wants to look round.
mod certificates;
mod cluster;
mod controller;
mod figures;
mod leftover;
mod load;
mod policies;
mod proxy;
mod release;
mod service_tls;
mod story;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::report::Report;
use crate::shell::{self, Shell};
use cluster::Cluster;
use release::Release;

/// What to do with a cluster.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Wish {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only the part that fits into `ci`: install, `helm test`, one upgrade under load, uninstall.
    #[arg(long)]
    short: bool,
    /// Leaves the cluster up at the end, with what is installed on it.
    #[arg(long)]
    keep: bool,
    /// One more values file for the chart, as for images of another repository.
    #[arg(long)]
    values: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Builds what is missing, and starts the cluster.
    Up,
    /// Ends the cluster and removes all its state.
    Down,
    /// Copies images of the local Docker daemon into the node.
    Load { images: Vec<String> },
    /// Runs a command in the cluster's network: `kubectl …`, `helm …`, `curl …`.
    Exec {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Shows the last lines of each part's log.
    Logs,
}

/// Runs the verb.
pub fn run(shell: &Shell, wish: &Wish) -> Result<()> {
    let cluster = Cluster::new(shell);
    let words = |verb: &str, rest: &[String]| {
        let mut words = vec![verb.to_owned()];
        words.extend_from_slice(rest);
        cluster.script(&words)
    };
    match &wish.action {
        Some(Action::Up) => words("up", &[]),
        Some(Action::Down) => words("down", &[]),
        Some(Action::Load { images }) => words("load", images),
        Some(Action::Exec { command }) if command.first().is_some_and(|first| first == "helm") => {
            shell::run(cluster.helm(&command[1..])?)
        }
        Some(Action::Exec { command }) => words("exec", command),
        Some(Action::Logs) => words("logs", &[]),
        None => {
            let mut report = Report::new();
            story::play(&cluster, wish, &mut report);
            report.finish()
        }
    }
}

/// The short story as steps of `ci` where `ROOMCAST_K8S` is set, which builds the cluster's programs
/// too; skipped without the images.
#[expect(clippy::disallowed_methods, reason = "a tool's own switch is no config of the product")]
pub fn in_ci(shell: &Shell, report: &mut Report) {
    let cluster = Cluster::new(shell);
    let wish = Wish { action: None, short: true, keep: false, values: None };
    if std::env::var_os("ROOMCAST_K8S").is_none() {
        report.skip("cluster", "ROOMCAST_K8S=1 asks for it; it takes some six minutes");
        return;
    }
    let images = Release::new(&cluster, None).images().unwrap_or_default();
    if images.is_empty() || !cluster.docker_has(&images) {
        report.skip("cluster", "its images are not built; see `cargo xtask images`");
        return;
    }
    story::play(&cluster, &wish, report);
}
