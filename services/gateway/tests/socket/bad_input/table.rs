//! How the tables are written, and what becomes of them.
//!
//! `way W` begins the inputs of a way (see `drive`). `set NAME = A ; B ; C` names values; `$NAME` in
//! an input stands for each of them in turn, so that one line is many inputs. A line is
//! `what it is: input => answer`, an answer being one or more of them with ` or ` between. In the
//! ways of JSON an input is text, `$nl` a newline and `$rep(text,n)` a repetition; in all others it is
//! an expression (see `bytes`).
use std::collections::HashMap;
use std::path::Path;

use super::bytes;

/// One input.
pub struct Case {
    /// The table's name, what it is, and its number among its like.
    pub name: String,
    pub way: String,
    pub input: Vec<u8>,
    /// Any of these is right.
    pub expected: Vec<String>,
    /// The input as it stands in the table, cut.
    pub shown: String,
}

/// Reads a table. Panics on a line that is none.
pub fn read(path: &Path) -> Vec<Case> {
    let table = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap();
    let (mut sets, mut way, mut cases) = (HashMap::new(), String::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("way ") {
            way = name.to_owned();
        } else if let Some(set) = line.strip_prefix("set ") {
            let (name, values) = set.split_once(" = ").unwrap();
            let values: Vec<String> = values.split(" ; ").map(str::to_owned).collect();
            sets.insert(name.to_owned(), values);
        } else {
            let wrong = || panic!("{}:{}: {line}", path.display(), number + 1);
            let (what, rest) = line.split_once(": ").unwrap_or_else(wrong);
            let (input, answer) = rest.rsplit_once(" => ").unwrap_or_else(wrong);
            let expected: Vec<String> = answer.split(" or ").map(str::to_owned).collect();
            for (index, input) in expand(input, &sets).into_iter().enumerate() {
                cases.push(Case {
                    name: format!("{table}: {what} {index}"),
                    way: way.clone(),
                    input: evaluate(&way, &input),
                    expected: expected.clone(),
                    shown: input.chars().take(120).collect(),
                });
            }
        }
    }
    cases
}

/// An input with each of its sets' values, all combinations.
fn expand(input: &str, sets: &HashMap<String, Vec<String>>) -> Vec<String> {
    let first = input.match_indices('$').find_map(|(at, _)| {
        let rest = &input[at + 1..];
        // The longest name that stands there.
        let known = sets.iter().filter(|(name, _)| rest.starts_with(name.as_str()));
        let (name, values) = known.max_by_key(|(name, _)| name.len())?;
        Some((at, at + 1 + name.len(), values))
    });
    let Some((from, to, values)) = first else { return vec![input.to_owned()] };
    let with = |value: &String| {
        expand(&input[to..], sets)
            .into_iter()
            .map(|rest| format!("{}{value}{rest}", &input[..from]))
            .collect::<Vec<_>>()
    };
    values.iter().flat_map(with).collect()
}

fn evaluate(way: &str, input: &str) -> Vec<u8> {
    if !way.starts_with("json") && !way.starts_with("lines") && !way.starts_with("events") {
        return bytes::evaluate(input);
    }
    let mut text = input.replace("$nl", "\n");
    while let Some(at) = text.find("$rep(") {
        let inner = &text[at + 5..];
        // The first comma that a number and the closing bracket follow.
        let ends = inner.match_indices(',').find_map(|(comma, _)| {
            let (times, rest) = inner[comma + 1..].split_once(')')?;
            Some((&inner[..comma], times.parse::<usize>().ok()?, rest))
        });
        let (what, times, rest) = ends.unwrap_or_else(|| panic!("{input}"));
        text = format!("{}{}{rest}", &text[..at], what.repeat(times));
    }
    text.into_bytes()
}
