//! Looks whether the files have changed, by what they hold.
//!
//! Not by their names or times: Kubernetes swaps a link to a folder, editors rename, and both look
//! alike from here. What is of no use is told once, and the pair in use stays.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::files::{Files, Problem};
use crate::{Current, Pair};

/// See the file's head.
pub(crate) struct Watch {
    pub(crate) current: Arc<Current>,
    /// What was found when the files were last looked at; `None`: the first pair's.
    last: Arc<Option<Result<Files, Problem>>>,
}

impl Watch {
    pub(crate) fn new(current: Arc<Current>) -> Self {
        Self { current, last: Arc::new(None) }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, reload: Duration, stop: CancellationToken) {
        // At zero, so that an alert sees the first one that is refused.
        self.count("done", 0);
        self.count("refused", 0);
        let mut rounds = interval(reload);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = rounds.tick() => {}
            }
            self.look().await;
        }
    }

    /// One look.
    pub(crate) async fn look(&mut self) {
        let (current, last) = (self.current.clone(), self.last.clone());
        // A file may lie on a disk that is slow to answer.
        let read = tokio::task::spawn_blocking(move || {
            let found = Files::read(&current.paths);
            let same = match last.as_ref() {
                Some(last) => found == *last,
                None => found.as_ref() == Ok(&current.first),
            };
            (!same).then_some(found)
        });
        let Ok(Some(found)) = read.await else { return };
        match found.as_ref().map_err(Problem::to_string) {
            Ok(files) => match Pair::parse(files) {
                Ok(pair) => self.take(pair),
                Err(problem) => self.refuse(&problem.to_string()),
            },
            Err(problem) => self.refuse(&problem),
        }
        self.last = Arc::new(Some(found));
    }

    fn take(&self, pair: Pair) {
        pair.tell(self.current.place, "new connections get the new certificate");
        self.current.pair.store(Arc::new(pair));
        self.count("done", 1);
    }

    fn refuse(&self, problem: &str) {
        tracing::error!(problem, "a new certificate is of no use; the one before stays");
        self.count("refused", 1);
    }

    fn count(&self, outcome: &'static str, times: u64) {
        metrics::counter!(self.current.place.reloads(), "outcome" => outcome).increment(times);
    }
}
