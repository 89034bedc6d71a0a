//! Runs commands from the repository's root and shows each one first.
//!
//! A command that ends with a failure is an error that names it. Output is not captured unless
//! asked for: whoever runs a verb sees what the tool says, when it says it.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where commands run.
#[derive(Debug, Clone)]
pub struct Shell {
    root: PathBuf,
}

impl Shell {
    /// At the root of the repository that this program was built in.
    pub fn new() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: here.ancestors().nth(2).unwrap_or(here).to_owned() }
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// A command, not yet run, in the folder `at` (relative to the root).
    pub fn command<S: AsRef<str>>(&self, at: &str, program: &str, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command.args(args.iter().map(AsRef::as_ref)).current_dir(self.root.join(at));
        command
    }

    /// Runs cargo at the root.
    pub fn cargo<S: AsRef<str>>(&self, args: &[S]) -> Result<()> {
        run(self.command("", "cargo", args))
    }

    /// Runs npm in `web`.
    pub fn npm<S: AsRef<str>>(&self, args: &[S]) -> Result<()> {
        run(self.command("web", "npm", args))
    }

    /// Files that git knows or would add, relative to the root, sorted.
    pub fn files(&self, under: &str) -> Result<Vec<String>> {
        let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", under];
        let text = output(self.command("", "git", &args))?;
        let mut files: Vec<String> =
            text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        files.retain(|path| self.root.join(path).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// Runs a command with this process's own input and output.
pub fn run(mut command: Command) -> Result<()> {
    let shown = show(&command);
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    if status.success() { Ok(()) } else { bail!("{shown}: {status}") }
}

/// Runs a command, shows what it prints, and gives the lines that `keep` picks, also of a failure.
pub fn run_keeping(mut command: Command, keep: impl Fn(&str) -> bool) -> (Vec<String>, Result<()>) {
    let shown = show(&command);
    eprintln!("$ {shown}");
    let mut kept = Vec::new();
    let mut follow = || -> Result<()> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {shown}"))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).into_owned();
                println!("{line}");
                if keep(&line) {
                    kept.push(line);
                }
            }
        }
        let status = child.wait()?;
        if status.success() { Ok(()) } else { bail!("{shown}: {status}") }
    };
    let ended = follow();
    (kept, ended)
}

/// Runs a command silently and gives what it printed. Its complaints are part of the error.
pub fn output(mut command: Command) -> Result<String> {
    let shown = show(&command);
    let ended = command.output().with_context(|| format!("cannot run {shown}"))?;
    if !ended.status.success() {
        bail!("{shown}: {}\n{}", ended.status, String::from_utf8_lossy(&ended.stderr).trim_end());
    }
    String::from_utf8(ended.stdout).with_context(|| format!("{shown} printed no text"))
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| {
        let arg = arg.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+#".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            arg.into_owned()
        } else {
            format!("'{arg}'")
        }
    }));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_command_and_its_complaint() {
        let shell = Shell::new();
        let failed = output(shell.command("", "cargo", &["no-such-verb"])).unwrap_err();
        let text = format!("{failed:#}");
        assert!(text.starts_with("cargo no-such-verb: exit status"), "{text}");
        assert!(text.contains("no such command"), "{text}");
        assert!(run(shell.command("", "no-such-program", &["x"])).is_err());
    }

    #[test]
    fn lines_are_kept_and_the_outcome_too() {
        let shell = Shell::new();
        let script = ["-c", "echo one; echo two; exit 3"];
        let (kept, ended) = run_keeping(shell.command("", "sh", &script), |l| l.starts_with('t'));
        assert_eq!(kept, ["two"]);
        assert!(ended.is_err());
    }
}
