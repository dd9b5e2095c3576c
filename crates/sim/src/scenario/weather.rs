//! What makes a backend unlike a formula? What real ones were seen to do: rare attempts that take
//! many times as long, more spread the more there are at once, queues for a lock, checkpoints,
//! silences, and a capacity that wanders.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;

/// Rare attempts that need many times the service: by a factor `u^(-1/exponent)` of a uniform `u`
/// (Pareto's law).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tail {
    /// How often, 0 to 1.
    pub probability: f64,
    /// How quickly long ones become rarer, .5 to 10: the mean is infinite at 1. Default 1.5.
    #[serde(default = "exponent")]
    pub exponent: f64,
    /// The largest factor, 1 to 1,000. Default 50.
    #[serde(default = "most")]
    pub most: f64,
}

const fn exponent() -> f64 {
    1.5
}

const fn most() -> f64 {
    50.0
}

/// Noise that grows with the number of batches at once: each beyond `above` adds `per_batch` to
/// the spread of the logarithm, up to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Batches at once without more noise, 0 to 1,024.
    pub above: f64,
    /// What each further one adds, 0 to 2.
    pub per_batch: f64,
    /// The most that is added, 0 to 2. Default .5.
    #[serde(default = "half")]
    pub most: f64,
}

const fn half() -> f64 {
    0.5
}

/// A lock that only so many batches can hold; the others wait in order and, when their turn comes,
/// need a little longer. A serial store has one writer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locks {
    /// Batches that are served at once, 1 to 1,024.
    pub writers: u32,
    /// What a batch that had to wait costs more, in milliseconds, 0 to 60,000. Default 0.
    #[serde(default)]
    pub handoff_ms: f64,
    /// Whether those who wait ask again after pauses that grow (SQLite's busy handler) rather than
    /// being served in order: whoever comes while it is free has it, so a few wait long and most
    /// not at all. Default no.
    #[serde(default, skip_serializing_if = "is_default")]
    pub polls: bool,
}

/// What was written is written back once there is enough of it: a log that is full, a checkpoint by
/// volume. All batches feel it, and the more is written the more often it comes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteBack {
    /// Items after which it comes, each 1 to 1e9.
    pub every_items: Between,
    /// How long one lasts, in seconds, each .001 to 3,600.
    pub for_s: Between,
    /// What is left of the capacity meanwhile, .001 to 1.
    pub capacity: f64,
}

/// Something that takes capacity from all at once, again and again: a checkpoint (seconds of some
/// loss every 12 to 17 s) or a silence (nearly nothing for 30 to 60 ms).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interruption {
    /// From the end of one to the beginning of the next, in seconds, each .001 to 3,600.
    pub every_s: Between,
    /// How long one lasts, in seconds, each .001 to 3,600.
    pub for_s: Between,
    /// What is left of the capacity meanwhile, .001 to 1.
    pub capacity: f64,
}

/// Uniform between two values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The least.
    pub from: f64,
    /// The most, not below the least.
    pub to: f64,
}

/// A capacity that wanders: its logarithm is drawn back to zero as it is pushed about by chance
/// (Ornstein and Uhlenbeck, 1930).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Spread of the logarithm over a long time, 0 to 1.
    pub sigma: f64,
    /// Time over which it forgets where it was, in seconds, .1 to 3,600.
    pub memory_s: f64,
}
