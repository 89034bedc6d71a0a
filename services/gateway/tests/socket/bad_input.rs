//! More than a thousand bad inputs, each with the answer that the protocol or the standard wants.
//!
//! They stand in `bad_input/*.txt`; how they are written is said in `bad_input/table.rs`. A bad input
//! gets its code and closes nothing that it need not: where the connection is to stay, an honest
//! command behind it is answered.
mod bytes;
mod drive;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::harness::start;
use table::Case;

/// Connections at once.
const AT_ONCE: usize = 48;
/// Fewer would mean that a table was lost.
const LEAST: usize = 1_000;
/// All of them together, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(120);

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/socket/bad_input");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            cases.extend(table::read(&path));
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_the_answer_that_is_written_beside_it() {
    let cases = cases();
    assert!(cases.len() >= LEAST, "only {} inputs", cases.len());
    let begun = Instant::now();
    let running = start(|config| {
        config.http.sse = true;
        // All of them come from one address.
        config.limits.offences_per_second = 0;
        // What waits for a close that never comes is not waited for long.
        config.limits.close_ms = 300;
    })
    .await;
    let count = cases.len();
    let mut wrong = BTreeMap::<String, String>::new();
    let mut ended = stream::iter(cases.into_iter().enumerate())
        .map(|(number, case)| {
            let running = &running;
            async move { (drive::run(running, number, &case).await, case) }
        })
        .buffer_unordered(AT_ONCE);
    while let Some((got, case)) = ended.next().await {
        if !case.expected.contains(&got) {
            let wanted = case.expected.join(" or ");
            wrong.insert(case.name, format!("wanted {wanted}, got {got}: {}", case.shown));
        }
    }
    drop(ended);
    for (name, what) in &wrong {
        println!("{name}: {what}");
    }
    assert!(wrong.is_empty(), "{} of {count} inputs were answered otherwise", wrong.len());
    // Whoever behaves is served as before.
    let ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    running.stop().await;
    assert!(begun.elapsed() < TIME_MAX, "{count} inputs took {:?}", begun.elapsed());
}
