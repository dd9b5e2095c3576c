//! What has a controller learnt? What it can tell a person who asks; nothing depends on it.

use std::time::Duration;

/// What a controller knows; what it does not know, or has no notion of, is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Learnt {
    /// The latency it lets a usual batch take, so that few miss the target.
    pub latency_allowed: Option<Duration>,
    /// The batch size it holds for right, in items, before rounding, bounds and guards.
    pub batch_size: Option<f64>,
    /// The largest batch, in items, that the backend is known to take.
    pub batch_size_max: Option<f64>,
    /// What it is doing, in a word or two.
    pub phase: Option<&'static str>,
    /// The load score, if it goes by that.
    pub load_score: Option<Score>,
}

/// A load score: 0 is idle, 1 is overloaded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Score {
    /// The mean over the last feedbacks, which is what is acted on.
    pub mean: f64,
    /// The score of the last feedback.
    pub last: f64,
    /// Below this the size grows.
    pub grow_below: f64,
    /// Above this the size shrinks.
    pub shrink_above: f64,
    /// What the last score is made of.
    pub parts: Vec<Part>,
}

/// One part of a load score.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Part {
    /// The metric.
    pub name: String,
    /// What was reported; `None` if it was not, or is not a number.
    pub value: Option<f64>,
    /// The value that counts as full load.
    pub full: f64,
    /// Its weight, 0 to 1.
    pub weight: f64,
}

impl Part {
    /// What it adds to the score: its weight times its share of full load, which ends at 1.
    #[must_use]
    pub fn adds(&self) -> f64 {
        self.value.map_or(0.0, |value| self.weight * (value / self.full).clamp(0.0, 1.0))
    }
}
