//! Standard output of commands whose output people pipe into others.
//!
//! A reader that has seen enough (`| head`) closes its end; that is no failure of ours.
use std::io::Write;

/// Prints a text as it is.
pub fn print(text: &str) {
    // Nobody is left to be told of what cannot be written here.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
