//! The layers: who may import whom, and who owns which outside thing.
//!
//! Read from the manifests, so a wrong dependency is found before it is used. `deny.toml` holds
//! the same for what comes in by way of others; a change here is a change there.
use std::path::Path;

use anyhow::Result;
use cargo_metadata::{DependencyKind, Metadata};

use super::Finding;

/// Our crates by layer: each may import those below it.
const LAYERS: [&[&str]; 4] = [
    &["roomcast-domain", "roomcast-proto", "roomcast-certificates"],
    &["roomcast-wire", "roomcast-rpc", "roomcast-bus", "roomcast-runtime"],
    &["roomcast-gateway", "roomcast-auth", "roomcast-rooms", "roomcast-presence"],
    &["roomcast", "roomcast-cluster", "roomcast-fuzz"],
];

/// Crates outside of the layers, and those that may be all of ours that they import.
const BESIDE: [(&str, &[&str]); 5] = [
    ("roomcast-page", &[]),
    ("roomcast-runtime", &[]),
    ("roomcast-testkit", &["roomcast-domain", "roomcast-wire"]),
    ("roomcast-bench", &["roomcast-domain", "roomcast-wire", "roomcast-testkit"]),
    ("roomcast-xtask", &["roomcast-wire"]),
];

/// The crate of what tests need; anybody may have it for tests, and only tests' crates otherwise.
const TESTKIT: &str = "roomcast-testkit";
const TEST_CRATES: [&str; 2] = ["roomcast-cluster", "roomcast-bench"];

/// Outside crates with an owner.
const OWNERS: [(&str, &[&str]); 7] = [
    ("amqprs", &["roomcast-bus"]),
    ("openidconnect", &["roomcast-auth"]),
    ("sqlx", &["roomcast-rooms", "roomcast-auth"]),
    ("redis", &["roomcast-presence"]),
    ("deadpool-redis", &["roomcast-presence"]),
    ("actix-web", &["roomcast-gateway", "roomcast-runtime", "roomcast", "roomcast-fuzz"]),
    ("tonic", &["roomcast-proto", "roomcast-rpc", "roomcast-runtime", "roomcast-testkit"]),
];

const DOWNWARDS: &str = "imports go downwards only: domain, proto, certificates < wire, rpc, bus, runtime < services < roomcast, cluster, fuzz";
const OWNED: &str = "one crate owns each outside thing; ask it through its trait";
const KNOWN: &str = "each crate of ours stands in a layer: add it to tidy/layer.rs";

/// A crate of the workspace, as the rules see it.
pub(super) struct Package {
    name: String,
    manifest: String,
    text: String,
    dependencies: Vec<(String, DependencyKind)>,
}

impl Package {
    /// All crates of the workspace.
    pub(super) fn of_workspace(metadata: &Metadata, root: &Path) -> Result<Vec<Self>> {
        let mut packages = Vec::new();
        for package in metadata.workspace_packages() {
            let path = package.manifest_path.as_std_path();
            let manifest = path.strip_prefix(root).unwrap_or(path).display().to_string();
            packages.push(Self {
                name: package.name.to_string(),
                manifest,
                text: std::fs::read_to_string(path)?,
                dependencies: package
                    .dependencies
                    .iter()
                    .map(|dependency| (dependency.name.clone(), dependency.kind))
                    .collect(),
            });
        }
        Ok(packages)
    }

    /// The line that names a dependency, under its own name or its short one.
    fn line(&self, dependency: &str) -> usize {
        let short = dependency.strip_prefix("roomcast-").unwrap_or(dependency);
        let names = |line: &str| {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            key == dependency || key == short
        };
        self.text.lines().position(names).map_or(1, |index| index + 1)
    }
}

/// Looks at every dependency of every crate.
pub(super) fn check(packages: &[Package], findings: &mut Vec<Finding>) {
    for package in packages {
        if layer(&package.name).is_none() && beside(&package.name).is_none() {
            findings.push(Finding {
                path: package.manifest.clone(),
                line: 1,
                what: format!("{} is in no layer", package.name),
                why: KNOWN,
            });
        }
        for (dependency, kind) in &package.dependencies {
            let why = if !allowed(&package.name, dependency, *kind) {
                DOWNWARDS
            } else if !owned(&package.name, dependency) {
                OWNED
            } else {
                continue;
            };
            findings.push(Finding {
                path: package.manifest.clone(),
                line: package.line(dependency),
                what: format!("{} imports {dependency}", package.name),
                why,
            });
        }
    }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn beside(name: &str) -> Option<&'static [&'static str]> {
    BESIDE.iter().find(|(of, _)| *of == name).map(|(_, may)| *may)
}

fn allowed(name: &str, dependency: &str, kind: DependencyKind) -> bool {
    let ours = layer(dependency).is_some() || beside(dependency).is_some();
    if !ours {
        return true;
    }
    if dependency == TESTKIT {
        return kind == DependencyKind::Development || TEST_CRATES.contains(&name);
    }
    if let Some(may) = beside(name) {
        return may.contains(&dependency);
    }
    match (layer(name), layer(dependency)) {
        (Some(above), Some(below)) => above > below,
        _ => false,
    }
}

fn owned(name: &str, dependency: &str) -> bool {
    OWNERS.iter().all(|(owned, by)| *owned != dependency || by.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use DependencyKind::{Development, Normal};

    fn found(name: &str, dependency: &str, kind: DependencyKind) -> Vec<String> {
        let package = Package {
            name: name.to_owned(),
            manifest: "x/Cargo.toml".to_owned(),
            text: "[dependencies]\nserde.workspace = true\nrooms.workspace = true\n".to_owned(),
            dependencies: vec![(dependency.to_owned(), kind)],
        };
        let mut findings = Vec::new();
        check(&[package], &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_upwards_and_sideways_are_found() {
        let sideways = found("roomcast-gateway", "roomcast-rooms", Normal);
        assert!(sideways[0].starts_with("x/Cargo.toml:3: roomcast-gateway imports roomcast-rooms"));
        for (name, dependency) in [
            ("roomcast-domain", "roomcast-wire"),
            ("roomcast-rpc", "roomcast-bus"),
            ("roomcast-runtime", "roomcast-domain"),
            ("roomcast-proto", "roomcast-domain"),
            ("roomcast-bench", "roomcast-gateway"),
            ("roomcast-testkit", "roomcast-rpc"),
            ("roomcast", "roomcast-cluster"),
            ("roomcast-rooms", "roomcast-testkit"),
        ] {
            assert_eq!(found(name, dependency, Normal).len(), 1, "{name} -> {dependency}");
        }
        for (name, dependency) in [
            ("roomcast-rooms", "roomcast-rpc"),
            ("roomcast", "roomcast-rooms"),
            ("roomcast-cluster", "roomcast-testkit"),
            ("roomcast-gateway", "roomcast-wire"),
        ] {
            assert_eq!(found(name, dependency, Normal), [""; 0], "{name} -> {dependency}");
        }
        assert_eq!(found("roomcast-rooms", "roomcast-testkit", Development), [""; 0]);
    }

    #[test]
    fn an_outside_crate_has_one_owner() {
        for (name, dependency) in [
            ("roomcast-gateway", "amqprs"),
            ("roomcast-gateway", "sqlx"),
            ("roomcast-rooms", "redis"),
            ("roomcast-rooms", "tonic"),
            ("roomcast-presence", "actix-web"),
        ] {
            assert_eq!(found(name, dependency, Normal).len(), 1, "{name} -> {dependency}");
            assert_eq!(found(name, dependency, Development).len(), 1, "{name} -> {dependency}");
        }
        assert_eq!(found("roomcast-bus", "amqprs", Normal), [""; 0]);
    }

    #[test]
    fn a_crate_in_no_layer_is_found() {
        assert!(found("roomcast-extra", "serde", Normal)[0].contains("is in no layer"));
    }
}
