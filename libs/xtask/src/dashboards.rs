//! `dashboards`: the Grafana dashboards and the alert rules, against a real Prometheus.
//!
//! First what needs no system: the boards' structure, the rules' unit tests, and that the how-to
//! page knows every panel and alert. Then a system of real processes runs under load while a
//! Prometheus scrapes it: every query must answer, with data unless `quiet` says why not, and no
//! alert may hold. At last the broker, the presence store and the database are killed: their
//! alerts must hold then, and the queries about faults have data.
mod board;
mod prometheus;
mod quiet;
mod rules;
mod schema;
mod system;

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::parts;
use crate::shell::{self, Shell};
use board::Query;
use prometheus::Prometheus;
use quiet::Quiet;
use system::System;

/// Where the boards lie.
const BOARDS: &str = "helm/roomcast/dashboards";
/// What tells the operator what each panel and alert means.
const PAGE: &str = "docs/how-to/read-the-dashboards.md";
/// How long the load runs before the queries: rates look back for a minute.
const WARM_UP: Duration = Duration::from_secs(25);
/// What people said in the last seconds.
const TALK: &str = "sum(increase(roomcast_rooms_publishes_total{outcome=\"ok\"}[5s]))";
/// How long a fault may take to be seen.
const SEEN: Duration = Duration::from_secs(60);
/// What is killed, and the alerts that must then be pending or firing. The database goes first: the
/// load does not begin again without its parts, and only publishes show that the log fails.
const FAULTS: [(&str, &[&str]); 3] = [
    ("postgresql", &["RoomcastPublishesFail", "RoomcastCallsFail"]),
    ("rabbitmq", &["RoomcastWithoutBroker", "RoomcastBrokerConnectionDown"]),
    ("redis", &["RoomcastPresenceStoreFails"]),
];

/// Runs the binaries that lie in `target/{profile}`; they must have been built.
pub fn run(shell: &Shell, profile: &str) -> Result<()> {
    parts::prometheus(shell)?;
    let queries = checked(shell)?;
    let mut system = System::start(shell, profile)?;
    let prometheus = Prometheus::start(shell, &system.ops)?;
    prometheus.wait(&format!("count(up == 1) == {}", system.ops.len()), SEEN)?;
    system.load(shell)?;
    pause(WARM_UP / 2);
    // What was born between two scrapes shows no rise: some come and are sent away once more.
    system.connects(shell)?;
    system.refusals()?;
    pause(WARM_UP / 2);
    let answered = all_answer(&prometheus, &queries, |quiet| quiet.is_some())?;
    ensure!(prometheus.ask("ALERTS")?.is_empty(), "alerts hold: {:?}", prometheus.ask("ALERTS")?);
    println!("{answered} of {} queries have data, the others a reason", queries.len());
    // Fresh load for half a minute, so that people talk when the first part is killed.
    system.unload();
    prometheus.wait(&format!("{TALK} == 0"), SEEN)?;
    system.load(shell)?;
    prometheus.wait(&format!("{TALK} > 20"), SEEN)?;
    for (part, alerts) in FAULTS {
        system.kill(shell, part)?;
        for alert in alerts {
            prometheus.wait(&format!("ALERTS{{alertname=\"{alert}\"}}"), SEEN).context(part)?;
            println!("{part} was killed: {alert} holds");
        }
    }
    let broken = |quiet: Option<Quiet>| quiet.is_some_and(|quiet| !quiet.broken);
    let told = all_answer(&prometheus, &faults(queries), broken)?;
    println!("{told} queries about faults have data after them");
    drop(prometheus);
    system.end()
}

/// What needs no system. Gives every query of boards and rules.
fn checked(shell: &Shell) -> Result<Vec<Query>> {
    let page = std::fs::read_to_string(shell.root().join(PAGE)).context(PAGE)?;
    let (mut queries, mut problems) = (Vec::new(), Vec::new());
    let read = |path: String| {
        let text = std::fs::read_to_string(shell.root().join(&path))?;
        Ok((path, text))
    };
    let boards = shell.files(BOARDS)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    ensure!(!boards.is_empty(), "{BOARDS} is empty");
    for (path, text) in &boards {
        let board = board::read(path, text)?;
        problems.extend(board.problems(&page));
        queries.extend(board.queries());
    }
    let rules = rules::read(shell)?;
    problems.extend(rules.problems(&page));
    queries.extend(rules.selectors());
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    rules.promtool(shell)?;
    schema::check(shell, &boards)?;
    Ok(queries)
}

/// Those that are quiet on a good day, and not on a bad one.
fn faults(queries: Vec<Query>) -> Vec<Query> {
    let about = |query: &Query| quiet::of(&query.expression).is_some_and(|quiet| quiet.broken);
    queries.into_iter().filter(about).collect()
}

/// Asks every query; how many have data. One without any needs an excuse.
fn all_answer(
    prometheus: &Prometheus,
    queries: &[Query],
    excused: impl Fn(Option<Quiet>) -> bool,
) -> Result<usize> {
    let mut problems = Vec::new();
    let mut answered = 0;
    for query in queries {
        match prometheus.ask(&query.expression) {
            Err(error) => problems.push(format!("{}: {error:#}", query.place)),
            Ok(lines) if lines.iter().any(|line| !line.contains("=> NaN ")) => answered += 1,
            Ok(_) if excused(quiet::of(&query.expression)) => {}
            Ok(_) => problems.push(format!("{}: no data: {}", query.place, query.expression)),
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(answered)
}

/// One line of a file of ours, cut after its key.
fn after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.trim_start().trim_start_matches("- ").strip_prefix(key).map(str::trim)
}

/// The name of a heading's anchor, as a page's reader gets it.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || " -_".contains(c);
    heading.to_lowercase().chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-")
}

/// Anchors of all headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[expect(clippy::disallowed_methods, reason = "this program has no runtime to hold up")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Runs a command for its output, and tells a failure by what it printed.
fn quietly(shell: &Shell, program: &str, args: &[&str]) -> Result<String> {
    shell::output(shell.command("", program, args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_anchors_that_links_use() {
        let page = "# A page\ntext\n### RoomcastNoGateway\n## What, and why?\n";
        assert_eq!(anchors(page), ["a-page", "roomcastnogateway", "what-and-why"]);
    }

    #[test]
    fn the_committed_boards_and_rules_are_sound() {
        let queries = checked_without_promtool(&Shell::new()).unwrap();
        assert!(queries.len() > 100, "{}", queries.len());
    }

    /// As [`checked`], where Prometheus may not be installed.
    fn checked_without_promtool(shell: &Shell) -> Result<Vec<Query>> {
        let page = std::fs::read_to_string(shell.root().join(PAGE))?;
        let mut queries = Vec::new();
        for path in shell.files(BOARDS)? {
            let board = board::read(&path, &std::fs::read_to_string(shell.root().join(&path))?)?;
            assert_eq!(board.problems(&page), Vec::<String>::new());
            queries.extend(board.queries());
        }
        let rules = rules::read(shell)?;
        assert_eq!(rules.problems(&page), Vec::<String>::new());
        queries.extend(rules.selectors());
        Ok(queries)
    }
}
