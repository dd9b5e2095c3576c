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
    /// Decisions of all controllers.
    pub decisions: u64,
    /// The plan in force at the end, of the first lane.
    pub plan: FinalPlan,
    /// The run over time: all lanes together, with the plan of the first.
    pub timeline: Timeline,
    /// Each lane by itself: instance by instance, class by class.
    pub lanes: Vec<LaneRun>,
    /// The last decisions of the first lane, for a person to read.
    #[serde(skip)]
    pub history: Vec<Decision>,
}

/// What came of one lane.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneRun {
    /// To which instance it belongs, from 0.
    pub instance: usize,
    /// The place of its class among the scenario's, 0 if there are none.
    pub class: usize,
    /// Seconds that its attempts were in flight, all together.
    pub held_s: f64,
    /// Items the backend took.
    pub delivered: u64,
    /// Attempts that left.
    pub attempts: u64,
    /// Items delivered in time, in each second of the run.
    pub timely: Vec<u64>,
    /// The plan in force at the end.
    pub plan: FinalPlan,
}

impl Run {
    /// Items that each instance delivered in time, a second, from one second to another.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 items")]
    pub fn shares(&self, from_s: usize, until_s: usize) -> Vec<f64> {
        let seconds = until_s.saturating_sub(from_s).max(1) as f64;
        let instances = self.lanes.iter().map(|lane| lane.instance + 1).max().unwrap_or(0);
        let mut shares = vec![0.0; instances];
        for lane in &self.lanes {
            let until = until_s.min(lane.timely.len());
            let window = lane.timely.get(from_s.min(until)..until);
            let items: u64 = window.into_iter().flatten().sum();
            if let Some(share) = shares.get_mut(lane.instance) {
                *share += items as f64 / seconds;
            }
        }
        shares
    }

    /// How evenly the instances delivered in time from one second to another: Jain's index, from
    /// 1/n, when one had everything, to 1 (Jain, Chiu and Hawe, 1984). `None` for one instance, or when
    /// nothing was delivered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few instances")]
    pub fn jain(&self, from_s: usize, until_s: usize) -> Option<f64> {
        let shares = self.shares(from_s, until_s);
        if shares.len() < 2 {
            return None;
        }
        let sum: f64 = shares.iter().sum();
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
    }
}

/// The plan in force at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FinalPlan {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
}

/// Runs the controller in the scenario, beginning with the plan `first`; each lane has its own.
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
    let bounds = scenario.bounds.to_bounds();
    let controllers = (0..scenario.lanes()).map(|_| controller.build(first, &bounds));
    let controllers = controllers.collect::<Result<Vec<_>, _>>()?;
    let end = Moment::ZERO + scenario.duration();
    Ok(World::new(scenario, controllers, seed)?.play(end, seed))
}
