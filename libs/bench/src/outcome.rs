//! What a scenario answers: its name, its figures, and what each process cost.
use serde::Serialize;

use crate::goal::Figure;
use crate::processes::Costs;

/// One scenario's result; printed as JSON.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The scenario with its sizes.
    pub scenario: String,
    /// What was measured, units in the names.
    pub figures: Vec<Figure>,
    /// CPU seconds of the measured part and memory at its end, by process.
    pub processes: Costs,
}
