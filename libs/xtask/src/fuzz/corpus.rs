//! The inputs of a target in the repository: `libs/fuzz/corpus/TARGET/NAME`, written by hand or
//! found to break something, and `TARGET.hex`, chosen by libFuzzer, an input a line.
//!
//! The second kind is kept small: the shortest inputs first, up to [`KEPT_BYTES`].
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{self, Shell};

/// What is kept of one target, in bytes before they are written in hex.
const KEPT_BYTES: usize = 16 * 1024;
const PLACE: &str = "libs/fuzz/corpus";

/// Writes a target's inputs as files, as libFuzzer wants them.
pub(super) fn unpack(shell: &Shell, target: &str, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    let place = shell.root().join(PLACE);
    let named = place.join(target);
    if named.is_dir() {
        for entry in fs::read_dir(named)? {
            let entry = entry?;
            fs::copy(entry.path(), into.join(entry.file_name()))?;
        }
    }
    let chosen = place.join(format!("{target}.hex"));
    let text = if chosen.is_file() { fs::read_to_string(&chosen)? } else { String::new() };
    for (number, line) in text.lines().enumerate() {
        let bytes =
            bytes_of(line).with_context(|| format!("{}:{}", chosen.display(), number + 1))?;
        fs::write(into.join(format!("chosen-{number}")), bytes)?;
    }
    Ok(())
}

/// Minimises what a target has gathered and keeps the small inputs of it.
pub(super) fn keep(shell: &Shell, program: &Path, target: &str, place: &Path) -> Result<()> {
    let smaller = place.join("merged");
    if smaller.is_dir() {
        fs::remove_dir_all(&smaller)?;
    }
    fs::create_dir_all(&smaller)?;
    let mut command = Command::new(program);
    command.args(["-merge=1", "-timeout=5"]).arg(&smaller).arg(place.join("corpus"));
    shell::output(command)?;
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&smaller)? {
        inputs.push(fs::read(entry?.path())?);
    }
    inputs.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    let mut bytes = 0;
    inputs.retain(|input| {
        bytes += input.len();
        !input.is_empty() && bytes <= KEPT_BYTES
    });
    let text: String = inputs.iter().map(|input| hex_of(input) + "\n").collect();
    let file = shell.root().join(PLACE).join(format!("{target}.hex"));
    fs::write(&file, text)?;
    eprintln!("{}: {} inputs", file.display(), inputs.len());
    Ok(())
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(line: &str) -> Result<Vec<u8>> {
    let digit = |at: usize| line.get(at..at + 2).context("half a byte");
    let pairs = (0..line.len()).step_by(2);
    pairs.map(|at| Ok(u8::from_str_radix(digit(at)?, 16)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_comes_back_as_it_was() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&hex_of(&bytes)).unwrap(), bytes);
        for bad in ["0", "0g", "é0"] {
            assert!(bytes_of(bad).is_err(), "{bad}");
        }
    }
}
