//! The process dies inside a publish; what the next one finds. Needs the feature `failpoints`.
//!
//! The test binary starts itself again as the victim, with the failpoint armed.
use std::path::Path;
use std::process::{Command, Output};

use crate::given::*;

const DATABASE: &str = "ROOMCAST_CRASH_DATABASE";

/// Publishes until the process dies. Does nothing unless it is started as a victim.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the test speaks to its victim")]
async fn victim() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let given = with(config(&database), None).await;
    for n in 1..=10 {
        let published = given.publish("general", "u", &format!("id-{n:05}")).await.unwrap();
        println!("acked {}", published.position.offset);
    }
}

fn die(database: &str, point: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::victim", "--nocapture", "--test-threads=1"])
        .env(DATABASE, database)
        .env("ROOMCAST_FAILPOINT", point)
        .output()
        .unwrap()
}

/// Kills a victim at the third publish and answers (acked by it, items in the log, place of the
/// retry).
async fn after_a_crash_at(folder: &Path, point: &str) -> (usize, usize, u64) {
    let database = format!("sqlite://{}", folder.join(format!("{point}.db")).display());
    let output = die(&database, &format!("{point}:3"));
    assert!(!output.status.success(), "it did not die at {point}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(rooms::failpoint::MARKER), "{told}");
    let acked = String::from_utf8_lossy(&output.stdout).matches("acked ").count();
    let given = with(config(&database), None).await;
    let items = given.log("general").await.len();
    let again = given.publish("general", "u", "id-00003").await.unwrap();
    assert_eq!(given.log("general").await.len(), 3);
    (acked, items, again.position.offset)
}

#[tokio::test]
async fn a_retry_after_any_crash_makes_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let at = async |point| after_a_crash_at(folder.path(), point).await;
    assert_eq!(at(rooms::failpoint::BEFORE_COMMIT).await, (2, 2, 3), "nothing was committed");
    assert_eq!(at(rooms::failpoint::BEFORE_ACK).await, (2, 3, 3), "committed, and not acked");
    let (acked, items, place) = at(rooms::failpoint::AFTER_COMMIT).await;
    assert!((2..=3).contains(&acked));
    assert_eq!((items, place), (3, 3), "committed, and not handed on");
}
