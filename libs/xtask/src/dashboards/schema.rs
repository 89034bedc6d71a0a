//! The boards against Grafana's own model of a dashboard, which it publishes as TypeScript.
//!
//! Each board becomes a constant of that type, so that the compiler finds a field that is missing,
//! misspelt or of another kind. Options of single panels are open in that model, so they are not checked.
use std::fmt::Write as _;

use anyhow::Result;

use super::quietly;
use crate::parts;
use crate::shell::Shell;

/// A value of an enum of the model, as boards write it and as TypeScript wants it.
const ENUMS: [(&str, &str); 1] = [("\"mode\": \"absolute\"", "\"mode\": ThresholdsMode.Absolute")];

/// Checks boards, given with their paths.
pub fn check(shell: &Shell, boards: &[(String, String)]) -> Result<()> {
    let folder = parts::grafana_schema(shell)?;
    // Beside the installed model, where imports are looked for; of this run alone.
    let source = folder.join(format!("boards-{}.ts", std::process::id()));
    std::fs::write(&source, written(boards))?;
    let program = folder.join("node_modules/.bin/tsc");
    let checked = quietly(
        shell,
        &program.to_string_lossy(),
        &["--noEmit", "--strict", "--skipLibCheck", "--target", "es2020", "--module", "commonjs"]
            .into_iter()
            .chain(["--moduleResolution", "node", &source.to_string_lossy()])
            .collect::<Vec<_>>(),
    );
    std::fs::remove_file(&source)?;
    checked.map(|_| println!("{} boards fit Grafana's own model", boards.len()))
}

fn written(boards: &[(String, String)]) -> String {
    let mut text = "import { type Dashboard, ThresholdsMode } from '@grafana/schema';\n".to_owned();
    for (index, (path, board)) in boards.iter().enumerate() {
        let board = ENUMS.iter().fold(board.clone(), |text, (json, ts)| text.replace(json, ts));
        let _ = writeln!(text, "// {path}\nexport const board{index}: Dashboard = {board};");
    }
    text
}
