//! The verbs of this repository: `cargo xtask up | test | ci | gen | tidy | bench | chart | dashboards |
//! tools | env | images | compose | k8s | signin | faults | fuzz | autobahn | upgrade`.
//!
//! One file a verb. What a verb needs of the machine is found or installed by `parts`, and each
//! command that is run is shown before it runs, so that it can be repeated by hand.
mod autobahn;
mod bench;
mod chart;
mod ci;
mod compose;
mod dashboards;
mod docker;
mod env;
mod faults;
mod fuzz;
mod r#gen;
mod images;
mod k8s;
mod parts;
mod report;
mod shell;
mod signin;
mod test;
mod tidy;
mod up;
mod upgrade;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use shell::Shell;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and checks roomcast")]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Builds the page and the all-in-one binary, and runs it.
    Up {
        /// Builds what is fast to run instead of what is fast to build.
        #[arg(long)]
        release: bool,
        /// Goes to `roomcast serve`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Every test: Rust, page, browser; against real RabbitMQ, Redis and PostgreSQL.
    Test {
        /// Goes to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Everything that a change has to pass.
    Ci,
    /// Writes the generated reference pages, or checks that they are up to date.
    Gen {
        /// Changes nothing; fails if a page is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Checks layers, names, sizes and words.
    Tidy,
    /// Measures: builds for speed, loads fresh systems, holds the figures against goals.
    Bench {
        /// Only scenarios and shapes with one of these in their names, as `idle processes-3`.
        only: Vec<String>,
    },
    /// The Helm chart: schemas, manifests, unit tests; and Dockerfiles, workflows, scripts.
    Chart {
        /// Writes what is generated instead of comparing it.
        #[arg(long)]
        write: bool,
    },
    /// Makes sure of the tools that check what is no Rust, and says where they are.
    Tools,
    /// Dashboards and alert rules: every query against a real Prometheus that scrapes real load.
    Dashboards {
        /// Runs the binaries of `target/PROFILE`, which must be built.
        #[arg(long, default_value = "debug")]
        profile: String,
    },
    /// The fault tests in many rounds, against real processes.
    Faults {
        /// How often.
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        /// Only tests with one of these in their names.
        only: Vec<String>,
    },
    /// Another version's services are replaced by this one's under load, and put back.
    Upgrade {
        /// The other version: a tag, a branch or a commit.
        #[arg(long)]
        from: String,
        /// Does not put it back: for a version that is too old for the schema of this one.
        #[arg(long)]
        one_way: bool,
    },
    /// The targets of `libs/fuzz` under libFuzzer.
    Fuzz(fuzz::Wish),
    /// Writes a `.env` with random secrets for compose.yaml.
    Env,
    /// Builds every image of the Dockerfile, and checks that each is what it promises to be.
    Images {
        /// With less optimisation, in less time.
        #[arg(long)]
        quick: bool,
    },
    /// Brings compose.yaml up, and lets two people talk in browsers while its parts die.
    Compose {
        /// Another story: what one of the file's profiles adds.
        #[arg(long)]
        profile: Option<compose::Profile>,
        /// Leaves it running; its secrets are in target/compose.env.
        #[arg(long)]
        keep: bool,
    },
    /// Two people in browsers who sign in at a real Keycloak, with tokens of ten seconds.
    Signin {
        /// How long they chat.
        #[arg(long, default_value_t = 300)]
        seconds: u32,
    },
    /// The Autobahn suite against a socket that echoes.
    Autobahn {
        /// Only such cases, as `1.*`.
        only: Vec<String>,
    },
    /// The chart on a real one-node Kubernetes: installed, tested, upgraded and hurt under load.
    K8s(k8s::Wish),
}

fn main() -> ExitCode {
    let shell = Shell::new();
    let ended = match CommandLine::parse().verb {
        Verb::Up { release, args } => up::run(&shell, release, &args),
        Verb::Test { args } => test::run(&shell, &args),
        Verb::Ci => ci::run(&shell),
        Verb::Gen { check } => r#gen::run(&shell, check),
        Verb::Tidy => tidy::run(&shell),
        Verb::Bench { only } => bench::run(&shell, &only),
        Verb::Chart { write } => chart::run(&shell, write),
        Verb::Tools => parts::tools::show(&shell),
        Verb::Dashboards { profile } => dashboards::run(&shell, &profile),
        Verb::Faults { rounds, only } => faults::run(&shell, rounds, &only),
        Verb::Upgrade { from, one_way } => upgrade::run(&shell, &from, one_way),
        Verb::Fuzz(wish) => fuzz::run(&shell, &wish),
        Verb::Env => env::run(&shell),
        Verb::Images { quick } => images::run(&shell, quick),
        Verb::Compose { profile, keep } => compose::run(&shell, profile, keep),
        Verb::Signin { seconds } => signin::run(&shell, seconds),
        Verb::Autobahn { only } => autobahn::run(&shell, &only),
        Verb::K8s(wish) => k8s::run(&shell, &wish),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
