//! What if a person knows best? Then the first plan stays: the baseline for everything else.

use super::Controller;
use crate::{Change, Moment, Plan, Sample};

/// Keeps one plan.
#[derive(Debug, Clone)]
pub struct Fixed {
    plan: Plan,
}

impl Fixed {
    /// The controller that keeps `plan`.
    #[must_use]
    pub const fn new(plan: Plan) -> Self {
        Self { plan }
    }
}

impl Controller for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, _sample: &Sample) -> Option<Change> {
        None
    }
}
