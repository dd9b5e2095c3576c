//! Who finds the plan of a lane, and with which settings?
//!
//! Their meaning and bounds are the library's; here they only get the names of a file.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::control::{aimd, load_score};
use tidegate::{Bounds, ControllerSettings, Epoch, Plan, SettingError};

use super::read::{Fields, Leaf, Section, choice};
use super::schema;
use super::units::Span;

/// A controller by name, with its settings. The name alone (`controller: aimd`) stands for it with
/// its defaults.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
#[schemars(transform = schema::tagged("aimd"), transform = schema::allow_bare_name)]
pub enum ControllerConfig {
    /// Keeps the initial batch size.
    Fixed {},
    /// Additive increase, multiplicative decrease of the batch size under the lane's `target`.
    Aimd(AimdConfig),
    /// Batch size by what the backend says of its own load.
    LoadScore(LoadScoreConfig),
}

/// Settings of the controller `aimd`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct AimdConfig {
    /// Items added after a full batch inside the target, 1 to 100,000. Default 10.
    #[schemars(range(min = 1, max = 100_000))]
    pub step: u32,
    /// Factor on the size after a miss, an error or a timeout, 0.1 to 0.99. Default 0.9.
    #[schemars(range(min = 0.1, max = 0.99))]
    pub decrease: f64,
}

/// Settings of the controller `load_score`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct LoadScoreConfig {
    /// Time between two looks at the score, 1 ms to 1 h. Default 5 s.
    pub interval: Span,
    /// Share by which the size grows or shrinks, 0.01 to 0.9. Default 0.2.
    #[schemars(range(min = 0.01, max = 0.9))]
    pub factor: f64,
    /// Reports of load whose mean is looked at, 1 to 1,000. Default 10.
    #[schemars(range(min = 1, max = 1_000))]
    pub window: usize,
    /// The size grows below this score, 0 to 1. Default 0.3.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub grow_below: f64,
    /// The size shrinks above this score, from `grow_below` to 1. Default 0.7.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub shrink_above: f64,
    /// Weight of the processor's share in use, 0 to 1. Default 0.4.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cpu_weight: f64,
    /// Weight of the error rate, 0 to 1. Default 0.3.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub error_rate_weight: f64,
    /// Weight of the queue depth, 0 to 1. Default 0.2.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub queue_depth_weight: f64,
    /// Queue depth that counts as full load, above 0. Default 100.
    #[schemars(range(min = 1e-9, max = 1e12))]
    pub queue_depth_full: f64,
    /// Weight of lock waits, 0 to 1. Default 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub lock_waits_weight: f64,
    /// Lock waits that count as full load, above 0. Default 50.
    #[schemars(range(min = 1e-9, max = 1e12))]
    pub lock_waits_full: f64,
    /// Metrics of your own that count too, at most 32. Default none.
    pub custom: Vec<CustomMetric>,
}

/// How a metric of the user's own counts in the load score.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct CustomMetric {
    /// Its name in what the backend reports. Required.
    pub name: String,
    /// Its weight, 0 to 1. Default 0.1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight: f64,
    /// The value that counts as full load, above 0. Default 1.
    #[schemars(range(min = 1e-9, max = 1e12))]
    pub full: f64,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self::Aimd(AimdConfig::default())
    }
}

impl Default for AimdConfig {
    fn default() -> Self {
        let aimd::Settings { step, decrease, target: _ } = aimd::Settings::default();
        Self { step, decrease }
    }
}

impl Default for LoadScoreConfig {
    fn default() -> Self {
        let library = load_score::Settings::default();
        Self {
            interval: library.interval.into(),
            factor: library.factor,
            window: library.window,
            grow_below: library.grow_below,
            shrink_above: library.shrink_above,
            cpu_weight: library.cpu_weight,
            error_rate_weight: library.error_rate_weight,
            queue_depth_weight: library.queue_depth_weight,
            queue_depth_full: library.queue_depth_full,
            lock_waits_weight: library.lock_waits_weight,
            lock_waits_full: library.lock_waits_full,
            custom: Vec::new(),
        }
    }
}

impl Default for CustomMetric {
    fn default() -> Self {
        Self { name: String::new(), weight: 0.1, full: 1.0 }
    }
}

impl ControllerConfig {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fixed {} => "fixed",
            Self::Aimd(_) => "aimd",
            Self::LoadScore(_) => "load_score",
        }
    }

    /// The library's settings of it, for a lane with this `target`.
    #[must_use]
    pub fn settings(&self, target: Span) -> ControllerSettings {
        match self {
            Self::Fixed {} => ControllerSettings::Fixed,
            Self::Aimd(AimdConfig { step, decrease }) => {
                let target = target.duration();
                ControllerSettings::Aimd(aimd::Settings {
                    target,
                    step: *step,
                    decrease: *decrease,
                })
            }
            Self::LoadScore(settings) => ControllerSettings::LoadScore(settings.settings()),
        }
    }

    /// All that the library refuses in it.
    pub(super) fn refused(&self, target: Span) -> Vec<SettingError> {
        let mut errors = Vec::new();
        let mut rest = self.clone();
        while let Err(error) = rest.settings(target).build(FIRST_PLAN, &Bounds::default()) {
            let progress = rest.reset(error.field);
            errors.push(error);
            if !progress {
                break;
            }
        }
        errors
    }

    /// Puts a refused field back to its default, so that the next one shows. False if there is no
    /// such field here.
    fn reset(&mut self, field: &str) -> bool {
        let field = field.strip_prefix("controller.").unwrap_or(field);
        match self {
            Self::Fixed {} => false,
            Self::Aimd(own) => {
                let AimdConfig { step, decrease } = AimdConfig::default();
                match field {
                    "step" => own.step = step,
                    "decrease" => own.decrease = decrease,
                    _ => return false,
                }
                true
            }
            Self::LoadScore(own) => own.reset(field),
        }
    }
}

/// A plan within any bounds, to check a controller apart from the lane's own.
const FIRST_PLAN: Plan = Plan {
    batch_size: 1,
    concurrency: 1.0,
    pace: None,
    linger: std::time::Duration::ZERO,
    epoch: Epoch(0),
};

impl LoadScoreConfig {
    fn settings(&self) -> load_score::Settings {
        let custom = |metric: &CustomMetric| load_score::CustomWeight {
            name: metric.name.clone(),
            weight: metric.weight,
            full: metric.full,
        };
        load_score::Settings {
            interval: self.interval.duration(),
            factor: self.factor,
            window: self.window,
            grow_below: self.grow_below,
            shrink_above: self.shrink_above,
            cpu_weight: self.cpu_weight,
            error_rate_weight: self.error_rate_weight,
            queue_depth_weight: self.queue_depth_weight,
            queue_depth_full: self.queue_depth_full,
            lock_waits_weight: self.lock_waits_weight,
            lock_waits_full: self.lock_waits_full,
            custom: self.custom.iter().map(custom).collect(),
        }
    }

    fn reset(&mut self, field: &str) -> bool {
        let default = Self::default();
        match field {
            "interval_ms" => self.interval = default.interval,
            "factor" => self.factor = default.factor,
            "window" => self.window = default.window,
            "grow_below" => self.grow_below = default.grow_below,
            "shrink_above" => self.shrink_above = 1.0,
            "cpu_weight" => self.cpu_weight = default.cpu_weight,
            "error_rate_weight" => self.error_rate_weight = default.error_rate_weight,
            "queue_depth_weight" => self.queue_depth_weight = default.queue_depth_weight,
            "queue_depth_full" => self.queue_depth_full = default.queue_depth_full,
            "lock_waits_weight" => self.lock_waits_weight = default.lock_waits_weight,
            "lock_waits_full" => self.lock_waits_full = default.lock_waits_full,
            "custom.weight" | "custom.full" => self.custom.clear(),
            _ => return false,
        }
        true
    }
}

/// What stands under `name`, apart from its settings.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Fixed,
    Aimd,
    LoadScore,
}

impl Leaf for Name {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let names = [("aimd", Self::Aimd), ("fixed", Self::Fixed), ("load_score", Self::LoadScore)];
        choice(text, &names).map_err(Cow::Owned)
    }
}

impl ControllerConfig {
    fn by_name(name: Name) -> Self {
        match name {
            Name::Fixed => Self::Fixed {},
            Name::Aimd => Self::Aimd(AimdConfig::default()),
            Name::LoadScore => Self::LoadScore(LoadScoreConfig::default()),
        }
    }
}

impl Section for ControllerConfig {
    /// Without a name the settings are those of `aimd`, the default: what a group that was not
    /// mentioned held before does not linger in one that is.
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let mut name = Name::Aimd;
        fields.leaf("name", &mut name);
        *self = Self::by_name(name);
        match self {
            Self::Fixed {} => {}
            Self::Aimd(AimdConfig { step, decrease }) => {
                fields.leaf("step", step);
                fields.leaf("decrease", decrease);
            }
            Self::LoadScore(settings) => settings.fields(fields),
        }
    }

    fn word(&mut self, word: &str) -> Result<&'static str, Cow<'static, str>> {
        *self = Self::by_name(Name::read(word)?);
        Ok("name")
    }
}

impl Section for LoadScoreConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            interval,
            factor,
            window,
            grow_below,
            shrink_above,
            cpu_weight,
            error_rate_weight,
            queue_depth_weight,
            queue_depth_full,
            lock_waits_weight,
            lock_waits_full,
            custom,
        } = self;
        fields.leaf("interval", interval);
        fields.leaf("factor", factor);
        fields.leaf("window", window);
        fields.leaf("grow_below", grow_below);
        fields.leaf("shrink_above", shrink_above);
        fields.leaf("cpu_weight", cpu_weight);
        fields.leaf("error_rate_weight", error_rate_weight);
        fields.leaf("queue_depth_weight", queue_depth_weight);
        fields.leaf("queue_depth_full", queue_depth_full);
        fields.leaf("lock_waits_weight", lock_waits_weight);
        fields.leaf("lock_waits_full", lock_waits_full);
        fields.list("custom", custom);
    }
}

impl Section for CustomMetric {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { name, weight, full } = self;
        fields.leaf("name", name);
        fields.leaf("weight", weight);
        fields.leaf("full", full);
    }
}
