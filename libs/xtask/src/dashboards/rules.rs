//! The alert rules: each has its words, its part of the page, and a unit test that promtool runs.
//!
//! Reads the files by line: their shape is promtool's to judge, and it does.
use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{after, anchors, board::Query, quietly};
use crate::shell::Shell;

const FOLDER: &str = "helm/roomcast/alerts";
const TESTS: &str = "helm/roomcast/alerts/tests";
/// What every alert must have, beside its expression.
const WORDS: [&str; 4] = ["severity: ", "summary: ", "description: ", "runbook_url: "];
/// Severities: somebody is woken, looks today, or reads it some day.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// All rule files.
#[derive(Debug)]
pub struct Rules {
    /// Path and text.
    files: Vec<(String, String)>,
    /// The same of their tests.
    tests: Vec<(String, String)>,
}

/// Reads the files of the chart.
pub fn read(shell: &Shell) -> Result<Rules> {
    let mut files = Vec::new();
    let mut tests = Vec::new();
    for path in shell.files(FOLDER)? {
        let text = std::fs::read_to_string(shell.root().join(&path))?;
        if path.starts_with(TESTS) { tests.push((path, text)) } else { files.push((path, text)) }
    }
    ensure!(!files.is_empty() && !tests.is_empty(), "{FOLDER} lacks rules or tests");
    Ok(Rules { files, tests })
}

impl Rules {
    /// Alerts with the lines of each.
    fn alerts(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.files.iter().flat_map(|(path, text)| {
            let blocks = text.split("- alert: ").skip(1);
            blocks.map(move |block| (path.as_str(), block.lines().next().unwrap_or(""), block))
        })
    }

    /// Everything that is wrong with them.
    pub fn problems(&self, page: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let known = anchors(page);
        let mut seen = BTreeSet::new();
        for (path, name, block) in self.alerts() {
            let mut say = |what: &str| problems.push(format!("{path}: {name}: {what}"));
            if !seen.insert(name) {
                say("there are two");
            }
            for word in WORDS.iter().filter(|word| !block.contains(*word)) {
                say(&format!("no {}", word.trim_end_matches(": ")));
            }
            if !SEVERITIES.iter().any(|word| block.contains(&format!("severity: {word} }}"))) {
                say("its severity is none of ours");
            }
            let runbook = block.lines().find_map(|line| after(line, "runbook_url: "));
            let expected = format!("{}#{}", super::PAGE, name.to_lowercase());
            if runbook != Some(&expected) {
                say(&format!("its runbook_url is not {expected}"));
            }
            if !known.contains(&name.to_lowercase()) {
                say("the page has no part about it");
            }
            let tested = |words: &str| {
                self.tests
                    .iter()
                    .any(|(_, text)| text.contains(&format!("alertname: {name}{words}")))
            };
            if !tested("\n") || !tested(" # quiet\n") {
                say("no unit test that it fires, and none that it stays quiet");
            }
        }
        problems
    }

    /// Every selector of every rule, as a query: what a rule looks at must be there.
    pub fn selectors(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for (path, name, block) in self.alerts() {
            let expression = block.split("labels:").next().unwrap_or_default();
            for selector in selectors(expression) {
                queries.push(Query { place: format!("{path}: {name}"), expression: selector });
            }
        }
        queries
    }

    /// Has promtool check the rules and run their tests.
    pub fn promtool(&self, shell: &Shell) -> Result<()> {
        for (verb, files) in [("check", &self.files), ("test", &self.tests)] {
            let mut args = vec![verb, "rules"];
            args.extend(files.iter().map(|(path, _)| path.as_str()));
            quietly(shell, "promtool", &args)?;
        }
        println!(
            "{} alerts, {} test files: promtool agrees",
            self.alerts().count(),
            self.tests.len()
        );
        Ok(())
    }
}

/// Metrics with their matchers, as they stand in an expression.
fn selectors(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("roomcast_") {
        let text = &rest[start..];
        let name =
            text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let matchers = text[name..].starts_with('{').then(|| text[name..].find('}')).flatten();
        let end = matchers.map_or(name, |close| name + close + 1);
        found.push(text[..end].to_owned());
        rest = &text[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_names_with_their_matchers() {
        let expression =
            "sum by (a) (rate(roomcast_a_total{x=~\"b|c\"}[5m])) > 0 or roomcast_b == 1";
        assert_eq!(selectors(expression), ["roomcast_a_total{x=~\"b|c\"}", "roomcast_b"]);
    }

    #[test]
    fn an_alert_without_its_words_is_found() {
        let alert = "- alert: Bad\n  expr: roomcast_a > 0\n  labels: { severity: loud }\n";
        let rules = Rules { files: vec![("a.yaml".into(), alert.into())], tests: Vec::new() };
        let found = rules.problems("# Page\n").join("\n");
        for expected in ["no summary", "no runbook_url", "none of ours", "no part", "no unit test"]
        {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
