//! What stands beside the chart: the config in it, alert rules, Dockerfiles, workflows, scripts.
//!
//! Each is checked by the tool that knows it. The config is checked by the product's own binary,
//! where one is built.
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{CHART, exists, rendered, tool, values};
use crate::parts::{self, tools};
use crate::report::Report;
use crate::shell::{self, Shell};

/// What a pod's secrets hold, in the same words as values of the product.
const SECRETS: [(&str, &str); 6] = [
    ("rooms-database", "postgres://user:word@host:5432/chat"),
    ("auth-database", "postgres://user:word@host:5432/chat"),
    ("broker", "amqp://user:word@host:5672/%2f"),
    ("presence-store", "redis://:word@host:6379"),
    ("tokens", "thirty-two-bytes-or-more-of-a-secret"),
    ("backend", "thirty-two-bytes-or-more-of-a-secret"),
];

pub(super) fn steps(shell: &Shell, report: &mut Report) {
    let binary = shell.target().join("debug/roomcast");
    if binary.is_file() {
        report.step("chart config", || config(shell, &binary));
    } else {
        report.skip("chart config", "target/debug/roomcast is not built");
    }
    report.step("alert rules", || rules(shell));
    report.step("dockerfiles", || {
        each(shell, "", is_dockerfile, |path| python_tool(shell, "hadolint", &[path]))
    });
    report.step("workflows", || {
        each(
            shell,
            ".github/workflows",
            |path| path.ends_with(".yml") || path.ends_with(".yaml"),
            |path| {
                let shellcheck = tools::python_tool(shell, "shellcheck")?;
                tool(shell, "actionlint", &["-shellcheck", &shellcheck.to_string_lossy(), path])
            },
        )
    });
    report.step("scripts", || {
        each(
            shell,
            "",
            |path| path.ends_with(".sh"),
            |path| {
                python_tool(
                    shell,
                    "shellcheck",
                    &["--external-sources", "--source-path=SCRIPTDIR", path],
                )
            },
        )
    });
}

/// `roomcast config check` over the file that each set of values makes.
fn config(shell: &Shell, binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, text) in SECRETS {
        std::fs::write(folder.path().join(name), text)?;
    }
    let here = folder.path().to_string_lossy().into_owned();
    for (name, path) in values(shell)? {
        let text = rendered::render(shell, &path)?;
        let text = toml_of(&text).with_context(|| format!("no roomcast.toml for {name}"))?;
        let file = folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, text.replace("/run/secrets/roomcast", &here))?;
        let args = ["config", "check", "--config", &file.to_string_lossy()];
        shell::run(shell.command("", &binary.to_string_lossy(), &args)).context(name)?;
    }
    Ok(())
}

/// The config among manifests, without certificates, which only a cluster has, and addresses that want them.
fn toml_of(manifests: &str) -> Option<String> {
    let (_, rest) = manifests.split_once("\n  roomcast.toml: |\n")?;
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let mounted = [" = \"/run/tls/", " = \"/run/service-tls/", " = [\"https://"];
    let kept = lines.filter(|line| !mounted.iter().any(|part| line.contains(part)));
    Some(kept.map(|line| line.trim_start().to_owned() + "\n").collect())
}

fn rules(shell: &Shell) -> Result<()> {
    let folder = format!("{CHART}/alerts");
    let files = shell.files(&folder)?;
    if files.is_empty() {
        return Ok(());
    }
    parts::prometheus(shell)?;
    let (tests, rules): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| path.starts_with(&format!("{folder}/tests/")));
    for (verb, files) in [("check", rules), ("test", tests)] {
        if !files.is_empty() {
            let args: Vec<&str> =
                [verb, "rules"].into_iter().chain(files.iter().map(String::as_str)).collect();
            shell::run(shell.command("", "/usr/bin/promtool", &args))?;
        }
    }
    Ok(())
}

/// Runs a check over each file of a kind, and tells all that fail.
fn each(
    shell: &Shell,
    under: &str,
    is: impl Fn(&str) -> bool,
    check: impl Fn(&str) -> Result<()>,
) -> Result<()> {
    if !exists(shell, under) {
        return Ok(());
    }
    let under = if under.is_empty() { "." } else { under };
    let files = shell.files(under)?;
    let failed: Vec<String> = files
        .iter()
        .filter(|path| is(path))
        .filter_map(|path| check(path).err())
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "Dockerfile" || name.starts_with("Dockerfile.") || name.ends_with(".Dockerfile")
}

fn python_tool(shell: &Shell, name: &str, args: &[&str]) -> Result<()> {
    let program = tools::python_tool(shell, name)?;
    shell::run(shell.command("", &program.to_string_lossy(), args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_taken_out_of_its_manifest() {
        let text = "data:\n  roomcast.toml: |\n    # One\n\n    [gateway.tls]\n    key_file = \"/run/tls/x\"\n    a = 1\n---\nx\n";
        assert_eq!(toml_of(text).as_deref(), Some("# One\n\n[gateway.tls]\na = 1\n"));
        assert_eq!(toml_of("kind: Pod\n"), None);
    }

    #[test]
    fn a_dockerfile_is_known_by_its_name() {
        assert!(is_dockerfile("Dockerfile") && is_dockerfile("web/Dockerfile.page"));
        assert!(!is_dockerfile("docs/dockerfile.md") && !is_dockerfile("a/Dockerfiles/b"));
    }
}
