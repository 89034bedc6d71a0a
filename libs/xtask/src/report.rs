//! A run of several steps: each is timed, none hides another's failure, the end tells all.
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The steps of a run so far.
#[derive(Debug)]
pub struct Report {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Report {
    /// No steps yet.
    pub fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Takes a step; whether it passed.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        self.noted_step(name, || (Vec::new(), work()))
    }

    /// Takes a step that leaves lines for the end.
    pub fn noted_step(
        &mut self,
        name: &str,
        work: impl FnOnce() -> (Vec<String>, Result<()>),
    ) -> bool {
        eprintln!("\n== {name}");
        let begun = Instant::now();
        let (notes, ended) = work();
        self.add(name, begun.elapsed(), notes, ended)
    }

    /// Adds a step that was taken elsewhere, beside the others.
    pub fn add(
        &mut self,
        name: &str,
        took: Duration,
        notes: Vec<String>,
        ended: Result<()>,
    ) -> bool {
        let outcome = match ended {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.steps.push(Step { name: name.to_owned(), took, outcome, notes });
        passed
    }

    /// Notes that a step was not taken, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        let outcome = Outcome::Skipped(why.to_owned());
        let took = Duration::ZERO;
        self.steps.push(Step { name: name.to_owned(), took, outcome, notes: vec![] });
    }

    /// Prints all steps; fails if one did.
    pub fn finish(self) -> Result<()> {
        println!();
        let mut failed = Vec::new();
        for step in &self.steps {
            for note in &step.notes {
                println!("{note}");
            }
        }
        for step in &self.steps {
            let seconds = step.took.as_secs_f64();
            let (word, why) = match &step.outcome {
                Outcome::Passed => ("ok", ""),
                Outcome::Skipped(why) => ("skipped", why.as_str()),
                Outcome::Failed(why) => {
                    failed.push(step.name.as_str());
                    ("FAILED", why.lines().next().unwrap_or_default())
                }
            };
            println!("{word:>8} {seconds:>8.1} s  {:<24} {why}", step.name);
        }
        if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_told_and_later_steps_are_taken() {
        let mut report = Report::new();
        assert!(!report.step("first", || bail!("broken")));
        assert!(report.step("second", || Ok(())));
        assert!(!report.step("third", || bail!("broken too")));
        report.skip("fourth", "no need");
        assert_eq!(report.finish().unwrap_err().to_string(), "failed: first, third");
    }
}
