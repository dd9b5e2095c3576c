//! Who decided what, and why?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;

/// A change of plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Names it while the server runs: `sink/lane/number`.
    pub id: String,
    /// The lane, as `sink/lane`.
    pub lane: String,
    /// Its place among the lane's decisions since the server began; the first is 0.
    pub number: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// Who: the name of a controller, of a guard (`rate`, `memory`, `cpu`, `target`, `in_flight`), or
    /// `bounds`.
    pub by: String,
    /// Why, as a sentence without a capital and a full stop.
    pub reason: String,
    /// The plan before.
    pub from: Plan,
    /// The plan from then on.
    pub to: Plan,
}

/// Decisions that a filter lets through, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionPage {
    /// The decisions, the newest first.
    pub decisions: Vec<Decision>,
    /// How many of those that are kept the filter lets through, on all pages.
    pub matching: u64,
    /// How many are kept of the lanes that were asked for.
    pub kept: u64,
    /// How many there ever were of these lanes since the server began; the last of them are kept, at
    /// most 1,000 a lane.
    pub total: u64,
    /// `before` of the next page; null on the last one.
    pub next: Option<String>,
}
