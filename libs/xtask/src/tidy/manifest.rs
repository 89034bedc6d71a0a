//! Rules about a crate's `Cargo.toml`: versions, lints and the package's facts come from the root.
use toml::{Table, Value};

use super::{Finding, Source};

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// Facts that all crates share.
const SHARED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

const ONE_PLACE: &str =
    "versions stand in the root Cargo.toml alone: write `name.workspace = true`";
const SAME: &str = "all crates share it: write `workspace = true`";

/// Looks at one crate's manifest.
pub(super) fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let manifest: Table = match source.text.parse() {
        Ok(table) => table,
        Err(_) => {
            findings.push(source.finding(1, "no TOML", "cargo cannot read it either"));
            return;
        }
    };
    let targets = manifest.get("target").and_then(Value::as_table);
    let platforms = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    for table in platforms.chain([&manifest]) {
        for dependencies in TABLES.iter().filter_map(|name| table.get(*name)?.as_table()) {
            for (name, value) in dependencies.iter().filter(|(_, value)| !inherits(value)) {
                let line = line_of(source.text, name);
                findings.push(source.finding(line, format!("{name} = {value}"), ONE_PLACE));
            }
        }
    }
    let package = manifest.get("package").and_then(Value::as_table);
    for fact in SHARED {
        if package.is_some_and(|package| !package.get(fact).is_some_and(inherits)) {
            findings.push(source.finding(1, format!("package.{fact} of its own"), SAME));
        }
    }
    if package.is_some() && !manifest.get("lints").is_some_and(inherits) {
        findings.push(source.finding(1, "lints of its own", SAME));
    }
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn line_of(text: &str, key: &str) -> usize {
    let names = |line: &str| line.split(['.', ' ', '=']).next() == Some(key);
    text.lines().position(names).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
        [dependencies]\nserde = { workspace = true, features = [\"rc\"] }\n\
        [lints]\nworkspace = true\n";

    #[test]
    fn a_manifest_that_takes_all_from_the_root_passes() {
        assert_eq!(of(check, "libs/a/Cargo.toml", GOOD), [""; 0]);
    }

    #[test]
    fn a_version_outside_of_the_root_is_found() {
        for table in ["[dev-dependencies]", "[target.'cfg(unix)'.dependencies]"] {
            let text = format!("{GOOD}\n{table}\ntokio = \"1\"\n");
            let found = of(check, "libs/a/Cargo.toml", &text);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with("libs/a/Cargo.toml:14: tokio = \"1\""), "{found:?}");
        }
    }

    #[test]
    fn facts_and_lints_of_its_own_are_found() {
        let text = GOOD.replace("edition.workspace = true", "edition = \"2021\"");
        assert_eq!(of(check, "libs/a/Cargo.toml", &text).len(), 1);
        let text = GOOD.replace("[lints]\nworkspace = true\n", "");
        assert_eq!(of(check, "libs/a/Cargo.toml", &text).len(), 1);
    }
}
