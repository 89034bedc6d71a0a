//! The manifests that the chart makes of each file of its CI values, kept in `k8s/rendered`.
//!
//! A reviewer sees there what a change of a template does. Passwords that are drawn at each
//! rendering stand as `(generated)`.
use anyhow::{Context, Result, ensure};

use super::{CHART, KUBERNETES, RELEASE, generated, tools, values};
use crate::shell::{self, Shell};

/// Where they are kept.
pub(super) const FOLDER: &str = "k8s/rendered";

/// Renders all and compares, or writes them anew.
pub(super) fn run(shell: &Shell, write: bool) -> Result<()> {
    let named = values(shell)?;
    for (name, path) in &named {
        let text = stable(&render(shell, path)?);
        let file = format!("{FOLDER}/{name}.yaml");
        generated(shell, &file, &text, write)?;
    }
    for file in shell.files(FOLDER)? {
        let known = named.iter().any(|(name, _)| file == format!("{FOLDER}/{name}.yaml"));
        ensure!(known, "{file} belongs to no file of {CHART}/ci");
    }
    Ok(())
}

/// One rendering.
pub(super) fn render(shell: &Shell, values: &str) -> Result<String> {
    let program = tools::go_tool(shell, "helm")?;
    let mut args = vec!["template"];
    args.extend(&RELEASE[..1]);
    args.push(CHART);
    args.extend(&RELEASE[1..]);
    args.extend(["--kube-version", KUBERNETES, "--values", values]);
    shell::output(shell.command("", &program.to_string_lossy(), &args)).context(values.to_owned())
}

/// The same text at each rendering: without drawn passwords and space at the ends of lines.
fn stable(text: &str) -> String {
    let mut stable =
        String::from("# Written by `cargo xtask chart --write`; changes here are lost.\n");
    let mut secret = false;
    for line in text.lines() {
        if line == "---" {
            secret = false;
        }
        secret = secret || line == "stringData:";
        match line.split_once(": ") {
            Some((key, _)) if secret => stable.push_str(&format!("{key}: (generated)\n")),
            _ => {
                stable.push_str(line.trim_end());
                stable.push('\n');
            }
        }
    }
    stable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_password_is_the_same_each_time_and_nothing_else_is() {
        let text =
            "---\nkind: Secret\nstringData:\n  a: xyz\n---\nkind: ConfigMap  \ndata:\n  b: c\n";
        let made = stable(text);
        assert!(made.ends_with(
            "---\nkind: Secret\nstringData:\n  a: (generated)\n---\nkind: ConfigMap\ndata:\n  b: c\n"
        ));
    }
}
