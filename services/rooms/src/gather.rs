//! Turns many small reads that arrive at once into one.
//!
//! Those that wait while the last read runs go into the next one together; no timer. A read
//! therefore always begins after the call that asked for it. Bounded: what does not fit is refused
//! as transient.
use std::future::Future;
use std::sync::Arc;

use domain::{Error, ErrorReason, Result};
use tokio::sync::{mpsc, oneshot};

/// Questions in one read at most.
const TOGETHER_MAX: usize = 512;
/// Questions that may wait.
const WAITING_MAX: usize = 8_192;

type Question<Q, A> = (Q, oneshot::Sender<Result<A>>);

/// Asks questions together.
pub(crate) struct Gather<Q, A> {
    questions: mpsc::Sender<Question<Q, A>>,
}

impl<Q: Send + 'static, A: Send + 'static> Gather<Q, A> {
    /// `read` answers questions in their order. The task ends with the last handle.
    pub(crate) fn new<F, R>(readers: usize, read: F) -> Self
    where
        F: Fn(Vec<Q>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<A>>> + Send + 'static,
    {
        let (questions, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let read = Arc::new(read);
        for _ in 0..readers.max(1) {
            tokio::spawn(answer(waiting.clone(), read.clone()));
        }
        Self { questions }
    }

    /// Asks one question; the read begins after this call.
    pub(crate) async fn ask(&self, question: Q) -> Result<A> {
        let (answer, answered) = oneshot::channel();
        self.questions
            .try_send((question, answer))
            .map_err(|_| Error::new(ErrorReason::RateLimited, "too many reads wait; try again"))?;
        answered.await.unwrap_or_else(|_| Err(Error::unavailable("the reader ended; try again")))
    }
}

async fn answer<Q, A, F, R>(
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Question<Q, A>>>>,
    read: Arc<F>,
) where
    F: Fn(Vec<Q>) -> R,
    R: Future<Output = Result<Vec<A>>>,
{
    let mut together = Vec::new();
    loop {
        let taken = waiting.lock().await.recv_many(&mut together, TOGETHER_MAX).await;
        if taken == 0 {
            return;
        }
        let (questions, askers): (Vec<_>, Vec<_>) = together.drain(..).unzip();
        match read(questions).await {
            Ok(answers) => {
                for (asker, answer) in askers.into_iter().zip(answers) {
                    // An asker that has gone needs no answer.
                    let _ = asker.send(Ok(answer));
                }
            }
            Err(error) => {
                for asker in askers {
                    let _ = asker.send(Err(error.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_answered_by_one_read() {
        let reads = Arc::new(AtomicUsize::new(0));
        let (gate, opened) = tokio::sync::watch::channel(false);
        let counted = reads.clone();
        let gather = Arc::new(Gather::new(1, move |asked: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut opened = opened.clone();
            async move {
                opened.wait_for(|open| *open).await.unwrap();
                Ok(asked.into_iter().map(|n| n * 2).collect())
            }
        }));
        let asking: Vec<_> = (0..100)
            .map(|n| {
                let gather = gather.clone();
                tokio::spawn(async move { gather.ask(n).await })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.send_replace(true);
        for (n, asked) in asking.into_iter().enumerate() {
            assert_eq!(asked.await.unwrap(), Ok(n as u32 * 2));
        }
        assert!(reads.load(Ordering::SeqCst) <= 3, "{reads:?} reads for 100 questions");
    }
}
