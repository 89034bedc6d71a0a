//! `env`: a `.env` for compose.yaml, with random values for all that has no default.
//!
//! Which those are stands in `.env.example`: the lines with nothing behind the sign. A `.env` that is there stays
//! as it is: parts that keep data know its passwords.
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::Shell;

const EXAMPLE: &str = ".env.example";
/// Bytes of each value; twice as many digits.
const RANDOM_BYTES: usize = 24;

/// Writes `.env` at the root.
pub fn run(shell: &Shell) -> Result<()> {
    write(shell, &shell.root().join(".env"))?;
    eprintln!("env: .env is written; it holds passwords, so only you can read it");
    Ok(())
}

/// Writes such a file elsewhere. Fails if it is there already.
pub fn write(shell: &Shell, path: &Path) -> Result<()> {
    let example = std::fs::read_to_string(shell.root().join(EXAMPLE)).context(EXAMPLE)?;
    let text = filled(&example, random)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn filled(example: &str, mut value: impl FnMut() -> Result<String>) -> Result<String> {
    let mut text = String::new();
    for line in example.lines() {
        text.push_str(line);
        if line.ends_with('=') && !line.starts_with('#') {
            text.push_str(&value()?);
        }
        text.push('\n');
    }
    Ok(text)
}

fn random() -> Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_value_is_filled_and_nothing_else() {
        let example = "# A=\nONE=\nTWO=given\nTHREE=\n#FOUR=\n";
        let mut count = 0;
        let text = filled(example, || {
            count += 1;
            Ok(format!("v{count}"))
        });
        assert_eq!(text.unwrap(), "# A=\nONE=v1\nTWO=given\nTHREE=v2\n#FOUR=\n");
    }

    #[test]
    fn no_two_values_are_alike_and_they_can_stand_in_a_url() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_ne!(one, two);
        assert!(one.len() == 48 && one.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
