//! An answer as people and as programs read it: both are made from the same values.
//!
//! In a table an unknown value is `unknown` and a text is printed plainly; in JSON it is `null`.
//! Control characters in what users wrote are shown escaped, never sent to the terminal.
use std::fmt::Write;

use serde_json::{Map, Value};

/// What an admin call answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Facts of one thing.
    Facts(Vec<(&'static str, Value)>),
    /// Things of one kind.
    Rows {
        /// What is told of each.
        columns: &'static [&'static str],
        /// In the order of the columns.
        rows: Vec<Vec<Value>>,
    },
}

impl Answer {
    /// Nothing but that it is done.
    pub fn done() -> Self {
        Self::Facts(vec![("done", Value::Bool(true))])
    }

    /// As JSON, with a newline at its end.
    pub fn json(&self) -> String {
        let value = match self {
            Self::Facts(facts) => Value::Object(
                facts.iter().map(|(name, v)| ((*name).to_owned(), v.clone())).collect(),
            ),
            Self::Rows { columns, rows } => {
                let object = |row: &Vec<Value>| {
                    let pairs = columns.iter().zip(row);
                    Value::Object(
                        pairs
                            .map(|(name, v)| ((*name).to_owned(), v.clone()))
                            .collect::<Map<_, _>>(),
                    )
                };
                Value::Array(rows.iter().map(object).collect())
            }
        };
        format!("{value:#}\n")
    }

    /// As a table.
    pub fn table(&self) -> String {
        match self {
            Self::Facts(facts) => {
                let rows = facts.iter().map(|(name, v)| vec![(*name).to_owned(), plain(v)]);
                align(rows.collect())
            }
            Self::Rows { columns, rows } => {
                let head = columns.iter().map(|name| name.to_uppercase()).collect();
                let cells = rows.iter().map(|row| row.iter().map(plain).collect());
                align(std::iter::once(head).chain(cells).collect())
            }
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.chars().map(shown).collect(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A character as it may reach a terminal.
fn shown(c: char) -> String {
    // Also those that turn the writing direction, with which a name could pretend to be another.
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { c.escape_default().to_string() } else { c.to_string() }
}

/// Columns as wide as their widest cell, the last one ragged.
fn align(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rooms() -> Answer {
        Answer::Rows {
            columns: &["room", "here"],
            rows: vec![vec![json!("general"), json!(3)], vec![json!("x"), json!(null)]],
        }
    }

    #[test]
    fn a_table_is_aligned_and_knows_what_is_unknown() {
        assert_eq!(rooms().table(), "ROOM     HERE\ngeneral  3\nx        unknown\n");
    }

    #[test]
    fn json_has_the_same_values() {
        let value: Value = serde_json::from_str(&rooms().json()).unwrap();
        assert_eq!(value, json!([{"room": "general", "here": 3}, {"room": "x", "here": null}]));
        let facts: Value = serde_json::from_str(&Answer::done().json()).unwrap();
        assert_eq!(facts, json!({"done": true}));
    }

    #[test]
    fn a_users_text_cannot_steer_the_terminal() {
        let answer = Answer::Facts(vec![("title", json!("a\u{1b}[2J\u{202e}b"))]);
        assert_eq!(answer.table(), "title  a\\u{1b}[2J\\u{202e}b\n");
    }
}
