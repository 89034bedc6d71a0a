//! Looks whether the pair's files have changed, by what they hold.
//!
//! Not by their names or times: Kubernetes swaps a link to a folder, editors rename, and both look
//! alike from here. What is of no use is told once, and the pair in use stays.
use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Tls;
use super::pair::{Pair, PairFiles, PairProblem};

/// What was found when the files were last looked at.
type Found = Result<PairFiles, PairProblem>;

/// See the file's head.
pub(super) struct Watch {
    pub(super) tls: Tls,
    last: Arc<Found>,
}

impl Watch {
    pub fn new(mut tls: Tls) -> Self {
        let first = std::mem::take(&mut tls.first);
        Self { tls, last: Arc::new(Ok(first)) }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        // At zero, so that an alert sees the first one that is refused.
        count("done", 0);
        count("refused", 0);
        let mut rounds = interval(self.tls.reload);
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
    pub async fn look(&mut self) {
        let paths = self.tls.paths.clone();
        let last = self.last.clone();
        // A file may lie on a disk that is slow to answer.
        let read = tokio::task::spawn_blocking(move || {
            let found = PairFiles::read(&paths);
            (found != *last).then_some(found)
        });
        let Ok(Some(found)) = read.await else { return };
        match found.as_ref().map_err(PairProblem::to_string) {
            Ok(files) => match Pair::parse(files, &self.tls.provider) {
                Ok(pair) => self.show(pair),
                Err(problem) => refuse(&problem.to_string()),
            },
            Err(problem) => refuse(&problem),
        }
        self.last = Arc::new(found);
    }

    fn show(&self, pair: Pair) {
        pair.tell("new connections get the new certificate");
        self.tls.shown.0.store(Arc::new(pair.certified));
        count("done", 1);
    }
}

fn refuse(problem: &str) {
    tracing::error!(problem, "a new certificate is of no use; the one before stays");
    count("refused", 1);
}

fn count(outcome: &'static str, times: u64) {
    let name = "roomcast_gateway_certificate_reloads_total";
    metrics::counter!(name, "outcome" => outcome).increment(times);
}
