//! Whether the chart's network policies follow the architecture's own table.
//!
//! `docs/ARCHITECTURE.md` says in prose what each service asks; `templates/_arrows.tpl` says it for
//! the policies. Between services, and from them to the parts that keep something, both must say the
//! same. What a rule then looks like is proved by the chart's unit tests.
use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::CHART;
use crate::shell::Shell;

const PAGE: &str = "docs/ARCHITECTURE.md";
const SERVICES: [&str; 4] = ["gateway", "auth", "rooms", "presence"];
/// A word of the page's column `asks`, and the end of an arrow that it means.
const ENDS: [(&str, &str); 7] = [
    ("auth", "auth"),
    ("rooms", "rooms"),
    ("presence", "presence"),
    ("PostgreSQL", "database"),
    ("schema", "database"),
    ("Redis", "store"),
    ("issuer", "identity"),
];

type Arrows = BTreeSet<(String, String)>;

/// Compares both.
pub(super) fn run(shell: &Shell) -> Result<()> {
    let read = |path: &str| {
        std::fs::read_to_string(shell.root().join(path)).with_context(|| path.to_owned())
    };
    let told = told(&read(PAGE)?);
    let drawn = drawn(&read(&format!("{CHART}/templates/_arrows.tpl"))?);
    let only = |one: &Arrows, other: &Arrows| -> Vec<(String, String)> {
        one.difference(other).cloned().collect()
    };
    let (untold, undrawn) = (only(&drawn, &told), only(&told, &drawn));
    ensure!(!told.is_empty(), "{PAGE} has no table of parts");
    ensure!(
        untold.is_empty() && undrawn.is_empty(),
        "only in the chart: {untold:?}; only in {PAGE}: {undrawn:?}"
    );
    Ok(())
}

/// What the table of parts says that each service asks.
fn told(page: &str) -> Arrows {
    let mut arrows = Arrows::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, part, _, asks, ..] = cells.as_slice() else { continue };
        let name = part.trim_matches('`').strip_prefix("services/").unwrap_or_default();
        if !SERVICES.contains(&name) {
            continue;
        }
        let words: Vec<&str> = asks.split(|c: char| !c.is_alphanumeric()).collect();
        let ends = ENDS.iter().filter(|(word, _)| words.contains(word));
        arrows.extend(ends.map(|(_, end)| (name.to_owned(), (*end).to_owned())));
    }
    arrows
}

/// The arrows of services in the template that the page speaks of.
fn drawn(template: &str) -> Arrows {
    let arrow = |line: &str| {
        let rest = line.trim().strip_prefix("- { from: ")?;
        let (from, rest) = rest.split_once(", to: ")?;
        let to = rest.split([',', ' ']).next()?;
        let spoken_of = SERVICES.contains(&from) && ENDS.iter().any(|(_, end)| *end == to);
        spoken_of.then(|| (from.to_owned(), to.to_owned()))
    };
    template.lines().filter_map(arrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_and_template_are_read_alike() {
        let page = "| part | holds | asks | never |\n|---|---|---|---|\n\
             | `services/rooms` | the log | PostgreSQL or SQLite; presence, auth | sockets |\n\
             | `services/roomcast` | all | the same traits | x |\n";
        let template = "  - { from: rooms, to: auth, port: 50051 }\n  - { from: rooms, to: presence, port: 1 }\n\
             \x20 - { from: rooms, to: database }\n  - { from: rooms, to: broker }\n  - { from: test, to: auth, port: 1 }\n";
        assert_eq!(told(page), drawn(template));
        assert_eq!(told(page).len(), 3);
        assert!(told(&page.replace("presence, ", "")) != drawn(template));
    }
}
