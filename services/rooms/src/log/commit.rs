//! Brings one batch into the store, whatever it takes within the time given.
//!
//! First equal items are joined in memory. Then one transaction; after a lost connection or a
//! deadlock the whole batch again, which the message ids make safe; one by one only if the database
//! refused a value, so that a poisonous message hurts its sender alone.
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::{Error, ErrorReason, Result};
use tokio::time::Instant;

use crate::metrics;
use crate::store::plan::{behind_a_failure, id_conflict};
use crate::store::{Append, AppendError, Appended, Store};

const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// The results, in the order of the batch.
pub(super) async fn commit(
    store: &dyn Store,
    batch: &[Append],
    commit_max: Duration,
) -> Vec<Result<Appended>> {
    let until = Instant::now() + commit_max;
    let fate = join_equal(batch);
    let alone = |fate: &Fate| matches!(fate, Fate::Alone(_));
    if fate.iter().all(alone) {
        return unique_items(store, batch, until).await;
    }
    let unique = fate.iter().zip(batch).filter(|(fate, _)| alone(fate));
    let unique: Vec<Append> = unique.map(|(_, item)| item.clone()).collect();
    let results = unique_items(store, &unique, until).await;
    fate.into_iter()
        .map(|fate| match fate {
            Fate::Alone(at) => results[at].clone(),
            Fate::With(at) => {
                results[at].clone().map(|first| Appended { duplicate: true, ..first })
            }
            Fate::Conflict => Err(id_conflict()),
        })
        .collect()
}

/// What becomes of an item of the batch.
enum Fate {
    /// It goes to the store, at this place.
    Alone(usize),
    /// It is the same as the one at this place.
    With(usize),
    /// Its message id stands for another payload earlier in the batch.
    Conflict,
}

fn join_equal(batch: &[Append]) -> Vec<Fate> {
    let mut first = HashMap::with_capacity(batch.len());
    let mut unique = 0;
    batch
        .iter()
        .map(|item| match first.entry((&item.room, &item.owner, &item.message_id)) {
            Entry::Vacant(place) => {
                place.insert((unique, &item.digest));
                unique += 1;
                Fate::Alone(unique - 1)
            }
            Entry::Occupied(earlier) => {
                let (at, digest) = earlier.get();
                if **digest == item.digest { Fate::With(*at) } else { Fate::Conflict }
            }
        })
        .collect()
}

/// Appends the batch; then, once more, what is left of it for rooms that had to be made.
async fn unique_items(
    store: &dyn Store,
    batch: &[Append],
    until: Instant,
) -> Vec<Result<Appended>> {
    let mut results = as_it_is(store, batch, until).await;
    let unmade = |(item, result): &(&Append, &Result<Appended>)| {
        item.make_room && matches!(result, Err(error) if error.reason == ErrorReason::NotFound)
    };
    let missing: Vec<Append> =
        batch.iter().zip(&results).filter(unmade).map(|(item, _)| item.clone()).collect();
    if missing.is_empty() {
        return results;
    }
    // All items of a room that was missing stand here, so their order is kept.
    let mut late = match make_rooms(store, &missing).await {
        Ok(()) => as_it_is(store, &missing, until).await,
        Err(error) => vec![Err(error); missing.len()],
    }
    .into_iter();
    for (item, result) in batch.iter().zip(&mut results) {
        if unmade(&(item, result))
            && let Some(new) = late.next()
        {
            *result = new;
        }
    }
    results
}

/// In a transaction before: the room must be there to be locked.
async fn make_rooms(store: &dyn Store, items: &[Append]) -> Result<()> {
    let rooms: HashSet<_> = items.iter().map(|item| &item.room).collect();
    for room in rooms {
        store.ensure_room(room).await?;
    }
    Ok(())
}

async fn as_it_is(store: &dyn Store, batch: &[Append], until: Instant) -> Vec<Result<Appended>> {
    match together(store, batch, until).await {
        Ok(results) => results,
        Err(Refused) if batch.len() == 1 => {
            vec![Err(Error::invalid("the message cannot be stored"))]
        }
        Err(Refused) => one_by_one(store, batch, until).await,
    }
}

/// The database refused a value of the batch.
struct Refused;

/// One transaction for all, repeated while that is safe and of use.
async fn together(
    store: &dyn Store,
    batch: &[Append],
    until: Instant,
) -> std::result::Result<Vec<Result<Appended>>, Refused> {
    let mut pause = PAUSE_FIRST;
    loop {
        let cause = match store.append(batch).await {
            Ok(results) => return Ok(results),
            Err(AppendError::Data(cause)) => {
                tracing::warn!(cause, items = batch.len(), "the database refused a value");
                return Err(Refused);
            }
            Err(AppendError::Failed(cause)) => {
                tracing::error!(cause, items = batch.len(), "a batch could not be committed");
                return Ok(failed(batch));
            }
            Err(AppendError::Again(cause)) => cause,
        };
        let nobody_waits = batch.iter().all(|item| item.deadline.passed());
        if nobody_waits || Instant::now() + pause >= until {
            tracing::error!(
                cause,
                items = batch.len(),
                "a batch was given up; its outcome is unknown"
            );
            return Ok(failed(batch));
        }
        tracing::warn!(cause, items = batch.len(), "a batch is appended again");
        metrics::repeated();
        // Half fixed, half by chance: two pods that met in a deadlock shall not meet again.
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn failed(batch: &[Append]) -> Vec<Result<Appended>> {
    let error = Error::unavailable("the log cannot be reached; try again");
    vec![Err(error); batch.len()]
}

async fn one_by_one(store: &dyn Store, batch: &[Append], until: Instant) -> Vec<Result<Appended>> {
    metrics::one_by_one();
    let mut broken = HashSet::new();
    let mut results = Vec::with_capacity(batch.len());
    for item in batch {
        let author = (&item.room, &item.owner);
        let result = if broken.contains(&author) {
            Err(behind_a_failure())
        } else {
            match together(store, std::slice::from_ref(item), until).await {
                Ok(mut one) => one.pop().unwrap_or_else(|| Err(behind_a_failure())),
                Err(Refused) => Err(Error::invalid("the message cannot be stored")),
            }
        };
        if result.as_ref().is_err_and(Error::transient) {
            broken.insert(author);
        }
        results.push(result);
    }
    results
}
