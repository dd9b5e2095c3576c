//! What is simulated? A scenario: a backend, what arrives, a target, and how long.
//!
//! A scenario is data. It is written as YAML (so also as JSON), every field has its unit in its
//! name, unknown fields are refused, and every number is checked against its bounds before
//! anything runs. Durations are seconds, milliseconds or microseconds as the name says.
//!
//! Parts that were added later are written only where they are not left out: oracles are kept by
//! what is written, and a scenario without the new part is still the old question.

pub mod arrivals;
pub mod backend;
pub mod canonical;
mod check;
pub mod class;
pub mod random;
pub mod trace;
pub mod weather;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate::SettingError;

pub use arrivals::Arrivals;
pub use backend::{BackendSpec, CapacityChange, OwnLoad};
pub use class::Class;

/// A backend, what arrives, a target, and how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name in tables and results.
    pub name: String,
    /// Virtual seconds, 1 to 3,600. Default 60. The second half is the steady part.
    #[serde(default = "sixty")]
    pub duration_s: f64,
    /// What "in time" means.
    pub target: Target,
    /// Who takes the batches.
    pub backend: BackendSpec,
    /// What arrives. Default: always more than can be taken.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// What arrived once, for `arrivals: { pattern: replay }`: millisecond and items, as pairs; the
    /// milliseconds grow. At most 3,600,000. Filled from a recording by
    /// [`Scenario::replaying`]. Default: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recorded_arrivals: Vec<(u64, u64)>,
    /// Serialized bytes of an item, 1 to 1,000,000. Default 266.
    #[serde(default = "item_bytes")]
    pub item_bytes: u32,
    /// Which plans are allowed.
    #[serde(default)]
    pub bounds: PlanBounds,
    /// Classes with a lane each, at most 16; the lanes of an instance share its attempts in flight
    /// by weight: at once as many as the largest concurrency among their plans. Default: one lane.
    #[serde(default, skip_serializing_if = "is_default")]
    pub classes: Vec<Class>,
    /// Instances that send to the backend at once, each with its own controller, 1 to 64. They
    /// share evenly what arrives; a saturated source saturates each. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub instances: u32,
    /// Seconds within which the instances after the first begin, by chance; 0 to the duration.
    /// Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub begin_within_s: f64,
    /// Seconds at which a change ends the settled state, from which settling is measured anew;
    /// each within the duration.
    #[serde(default)]
    pub changes_s: Vec<f64>,
}

/// What "in time" means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The longest latency that is in time, in milliseconds, 1 to 3,600,000.
    pub latency_ms: f64,
    /// Which latency.
    #[serde(default)]
    pub of: Latency,
}

/// Which latency a target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Send to answer, of one attempt.
    #[default]
    Attempt,
    /// Arrival to delivery, of an item.
    Delivery,
}

/// Which plans are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlanBounds {
    /// Fewest items in a full batch. Default 1.
    pub batch_size_min: u32,
    /// Most items in a batch. Default 20,000.
    pub batch_size_max: u32,
    /// Most attempts in flight. Default 64.
    pub concurrency_max: f64,
}

impl Default for PlanBounds {
    fn default() -> Self {
        Self { batch_size_min: 1, batch_size_max: 20_000, concurrency_max: 64.0 }
    }
}

impl PlanBounds {
    /// The same for the library; bytes are not what is limited here.
    #[must_use]
    pub fn to_bounds(self) -> tidegate::Bounds {
        tidegate::Bounds {
            batch_size_min: self.batch_size_min,
            batch_size_max: self.batch_size_max,
            batch_bytes_max: 1 << 30,
            concurrency_max: self.concurrency_max,
            ..tidegate::Bounds::default()
        }
    }
}

const fn sixty() -> f64 {
    60.0
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}

/// Whether a part is left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn item_bytes() -> u32 {
    266
}

/// A scenario that is refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not YAML of the right shape; the message says where.
    #[error("the scenario cannot be read: {0}")]
    Parse(String),
    /// A recording cannot be read.
    #[error("the recording cannot be read: {0}")]
    Recording(tidegate::recording::RecordingError),
    /// A trace of attempts cannot be read.
    #[error("the trace cannot be read: {0}")]
    Trace(trace::TraceError),
    /// A field is out of its bounds.
    #[error("scenario {scenario}: {why}")]
    Setting {
        /// The scenario's name.
        scenario: String,
        /// The field, its value and its bound.
        why: SettingError,
    },
}

impl Scenario {
    /// Reads and checks a scenario written as YAML or JSON.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] that says where the text is wrong, or which field is out of its bounds.
    pub fn from_yaml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_saphyr::from_str(text)
            .map_err(|error| ScenarioError::Parse(error.to_string()))?;
        scenario.checked()
    }

    /// The scenario, if every field is within its bounds.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Setting`] for the first field that is not.
    pub fn checked(self) -> Result<Self, ScenarioError> {
        match check::check(&self) {
            Ok(()) => Ok(self),
            Err(why) => Err(ScenarioError::Setting { scenario: self.name, why }),
        }
    }

    /// The same with one instance: what a clairvoyant who is alone could make of the backend.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self { instances: 1, begin_within_s: 0.0, ..self.clone() }
    }

    /// The JSON Schema of scenario files.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// The same with the arrivals of a recording (see [`tidegate::recording`]).
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Recording`] that says which line is wrong.
    pub fn replaying(mut self, recording: &str, again: bool) -> Result<Self, ScenarioError> {
        let arrived = tidegate::recording::read(recording).map_err(ScenarioError::Recording)?;
        self.recorded_arrivals = arrived.iter().map(|one| (one.at_ms, one.items)).collect();
        self.arrivals = Arrivals::Replay { again };
        if let Some((last_ms, _)) = self.recorded_arrivals.last().filter(|_| !again) {
            #[expect(clippy::cast_precision_loss, reason = "an hour of milliseconds")]
            let seconds = *last_ms as f64 / 1e3;
            // As long as it was recorded, and a little for the last ones to be delivered.
            self.duration_s = (seconds + 1.0).ceil().clamp(1.0, 3600.0);
            self.changes_s.clear();
        }
        self.checked()
    }

    /// The backend of a trace of attempts, as the runner of real backends writes them: its costs by
    /// regression, and over time what was left of its capacity. Whatever the trace does not say is
    /// as in this scenario.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Trace`] that says which line is wrong, or what is missing.
    pub fn behaving(self, attempts: &str) -> Result<Self, ScenarioError> {
        trace::scenario(self, attempts).map_err(ScenarioError::Trace)?.checked()
    }

    /// Lanes in all: of every instance, one for each class.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.instances as usize * self.classes.len().max(1)
    }

    /// How long it runs.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration_s)
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> Duration {
        Duration::from_secs_f64(self.target.latency_ms / 1e3)
    }
}
