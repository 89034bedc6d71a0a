//! `chart`: the Helm chart, and everything else that is neither Rust nor page.
//!
//! The chart is rendered with each file of `helm/roomcast/ci`, and what comes out is held against
//! the schemas of Kubernetes and of the custom resources, against kube-score, and against
//! `k8s/rendered`, so that a change of the chart shows as a change of manifests. Its unit tests,
//! its README, its schema, the config in it, and Dockerfiles, workflows and scripts come on top.
mod arrows;
mod beside;
mod rendered;
mod schema;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::parts::tools;
use crate::report::Report;
use crate::shell::{self, Shell};

/// Where the chart lies.
const CHART: &str = "helm/roomcast";
/// The release of Kubernetes that manifests are rendered for and checked against.
const KUBERNETES: &str = "1.33.0";
/// Name and namespace of the release that is rendered.
const RELEASE: [&str; 3] = ["roomcast", "--namespace", "chat"];

/// Runs the verb. With `write`, what is generated is written anew instead of compared.
pub fn run(shell: &Shell, write: bool) -> Result<()> {
    let mut report = Report::new();
    steps(shell, write, &mut report);
    report.finish()
}

/// Takes all checks as steps of a run.
pub fn steps(shell: &Shell, write: bool, report: &mut Report) {
    let ready = report.step("chart tools", || tools::all(shell));
    if !ready {
        report.skip("chart", "needs its tools");
        return;
    }
    report.step("chart schema", || schema::run(shell, write));
    report.step("chart lint", || lint(shell));
    report.step("chart rendered", || rendered::run(shell, write));
    report.step("chart manifests", || manifests(shell));
    report.step("chart score", || score(shell));
    report.step("chart unit tests", || unit_tests(shell));
    report.step("chart arrows", || arrows::run(shell));
    report.step("chart readme", || readme(shell, write));
    beside::steps(shell, report);
}

/// The files of values that the chart is checked with, by name.
fn values(shell: &Shell) -> Result<Vec<(String, String)>> {
    let files = shell.files(&format!("{CHART}/ci"))?;
    let named = files.into_iter().filter_map(|path| {
        let name = path.rsplit('/').next()?.strip_suffix("-values.yaml")?.to_owned();
        Some((name, path))
    });
    let named: Vec<_> = named.collect();
    ensure!(!named.is_empty(), "no values in {CHART}/ci");
    Ok(named)
}

fn lint(shell: &Shell) -> Result<()> {
    let examples =
        shell.files("k8s")?.into_iter().filter(|path| path.ends_with("/chart-values.yaml"));
    for path in values(shell)?.into_iter().map(|(_, path)| path).chain(examples) {
        tool(shell, "helm", &["lint", CHART, "--strict", "--quiet", "--values", &path])?;
    }
    Ok(())
}

/// Every manifest against the schemas, which refuse what they do not know.
fn manifests(shell: &Shell) -> Result<()> {
    let schemas = schema::for_manifests(shell)?;
    let location = format!("{}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", schemas.display());
    let version = ["-kubernetes-version", KUBERNETES];
    let mut args = vec!["-strict", "-summary", "-schema-location", &location];
    args.extend(version);
    args.extend(schema::SKIPPED);
    let mut files = shell.files(rendered::FOLDER)?;
    files.extend(shell.files("k8s/operators")?);
    files.extend(shell.files("k8s/dev")?);
    files.retain(|path| path.ends_with(".yaml") && !path.ends_with("/chart-values.yaml"));
    args.extend(files.iter().map(String::as_str));
    tool(shell, "kubeconform", &args)
}

/// What kube-score wants and the chart has a reason not to do.
const SCORE_IGNORED: [&str; 3] = [
    // A tag is one image; `image.pullPolicy` sets it for those who move tags.
    "container-image-pull-policy",
    // Throw-away parts have one pod and their images' own users.
    "container-security-context-user-group-id",
    "container-security-context-readonlyrootfilesystem",
];

/// Of the throw-away parts not what makes them throw-away.
fn score(shell: &Shell) -> Result<()> {
    for (name, _) in values(shell)? {
        let file = format!("{}/{name}.yaml", rendered::FOLDER);
        let ignored = if name == "dev" { &SCORE_IGNORED[..] } else { &SCORE_IGNORED[..1] };
        // A ceiling on the processor stalls sockets while the node idles.
        let mut args = vec!["score", "--ignore-container-cpu-limit"];
        args.extend(["--enable-optional-test", "container-seccomp-profile"]);
        args.extend(ignored.iter().flat_map(|check| ["--ignore-test", check]));
        args.push(&file);
        tool(shell, "kube-score", &args)?;
    }
    Ok(())
}

fn unit_tests(shell: &Shell) -> Result<()> {
    let args = ["--strict", "--file", "tests/**/*_test.yaml", CHART];
    tool(shell, "helm-unittest", &args)
}

/// The chart's README, made from its values.
fn readme(shell: &Shell, write: bool) -> Result<()> {
    let args = ["--chart-search-root", CHART, "--sort-values-order", "file", "--dry-run"];
    let program = tools::go_tool(shell, "helm-docs")?;
    let text = shell::output(shell.command("", &program.to_string_lossy(), &args))?;
    generated(shell, &format!("{CHART}/README.md"), &(text.trim().to_owned() + "\n"), write)
}

/// Writes what is generated, or says that it is not what it should be.
fn generated(shell: &Shell, path: &str, text: &str, write: bool) -> Result<()> {
    let file = shell.root().join(path);
    let stands = std::fs::read_to_string(&file).unwrap_or_default();
    if stands == text {
        return Ok(());
    }
    if !write {
        let same = stands.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
        let line = text.lines().nth(same).unwrap_or("(the end)");
        bail!("{path}:{} is out of date: `cargo xtask chart --write`; now: {line}", same + 1);
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    println!("written: {path}");
    std::fs::write(&file, text).with_context(|| path.to_owned())
}

/// Runs one of the Go tools at the repository's root.
fn tool(shell: &Shell, name: &str, args: &[&str]) -> Result<()> {
    let program: PathBuf = tools::go_tool(shell, name)?;
    shell::run(shell.command("", &program.to_string_lossy(), args))
}

/// Whether a path within the repository exists.
fn exists(shell: &Shell, path: &str) -> bool {
    shell.root().join(path).exists()
}
