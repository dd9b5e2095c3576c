//! What has a lane learnt? Attempts as points, what they add up to, and what the controller can tell.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;

/// How attempt latency follows the batch size in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Curve {
    /// The lane, as `sink/lane`.
    pub lane: String,
    /// The target on attempt latency.
    pub target_ms: f64,
    /// The plan in force.
    pub plan: Plan,
    /// The last attempts, the oldest first: all of them where there were few, an even sample where
    /// there were many; at most 1,024.
    pub points: Vec<AttemptPoint>,
    /// How many attempts `points` were taken from.
    pub sampled_from: u64,
    /// The same by batch size, over about the last ten minutes, in the order of their sizes.
    pub bins: Vec<CurveBin>,
    /// What the controller itself has learnt, as far as it can tell.
    pub learnt: Learnt,
    /// What it gains over the plan it began with.
    pub gain: Gain,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptPoint {
    /// When it was answered, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// Items in the batch.
    pub items: u32,
    /// Serialized bytes in the batch.
    pub bytes: u64,
    /// Send to answer.
    pub latency_ms: f64,
    /// Attempts in flight when it left, this one included.
    pub in_flight: u32,
    /// Whether the batch was as large as the plan asked for.
    pub full: bool,
    /// Why the batch left: `size`, `bytes`, `linger`, `manual`, `drain`, `priority`; null if it had
    /// been sent before.
    pub flush: Option<String>,
    /// What came of it: `ok`, `partial`, `throttled`, `too_large`, `overloaded`, `timed_out`,
    /// `unreachable`, `rejected`.
    pub outcome: String,
}

/// Delivered attempts with about the same number of items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurveBin {
    /// Fewest items.
    pub items_min: u32,
    /// Most items.
    pub items_max: u32,
    /// How many attempts.
    pub attempts: u64,
    /// Items of one attempt, the mean.
    pub items_mean: f64,
    /// Latency: half took at most this.
    pub p50_ms: f64,
    /// Latency: 95 of 100 took at most this.
    pub p95_ms: f64,
    /// Items a second in one attempt: all items over all time in flight.
    pub items_per_second: f64,
}

/// What a controller can tell; a part that it does not know is null.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Learnt {
    /// The latency it lets a usual batch take, so that few miss the target.
    pub latency_allowed_ms: Option<f64>,
    /// The size it holds for right, before rounding, bounds and guards.
    pub batch_size: Option<f64>,
    /// The largest size that the backend is known to take.
    pub batch_size_max: Option<f64>,
    /// What it is doing: a few words, like `starting` or `comparing`.
    pub phase: Option<String>,
    /// The load score, if it goes by that.
    pub load_score: Option<LoadScore>,
}

/// The backend's load in one number, 0 (idle) to 1 (overloaded), and what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadScore {
    /// The mean over the last feedbacks, which is what is acted on.
    pub mean: f64,
    /// The score of the last feedback.
    pub last: f64,
    /// Below this the size grows.
    pub grow_below: f64,
    /// Above this the size shrinks.
    pub shrink_above: f64,
    /// What the last score is made of.
    pub parts: Vec<LoadScorePart>,
}

/// One part of a load score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadScorePart {
    /// `cpu`, `error_rate`, `queue_depth`, `lock_waits`, or a metric of the user's own.
    pub name: String,
    /// What the backend reported; null if it did not.
    pub value: Option<f64>,
    /// The value that counts as full load.
    pub full: f64,
    /// Its weight, 0 to 1.
    pub weight: f64,
    /// What it adds to the score.
    pub adds: f64,
}

/// What adapting brings over never changing the first plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Gain {
    /// It was not measured and cannot be estimated from what was seen.
    Unknown {
        /// Why not.
        why: String,
    },
    /// Estimated from attempts of both sizes in this run. They were not made at the same time, so a
    /// backend that has changed since is part of the difference.
    Estimated {
        /// Items a second in one attempt, now over those of the first plan: 1 is no gain.
        ratio: f64,
        /// The lower end of the 95 % interval.
        low: f64,
        /// The upper end of the 95 % interval.
        high: f64,
        /// Batch size of the first plan.
        first_batch_size: u32,
        /// Attempts with about that size.
        first_attempts: u64,
        /// Attempts with about the size in force.
        now_attempts: u64,
    },
}
