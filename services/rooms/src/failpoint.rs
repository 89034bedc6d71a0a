//! Places where a test may kill the process, to see what a crash there leaves behind.
//!
//! Compiled only with the cargo feature `failpoints`, which no shipped binary has. The variable
//! `ROOMCAST_FAILPOINT=<name>:<nth>` aborts the process when the point of that name is passed for
//! the nth time.
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands in every binary that has failpoints, so that a test can prove that another has none.
pub const MARKER: &str = "roomcast-failpoint";

/// All has been written, nothing is committed.
pub const BEFORE_COMMIT: &str = "before_commit";
/// Committed; nobody was answered, nothing was handed to the bus.
pub const BEFORE_ACK: &str = "before_ack";
/// Committed and answered; nothing was handed to the bus.
pub const AFTER_COMMIT: &str = "after_commit";

#[expect(clippy::disallowed_methods, reason = "no configuration: a test arms its victim")]
static ARMED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let text = std::env::var("ROOMCAST_FAILPOINT").ok()?;
    let (name, nth) = text.split_once(':')?;
    Some((name.to_owned(), nth.parse().ok()?))
});
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Passes a point; does not return if it is the armed one's turn.
pub fn pass(point: &str) {
    let Some((name, nth)) = ARMED.as_ref() else { return };
    if name != point {
        return;
    }
    if PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        use std::io::Write as _;
        // Written past the logs, which an abort would not flush.
        let _ = writeln!(std::io::stderr(), "{MARKER} {point}");
        std::process::abort();
    }
}
