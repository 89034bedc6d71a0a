//! A Grafana dashboard file: its shape is checked as far as Grafana's own model asks for, and its
//! queries are taken out with Grafana's variables filled in.
//!
//! Does not know Grafana's whole schema: what a panel's options mean is Grafana's to say.
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A query and where it stands.
#[derive(Debug)]
pub struct Query {
    /// As `roomcast-log: Commit A`.
    pub place: String,
    /// PromQL without variables.
    pub expression: String,
}

/// What Grafana puts in for its variables, here: everything, and a minute.
const VARIABLES: [(&str, &str); 2] = [("$__rate_interval", "1m"), ("$namespace", ".*")];
/// The data source that every panel must take from the board's variable.
const SOURCE: &str = "${datasource}";
/// The oldest schema whose panels look like these: Grafana 9.
const SCHEMA: u64 = 36;
/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// Units in use; another one is checked against Grafana's list before it is added here.
const UNITS: [&str; 4] = ["short", "ops", "s", "bytes"];

/// A dashboard.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    #[serde(skip)]
    path: String,
    uid: String,
    title: String,
    schema_version: u64,
    templating: Templating,
    panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
struct Templating {
    list: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    query: serde_json::Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panel {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default)]
    description: String,
    grid_pos: Place,
    #[serde(default)]
    datasource: Source,
    #[serde(default)]
    field_config: serde_json::Value,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize, Clone, Copy)]
struct Place {
    x: u64,
    y: u64,
    w: u64,
    h: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    uid: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    ref_id: String,
    expr: String,
    legend_format: String,
}

/// Reads a board.
pub fn read(path: &str, text: &str) -> Result<Board> {
    let mut board: Board = serde_json::from_str(text).with_context(|| path.to_owned())?;
    path.clone_into(&mut board.path);
    Ok(board)
}

impl Board {
    /// Everything that is wrong with it; `page` must tell what each panel means.
    pub fn problems(&self, page: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |what: String| problems.push(format!("{}: {what}", self.path));
        let stem = Path::new(&self.path).file_stem().and_then(|stem| stem.to_str());
        if stem != Some(&self.uid) {
            say(format!("its uid is {}, which is not its name", self.uid));
        }
        if self.schema_version < SCHEMA {
            say(format!("schemaVersion {} is older than {SCHEMA}", self.schema_version));
        }
        let variables = &self.templating.list;
        let is_source = |v: &Variable| {
            v.name == "datasource" && v.kind == "datasource" && v.query == "prometheus"
        };
        if !variables.iter().any(is_source) {
            say("no variable `datasource` that takes a Prometheus".to_owned());
        }
        if !page.contains(&format!("## {}\n", self.title)) {
            say(format!("the page has no part `## {}`", self.title));
        }
        let ids: BTreeSet<u64> = self.panels.iter().map(|panel| panel.id).collect();
        if ids.len() < self.panels.len() || ids.contains(&0) {
            say("panel ids are not unique, or 0".to_owned());
        }
        for (index, panel) in self.panels.iter().enumerate() {
            for what in panel.problems(page) {
                say(format!("{}: {what}", panel.title));
            }
            for other in &self.panels[index + 1..] {
                if panel.grid_pos.overlaps(other.grid_pos) {
                    say(format!("{} lies over {}", panel.title, other.title));
                }
            }
        }
        for query in self.queries() {
            if query.expression.contains('$') {
                say(format!("{}: a variable that nobody fills in", query.place));
            }
        }
        problems
    }

    /// All queries.
    pub fn queries(&self) -> Vec<Query> {
        let of = |panel: &Panel| {
            let place = format!("{}: {}", self.uid, panel.title);
            let filled = |target: &Target| Query {
                place: format!("{place} {}", target.ref_id),
                expression: VARIABLES
                    .iter()
                    .fold(target.expr.clone(), |text, (name, value)| text.replace(name, value)),
            };
            panel.targets.iter().map(filled).collect::<Vec<_>>()
        };
        self.panels.iter().flat_map(of).collect()
    }
}

impl Panel {
    fn problems(&self, page: &str) -> Vec<&'static str> {
        let unit = self.field_config["defaults"]["unit"].as_str().unwrap_or_default();
        let refs: BTreeSet<&str> = self.targets.iter().map(|t| t.ref_id.as_str()).collect();
        let place = self.grid_pos;
        let is_row = self.kind == "row";
        let rules = [
            (is_row || matches!(self.kind.as_str(), "timeseries" | "stat"), "an unknown kind"),
            (!self.title.is_empty() && (is_row || !self.description.is_empty()), "says nothing"),
            (place.w > 0 && place.h > 0 && place.x + place.w <= COLUMNS, "is off the grid"),
            (is_row || UNITS.contains(&unit), "has no known unit"),
            (is_row || self.source_is_chosen(), "does not take the board's data source"),
            (is_row == self.targets.is_empty(), "a row has queries, or another panel none"),
            (refs.len() == self.targets.len(), "two queries have one name"),
            (self.targets.iter().all(|t| !t.legend_format.is_empty()), "a line has no name"),
            (is_row || page.contains(&format!("| {} |", self.title)), "is not on the page"),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect()
    }

    fn source_is_chosen(&self) -> bool {
        self.datasource.kind == "prometheus" && self.datasource.uid == SOURCE
    }
}

impl Place {
    fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "## one\n| A |\n| B |\n";

    fn board(change: impl Fn(String) -> String) -> Vec<String> {
        let panel = |id: u64, title: &str, x: u64| {
            format!(
                r#"{{"id": {id}, "type": "stat", "title": "{title}", "description": "d",
                "gridPos": {{"x": {x}, "y": 0, "w": 12, "h": 4}},
                "datasource": {{"type": "prometheus", "uid": "${{datasource}}"}},
                "fieldConfig": {{"defaults": {{"unit": "s"}}}},
                "targets": [{{"refId": "A", "expr": "rate(a[$__rate_interval])", "legendFormat": "a"}}]}}"#
            )
        };
        let text = format!(
            r#"{{"uid": "one", "title": "one", "schemaVersion": 39, "templating": {{"list": [
            {{"name": "datasource", "type": "datasource", "query": "prometheus"}}]}},
            "panels": [{}, {}]}}"#,
            panel(1, "A", 0),
            panel(2, "B", 12)
        );
        read("dashboards/one.json", &change(text)).unwrap().problems(PAGE)
    }

    #[test]
    fn a_sound_board_has_no_problems() {
        assert_eq!(board(|text| text), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let faults = [
            (r#""id": 2"#, r#""id": 1"#, "not unique"),
            (r#""x": 12"#, r#""x": 11"#, "A lies over B"),
            (r#""x": 12"#, r#""x": 13"#, "off the grid"),
            (r#""unit": "s""#, r#""unit": "seconds""#, "no known unit"),
            ("${datasource}", "P1", "data source"),
            ("$__rate_interval", "$range", "nobody fills in"),
            (r#""title": "B""#, r#""title": "C""#, "not on the page"),
            (r#""schemaVersion": 39"#, r#""schemaVersion": 30"#, "older"),
            (r#""description": "d""#, r#""description": """#, "says nothing"),
        ];
        for (good, bad, expected) in faults {
            let found = board(|text| text.replace(good, bad));
            assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:?}");
        }
    }
}
