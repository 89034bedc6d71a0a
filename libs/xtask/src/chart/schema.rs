//! Schemas: of the chart's values, and of the manifests that it makes.
//!
//! `values.schema.json` is `schema/values.json` with the product's own config schema in it, so that
//! Helm refuses a wrong key of `config` before anything is installed. Manifests are held against
//! the published schemas of Kubernetes and the definitions of the custom resources, which come
//! with the Go modules of their makers.
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{CHART, KUBERNETES, generated};
use crate::parts::tools;
use crate::shell::{self, Shell};

const CONFIG: &str = "docs/reference/roomcast.schema.json";
const SCRIPT: &str = "libs/xtask/tools/schemas.py";

/// Modules with custom resource definitions: module, release, folder.
const DEFINITIONS: [(&str, &str, &str); 3] = [
    (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "example/prometheus-operator-crd",
    ),
    tools::GATEWAY_API,
    ("github.com/cert-manager/cert-manager", "v1.21.2", "deploy/crds"),
];

/// Kinds of the operators' examples, whose definitions no module has.
pub(super) const SKIPPED: [&str; 2] =
    ["-skip", "RabbitmqCluster,Cluster,Keycloak,KeycloakRealmImport,Redis"];

/// Compares or writes the schema of the values.
pub(super) fn run(shell: &Shell, write: bool) -> Result<()> {
    let read = |path: &str| -> Result<Value> {
        let text = std::fs::read_to_string(shell.root().join(path)).context(path.to_owned())?;
        serde_json::from_str(&text).context(path.to_owned())
    };
    let whole = joined(read(&format!("{CHART}/schema/values.json"))?, read(CONFIG)?)?;
    let text = serde_json::to_string_pretty(&whole)? + "\n";
    generated(shell, &format!("{CHART}/values.schema.json"), &text, write)
}

/// The values' schema with the config's in it as `#/$defs/config`.
fn joined(mut values: Value, mut config: Value) -> Result<Value> {
    let parts = config["$defs"].take();
    let object = config.as_object_mut().context("the config's schema is no object")?;
    for key in ["$defs", "$schema", "title"] {
        object.remove(key);
    }
    let defs = values["$defs"].as_object_mut().context("schema/values.json has no $defs")?;
    defs.insert("config".to_owned(), config);
    for (name, part) in parts.as_object().context("the config's schema has no $defs")? {
        if defs.insert(name.clone(), part.clone()).is_some() {
            bail!("both schemas define {name}");
        }
    }
    Ok(values)
}

/// The folder with a schema for each kind; made first if it is missing.
pub(super) fn for_manifests(shell: &Shell) -> Result<PathBuf> {
    let script = std::fs::read_to_string(shell.root().join(SCRIPT))?;
    let mark = format!("{script}{KUBERNETES}{DEFINITIONS:?}");
    tools::made_once(&format!("schemas-{KUBERNETES}"), &mark, |out| {
        let release = format!("v{KUBERNETES}-local-strict");
        let mut args = vec![SCRIPT.to_owned(), out.to_string_lossy().into_owned()];
        let kubernetes = tools::kubernetes_schemas(shell)?.join(release);
        args.push(kubernetes.to_string_lossy().into_owned());
        for (module, version, folder) in DEFINITIONS {
            let folder = tools::go_module(shell, module, version)?.join(folder);
            args.push(folder.to_string_lossy().into_owned());
        }
        let python = tools::python_tool(shell, "python")?;
        shell::run(shell.command("", &python.to_string_lossy(), &args))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_config_is_a_part_of_the_values_and_no_name_is_taken_twice() {
        let values = || json!({ "properties": {}, "$defs": { "secret": 1 } });
        let config = json!({ "$schema": "x", "type": "object", "$defs": { "Access": 2 } });
        let whole = joined(values(), config).unwrap();
        assert_eq!(
            whole["$defs"],
            json!({ "secret": 1, "Access": 2, "config": { "type": "object" } })
        );
        assert!(joined(values(), json!({ "$defs": { "secret": 3 } })).is_err());
    }
}
