//! How does one controller fare in one scenario under one seed? A run, and what came of it.

use serde::Serialize;
use tidegate::{ControllerSettings, Decision, Moment, Plan, SettingError};

use crate::record::Timeline;
use crate::scenario::Scenario;
use crate::world::World;

/// What came of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Which seed.
    pub seed: u64,
    /// Items that arrived; of a saturated source, those that were asked for.
    pub offered: u64,
    /// Items the backend took.
    pub delivered: u64,
    /// Items that waited at the end.
    pub queued: u64,
    /// Items in attempts that the client had not given up at the end.
    pub in_flight: u64,
    /// Attempts that left.
    pub attempts: u64,
    /// 99th percentile of the latency that the target names, in seconds.
    pub p99_s: Option<f64>,
    /// Sum of the latencies of all attempts that were answered or given up, in seconds.
    pub latency_sum_s: f64,
    /// Batch-seconds in service at the backend, without the network.
    pub busy_s: f64,
    /// Decisions of the controller in all.
    pub decisions: u64,
    /// The plan in force at the end.
    pub plan: FinalPlan,
    /// The run over time.
    pub timeline: Timeline,
    /// The last decisions, for a person to read.
    #[serde(skip)]
    pub history: Vec<Decision>,
}

/// The plan in force at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FinalPlan {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
}

/// Runs the controller in the scenario, beginning with the plan `first`.
///
/// The same arguments give the same result, to the byte.
///
/// # Errors
///
/// [`SettingError`] when the controller's settings or the plan are refused.
pub fn run(
    scenario: &Scenario,
    controller: &ControllerSettings,
    first: Plan,
    seed: u64,
) -> Result<Run, SettingError> {
    let controller = controller.build(first, &scenario.bounds.to_bounds())?;
    let end = Moment::ZERO + scenario.duration();
    Ok(World::new(scenario, controller, seed).play(end, seed))
}
