//! Figures and what they are held against.
//!
//! Absolute figures drift with the machine: a goal that is missed here asks for a second look at
//! the same run's other figures, and never fails a build.
use std::borrow::Cow;

use serde::Serialize;

/// A figure, and its goal where one is stated.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    name: Cow<'static, str>,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

#[derive(Debug, Clone, Serialize)]
struct Goal {
    at: f64,
    met: bool,
}

impl Figure {
    /// A figure without a goal.
    pub fn plain(name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        Self { name: name.into(), value, goal: None }
    }

    /// One that shall not be above `at`.
    pub fn at_most(name: impl Into<Cow<'static, str>>, value: f64, at: Option<f64>) -> Self {
        Self { goal: at.map(|at| Goal { at, met: value <= at }), ..Self::plain(name, value) }
    }

    /// One that shall not be below `at`.
    pub fn at_least(name: impl Into<Cow<'static, str>>, value: f64, at: Option<f64>) -> Self {
        Self { goal: at.map(|at| Goal { at, met: value >= at }), ..Self::plain(name, value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_on_its_own_side() {
        let met = |figure: Figure| figure.goal.map(|goal| goal.met);
        assert_eq!(met(Figure::at_most("cost", 3.0, Some(4.0))), Some(true));
        assert_eq!(met(Figure::at_most("cost", 5.0, Some(4.0))), Some(false));
        assert_eq!(met(Figure::at_least("speed", 5.0, Some(4.0))), Some(true));
        assert_eq!(met(Figure::at_least("speed", 3.0, Some(4.0))), Some(false));
        assert_eq!(met(Figure::at_least("speed", 3.0, None)), None);
        assert_eq!(met(Figure::plain("count", 1.0)), None);
    }
}
