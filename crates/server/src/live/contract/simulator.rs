//! Who would fare better? A race of controllers in virtual time, run by the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;

/// What can be raced, and the last race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatorCatalogue {
    /// The scenarios, in the order in which they are told.
    pub scenarios: Vec<SimulatorScenario>,
    /// The controllers by name.
    pub controllers: Vec<String>,
    /// The library's default controller.
    pub default_controller: String,
    /// What a race may ask for.
    pub limits: SimulatorLimits,
    /// The race under way, or the last one; null if there was none.
    pub last: Option<SimulatorRun>,
}

/// A scenario that ships.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatorScenario {
    /// Its name.
    pub name: String,
    /// Its suite: `canonical`, `sharers`, `measured`.
    pub suite: String,
    /// What it is, as sentences.
    pub about: String,
    /// Virtual time.
    pub duration_s: f64,
    /// The longest latency that is in time.
    pub target_ms: f64,
    /// Whether there are always more items than can be taken.
    pub saturated: bool,
    /// When the backend changes, in seconds of virtual time.
    pub changes_s: Vec<f64>,
}

/// What a race may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatorLimits {
    /// Most controllers.
    pub controllers_max: u32,
    /// Most seeds.
    pub seeds_max: u32,
    /// Longest real time, after which the race is given up.
    pub seconds_max: u32,
}

/// What is to be raced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RaceRequest {
    /// A scenario by name.
    pub scenario: String,
    /// Controllers by name, each once.
    pub controllers: Vec<String>,
    /// How many seeds: the figures are over all of them, the timelines are of one that is typical.
    pub seeds: u32,
}

/// A race, under way or over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatorRun {
    /// Names it while the server runs.
    pub id: u64,
    /// What was asked for.
    pub request: RaceRequest,
    /// How it stands.
    pub state: RaceState,
    /// How far it is, 0 to 1.
    pub progress: f64,
    /// What is being done: `searching the oracle`, `racing`.
    pub stage: String,
    /// Why it failed; null if it did not.
    pub error: Option<String>,
    /// What came of it; null until it is done, and in lists.
    pub result: Option<RaceResult>,
}

/// How a race stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RaceState {
    /// It is under way.
    Running,
    /// It is over, and has a result.
    Done,
    /// It was cancelled.
    Cancelled,
    /// It could not be run, or took too long.
    Failed,
}

/// What came of a race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RaceResult {
    /// The seed of the timelines.
    pub seed: u64,
    /// What a clairvoyant would have reached. Its plan may change without delay, and its latency is not
    /// told.
    pub oracle: RaceTimeline,
    /// The controllers, the best first.
    pub runners: Vec<RaceRunner>,
    /// What a reader has to know of this scenario, as sentences.
    pub remarks: Vec<String>,
}

/// How one controller fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RaceRunner {
    /// Its name.
    pub controller: String,
    /// Items delivered in time a second, in the steady second half, mean over the seeds.
    pub goodput: f64,
    /// That over the oracle's; null where the oracle reaches nothing.
    pub of_oracle: Option<f64>,
    /// Goodput of the whole run over that of the best plan that never changes.
    pub of_best_static: Option<f64>,
    /// Seconds until 90 % of the oracle, the median over the seeds; null when most never got there.
    pub settle_s: Option<f64>,
    /// Share of items that were late or given up in the steady half, 0 to 1.
    pub miss_ratio: f64,
    /// 99th percentile of the latency that the target names.
    pub p99_ms: Option<f64>,
    /// The run with the typical seed.
    pub timeline: RaceTimeline,
    /// Its decisions, alike ones in a row folded into one; at most 500, the first.
    pub decisions: Vec<RaceDecision>,
}

/// A run over virtual time: columns of the same length.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RaceTimeline {
    /// When each point ends, in seconds.
    pub at_s: Vec<f64>,
    /// Items delivered in time, a second.
    pub goodput: Vec<Option<f64>>,
    /// Mean latency of the items.
    pub latency_ms: Vec<Option<f64>>,
    /// Items in a full batch.
    pub batch_size: Vec<Option<f64>>,
    /// Attempts in flight of the plan.
    pub concurrency: Vec<Option<f64>>,
    /// Attempts that failed.
    pub failed: Vec<Option<f64>>,
}

/// Decisions in a row that are alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RaceDecision {
    /// When the first was made, in seconds of virtual time.
    pub from_s: f64,
    /// When the last was made.
    pub until_s: f64,
    /// Who decided.
    pub by: String,
    /// How many they are.
    pub count: u64,
    /// The plan before the first.
    pub from: Plan,
    /// The plan after the last.
    pub to: Plan,
    /// The reason of the last one.
    pub reason: String,
}
