//! Who finds the plan of a lane, and with which settings?
//!
//! Their meaning and bounds are the library's; here they only get the names of a file.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::control::strategy::Kind;
use tidegate::control::{aimd, ports};
use tidegate::{Bounds, ControllerSettings, Epoch, Plan, SettingError};

use super::hill::{GradientConfig, StrategyConfig};
use super::joint::JointConfig;
use super::load_score::LoadScoreConfig;
use super::read::{Fields, Leaf, Section, choice};
use super::schema;
use super::units::Span;

/// A controller by name, with its settings. The name alone (`controller: aimd`) stands for it with
/// its defaults.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
#[schemars(transform = schema::tagged("joint"), transform = schema::allow_bare_name)]
pub enum ControllerConfig {
    /// Batch size and concurrency together, from what full batches take under the `target`.
    Joint(JointConfig),
    /// Keeps the initial batch size.
    Fixed {},
    /// Additive increase, multiplicative decrease of the batch size under the lane's `target`.
    Aimd(AimdConfig),
    /// Batch size by what the backend says of its own load.
    LoadScore(LoadScoreConfig),
    /// Gradient ascent of throughput over the batch size.
    Gradient(GradientConfig),
    /// Small steps of the batch size, and only when nearly everything goes well.
    Conservative(StrategyConfig),
    /// Large steps of the batch size while there is a backlog.
    Aggressive(StrategyConfig),
    /// Between the two.
    Balanced(StrategyConfig),
    /// Steps in proportion to the batch size.
    Adaptive(StrategyConfig),
    /// For comparison: Vector's Adaptive Request Concurrency, with its published defaults.
    Arc {},
    /// For comparison: Netflix's Gradient2 on the concurrency, with its published defaults.
    Gradient2 {},
    /// For comparison: Netflix's Vegas on the concurrency, with its published defaults.
    Vegas {},
    /// For comparison: Flink's AIMD on the items in flight, with its published defaults.
    Flink {},
    /// For comparison: Beam's estimator of the batch size; its duration is the lane's target.
    Beam {},
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
    /// Factor on the size after a full batch in less than a quarter of the target, until the first
    /// miss, 1 to 4; 1 is none. Default 2.
    #[schemars(range(min = 1.0, max = 4.0))]
    pub startup: f64,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self::Joint(JointConfig::default())
    }
}

impl Default for AimdConfig {
    fn default() -> Self {
        let aimd::Settings { step, decrease, startup, target: _ } = aimd::Settings::default();
        Self { step, decrease, startup }
    }
}

impl ControllerConfig {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Joint(_) => "joint",
            Self::Fixed {} => "fixed",
            Self::Aimd(_) => "aimd",
            Self::LoadScore(_) => "load_score",
            Self::Gradient(_) => "gradient",
            Self::Conservative(_) => "conservative",
            Self::Aggressive(_) => "aggressive",
            Self::Balanced(_) => "balanced",
            Self::Adaptive(_) => "adaptive",
            Self::Arc {} => "arc",
            Self::Gradient2 {} => "gradient2",
            Self::Vegas {} => "vegas",
            Self::Flink {} => "flink",
            Self::Beam {} => "beam",
        }
    }

    /// The library's settings of it, for a lane with this `target`.
    #[must_use]
    pub fn settings(&self, target: Span) -> ControllerSettings {
        match self {
            Self::Joint(settings) => ControllerSettings::Joint(settings.settings(target)),
            Self::Fixed {} => ControllerSettings::Fixed,
            Self::Aimd(AimdConfig { step, decrease, startup }) => {
                let target = target.duration();
                ControllerSettings::Aimd(aimd::Settings {
                    target,
                    step: *step,
                    decrease: *decrease,
                    startup: *startup,
                })
            }
            Self::LoadScore(settings) => ControllerSettings::LoadScore(settings.settings()),
            Self::Gradient(settings) => ControllerSettings::Gradient(settings.settings(target)),
            Self::Conservative(own) => strategy(Kind::Conservative, own, target),
            Self::Aggressive(own) => strategy(Kind::Aggressive, own, target),
            Self::Balanced(own) => strategy(Kind::Balanced, own, target),
            Self::Adaptive(own) => strategy(Kind::Adaptive, own, target),
            Self::Arc {} => ControllerSettings::Arc(ports::ArcSettings::default()),
            Self::Gradient2 {} => {
                ControllerSettings::Gradient2(ports::Gradient2Settings::default())
            }
            Self::Vegas {} => ControllerSettings::Vegas(ports::VegasSettings::default()),
            Self::Flink {} => ControllerSettings::Flink(ports::FlinkSettings::default()),
            Self::Beam {} => ControllerSettings::Beam(ports::BeamSettings::default())
                .with_target(target.duration()),
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
            Self::Fixed {}
            | Self::Arc {}
            | Self::Gradient2 {}
            | Self::Vegas {}
            | Self::Flink {}
            | Self::Beam {} => false,
            Self::Aimd(own) => {
                let AimdConfig { step, decrease, startup } = AimdConfig::default();
                match field {
                    "step" => own.step = step,
                    "decrease" => own.decrease = decrease,
                    "startup" => own.startup = startup,
                    _ => return false,
                }
                true
            }
            Self::Joint(own) => own.reset(field),
            Self::LoadScore(own) => own.reset(field),
            Self::Gradient(own) => own.reset(field),
            Self::Conservative(own)
            | Self::Aggressive(own)
            | Self::Balanced(own)
            | Self::Adaptive(own) => own.reset(field),
        }
    }

    /// The controller of that name with its defaults.
    fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "joint" => Self::Joint(JointConfig::default()),
            "aimd" => Self::Aimd(AimdConfig::default()),
            "fixed" => Self::Fixed {},
            "load_score" => Self::LoadScore(LoadScoreConfig::default()),
            "gradient" => Self::Gradient(GradientConfig::default()),
            "conservative" => Self::Conservative(StrategyConfig::default()),
            "aggressive" => Self::Aggressive(StrategyConfig::default()),
            "balanced" => Self::Balanced(StrategyConfig::default()),
            "adaptive" => Self::Adaptive(StrategyConfig::default()),
            "arc" => Self::Arc {},
            "gradient2" => Self::Gradient2 {},
            "vegas" => Self::Vegas {},
            "flink" => Self::Flink {},
            "beam" => Self::Beam {},
            _ => return None,
        })
    }
}

fn strategy(kind: Kind, own: &StrategyConfig, target: Span) -> ControllerSettings {
    ControllerSettings::Strategy(kind, own.settings(target))
}

/// A plan within any bounds, to check a controller apart from the lane's own.
const FIRST_PLAN: Plan = Plan {
    batch_size: 1,
    concurrency: 1.0,
    pace: None,
    linger: std::time::Duration::ZERO,
    epoch: Epoch(0),
};

/// What stands under `name`, apart from its settings: one of the library's names.
struct Name(&'static str);

impl Leaf for Name {
    fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let names = ControllerSettings::NAMES.map(|name| (name, name));
        choice(text, &names).map(Self).map_err(Cow::Owned)
    }
}

impl Section for ControllerConfig {
    /// Without a name the settings are those of `joint`, the default: what a group that was not
    /// mentioned held before does not linger in one that is.
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let mut name = Name("joint");
        fields.leaf("name", &mut name);
        *self = Self::by_name(name.0).unwrap_or_default();
        match self {
            Self::Fixed {}
            | Self::Arc {}
            | Self::Gradient2 {}
            | Self::Vegas {}
            | Self::Flink {}
            | Self::Beam {} => {}
            Self::Aimd(AimdConfig { step, decrease, startup }) => {
                fields.leaf("step", step);
                fields.leaf("decrease", decrease);
                fields.leaf("startup", startup);
            }
            Self::Joint(settings) => settings.fields(fields),
            Self::LoadScore(settings) => settings.fields(fields),
            Self::Gradient(settings) => settings.fields(fields),
            Self::Conservative(settings)
            | Self::Aggressive(settings)
            | Self::Balanced(settings)
            | Self::Adaptive(settings) => settings.fields(fields),
        }
    }

    fn word(&mut self, word: &str) -> Result<&'static str, Cow<'static, str>> {
        *self = Self::by_name(Name::read(word)?.0).unwrap_or_default();
        Ok("name")
    }
}
