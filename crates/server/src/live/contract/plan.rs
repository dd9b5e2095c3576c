//! What is in force, and within which bounds?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much goes to the backend at once, and when.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Items in a full batch.
    pub batch_size: u32,
    /// Attempts in flight. Real-valued: 2.5 keeps two busy and a third half of the time; below 1 it
    /// means pauses between attempts.
    pub concurrency: f64,
    /// Attempts a second at most; null is no limit.
    pub pace: Option<f64>,
    /// How long the oldest item may wait for company while an attempt could leave.
    pub linger_ms: f64,
}

/// The plans that may be in force.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanBounds {
    /// Fewest items in a full batch.
    pub batch_size_min: u32,
    /// Most items in a batch.
    pub batch_size_max: u32,
    /// Most serialized bytes in a batch.
    pub batch_bytes_max: u64,
    /// Most attempts in flight: the lane's setting, or less where the sink bears less.
    pub concurrency_max: f64,
    /// Longest linger.
    pub linger_ms_max: f64,
}
