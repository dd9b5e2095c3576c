//! What arrives? Items, as a Poisson process whose rate follows a pattern.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;

/// What arrives, in items a second. Every rate is 0 to 1e9, every time .01 to 3,600 s.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "pattern", rename_all = "snake_case")]
pub enum Arrivals {
    /// Always more than can be taken.
    #[default]
    Saturated,
    /// Always the same rate.
    Constant {
        /// Items a second.
        rate: f64,
    },
    /// A sine wave.
    Sine {
        /// Its middle.
        mean: f64,
        /// How far it goes to either side.
        amplitude: f64,
        /// From crest to crest.
        period_s: f64,
    },
    /// Mostly low, high for a while again and again.
    Spikes {
        /// The rate between spikes.
        base: f64,
        /// The rate in a spike.
        peak: f64,
        /// From spike to spike.
        every_s: f64,
        /// How long one lasts, up to `every_s`.
        for_s: f64,
        /// When the first one comes. Default 0.
        #[serde(default, skip_serializing_if = "is_default")]
        first_s: f64,
    },
    /// From one rate to another.
    Ramp {
        /// The rate at the beginning.
        from: f64,
        /// The rate at the end.
        to: f64,
        /// How long it takes.
        over_s: f64,
    },
    /// What the scenario's `recorded_arrivals` say, item for item and not by chance.
    Replay {
        /// Whether it begins again when it is over. Default no.
        #[serde(default)]
        again: bool,
    },
    /// Two rates that take turns after exponential times (a Markov-modulated Poisson process).
    Burst {
        /// The lower rate.
        low: f64,
        /// The higher rate; it comes first.
        high: f64,
        /// Mean time in each.
        hold_s: f64,
    },
}
