//! What if one sink takes operations of very different cost? Classes: each has a lane, an engine and
//! a learnt size of its own, and they share what the sink can take at once by weight.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Arrivals;

/// A class of operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name in results, 1 to 64 characters.
    pub name: String,
    /// Its share of the attempt-seconds, against those of the others, .01 to 100. Default 1.
    #[serde(default = "one")]
    pub weight: f64,
    /// By what the service of a batch of it is multiplied, .001 to 1,000. Default 1.
    #[serde(default = "one")]
    pub cost: f64,
    /// What arrives of it. Default: what the scenario says.
    #[serde(default)]
    pub arrivals: Option<Arrivals>,
}

const fn one() -> f64 {
    1.0
}
