//! What is said of one controller in one scenario? A row: the same names in JSON, in tables and in
//! the report.

use serde::Serialize;
use tidegate::Plan;

use crate::oracle::Best;
use crate::selection::Group;

/// A plan in a result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanFound {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
}

impl From<Best> for PlanFound {
    fn from(best: Best) -> Self {
        Self { batch_size: best.batch_size, concurrency: best.concurrency }
    }
}

impl From<Plan> for PlanFound {
    fn from(plan: Plan) -> Self {
        Self { batch_size: plan.batch_size, concurrency: plan.concurrency }
    }
}

impl std::fmt::Display for PlanFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.concurrency * 100.0).round() / 100.0;
        write!(f, "{} × {rounded}", self.batch_size)
    }
}

/// How long it took from a moment until 90 % of the oracle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settle {
    /// From when it is measured: 0, or a change that the scenario names; in seconds.
    pub at_s: f64,
    /// The median over the seeds; null when most never settled.
    pub seconds_median: Option<f64>,
    /// The worst seed; null when one never settled.
    pub seconds_worst: Option<f64>,
    /// Attempts until then, the median over the seeds.
    pub batches_median: Option<f64>,
}

/// What came of one controller in one scenario. Ratios are timely goodput over the oracle's; what
/// does not apply is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The controller's name.
    pub controller: String,
    /// How many seeds.
    pub seeds: u64,
    /// Timely items a second in the steady half, mean over the seeds.
    pub goodput: f64,
    /// The oracle's in the steady half.
    pub oracle_goodput: f64,
    /// The oracle's plan at the beginning.
    pub oracle_plan: PlanFound,
    /// Timely items a second of the best static plan, over the whole run.
    pub best_static_goodput: f64,
    /// The best static plan in hindsight.
    pub best_static_plan: PlanFound,
    /// Steady half against the oracle, mean over the seeds; null where the oracle reaches nothing.
    pub steady_ratio: Option<f64>,
    /// Whole run against the oracle, mean over the seeds.
    pub whole_ratio: Option<f64>,
    /// The worst seed's steady ratio.
    pub worst_seed_ratio: Option<f64>,
    /// Whole run against the best static plan in hindsight.
    pub vs_best_static: Option<f64>,
    /// Time from the beginning, or from the changes that the scenario names, until 90 % of the
    /// oracle: the median; null when most never settled or nothing is to settle.
    pub settle_seconds_median: Option<f64>,
    /// The worst such time; null when one never settled.
    pub settle_seconds_worst: Option<f64>,
    /// Attempts until then, the median.
    pub settle_batches_median: Option<f64>,
    /// Share of items that were late or given up in the steady half.
    pub miss_ratio: f64,
    /// 99th percentile of the latency that the target names, mean over the seeds.
    pub p99_seconds: Option<f64>,
    /// Attempts refused by a rate limit, a minute.
    pub refusals_per_minute: f64,
    /// Fairness between instances (Jain's index, 1 is fair); null for one.
    pub jain: Option<f64>,

    /// What it is judged with.
    pub group: Group,
    /// The target, in seconds.
    pub target_seconds: f64,
    /// Timely items a second over the whole run, mean over the seeds.
    pub whole_goodput: f64,
    /// Settling apart for the beginning and for each change that the scenario names.
    pub settles: Vec<Settle>,
    /// Mean of the latency that the target names over the whole run, mean over the seeds.
    pub mean_seconds: Option<f64>,
    /// Share of the items that arrived that were delivered in time; null for a saturated source.
    pub timely_share: Option<f64>,
    /// Share of attempts that succeeded over the whole run, mean over the seeds.
    pub success_ratio: f64,
    /// Attempts in a run, mean over the seeds.
    pub attempts: f64,
    /// Attempts for each 1,000 items delivered.
    pub attempts_per_1000: Option<f64>,
    /// Batch-seconds in service at the backend for each 1,000,000 items delivered.
    pub busy_seconds_per_million: Option<f64>,
    /// Decisions in a run, mean over the seeds.
    pub decisions: f64,
    /// The seed whose run is nearest to the middle, by steady goodput.
    pub typical_seed: u64,
    /// The seed whose run delivered the least, by steady goodput.
    pub worst_seed: u64,
    /// What a reader has to know of this scenario, as sentences.
    pub remarks: Vec<String>,
}
