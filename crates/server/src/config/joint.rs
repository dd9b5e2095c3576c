//! What is the joint controller of a lane after?
//!
//! The names are those of the library, which holds their bounds.

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::control::joint;

use super::read::{Fields, Section};
use super::units::Span;

/// Settings of the controller `joint`: what counts how much. The target holds whatever they are.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct JointConfig {
    /// Weight of the events delivered in time a second, 0 to 1. Default 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub throughput: f64,
    /// Weight of a low attempt latency, 0 to 1. Default 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub latency: f64,
    /// Weight of few attempts, 0 to 1. Default 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cost: f64,
}

impl Default for JointConfig {
    fn default() -> Self {
        let joint::Weights { throughput, latency, cost } = joint::Objective::default().weights();
        Self { throughput, latency, cost }
    }
}

impl JointConfig {
    pub(super) fn settings(&self, target: Span) -> joint::Settings {
        let Self { throughput, latency, cost } = *self;
        let weights = joint::Weights { throughput, latency, cost };
        joint::Settings {
            target: target.duration(),
            objective: joint::Objective::Weights(weights),
            ..joint::Settings::default()
        }
    }

    /// Puts a refused field back to its default. False if there is no such field.
    pub(super) fn reset(&mut self, field: &str) -> bool {
        let default = Self::default();
        match field {
            "throughput" => self.throughput = default.throughput,
            "latency" => self.latency = default.latency,
            "cost" => self.cost = default.cost,
            _ => return false,
        }
        true
    }
}

impl Section for JointConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { throughput, latency, cost } = self;
        fields.leaf("throughput", throughput);
        fields.leaf("latency", latency);
        fields.leaf("cost", cost);
    }
}
