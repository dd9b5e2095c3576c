//! How do the rules that users of earlier systems know find a lane's batch size? `gradient` and the
//! four strategies.
//!
//! The names are those of the library, which holds their bounds.

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::control::{gradient, strategy};

use super::read::{Fields, Section};
use super::units::Span;

/// Settings of the controller `gradient`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct GradientConfig {
    /// Fewest items, 1 to 1,000,000; a narrower `batch_size` holds. Default 50.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size_min: u32,
    /// Most items, from `size_min` to 1,000,000; a narrower `batch_size` holds. Default 5,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size_max: u32,
    /// Items a step for a slope of one item a second for each item, 0.000001 to 1,000. Default 0.1.
    #[schemars(range(min = 1e-6, max = 1e3))]
    pub learning_rate: f64,
    /// Measurements whose steadiness damps a step, 2 to 1,000. Default 5.
    #[schemars(range(min = 2, max = 1_000))]
    pub window: usize,
    /// Largest step, as a share of the size, 0.01 to 1. Default 0.2.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub step_max: f64,
    /// Share of memory in use over which the size is cut, 0.01 to 1. Default 0.8.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub memory_max: f64,
    /// Share of the processor in use over which the size is cut, 0.01 to 1. Default 0.9.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub cpu_max: f64,
}

/// Settings of the controllers `conservative`, `aggressive`, `balanced` and `adaptive`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct StrategyConfig {
    /// Time between two looks at the performance score, 1 ms to 1 h. Default 1 s.
    pub interval: Span,
    /// Share of the processor in use over which the size is halved, 0.01 to 1. Default 0.9.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub cpu_max: f64,
    /// Share of memory in use over which the size is halved, 0.01 to 1. Default 0.8.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub memory_max: f64,
}

impl Default for GradientConfig {
    fn default() -> Self {
        let gradient::Settings {
            target: _,
            size_min,
            size_max,
            learning_rate,
            window,
            step_max,
            memory_max,
            cpu_max,
        } = gradient::Settings::default();
        Self { size_min, size_max, learning_rate, window, step_max, memory_max, cpu_max }
    }
}

impl Default for StrategyConfig {
    fn default() -> Self {
        let library = strategy::Settings::default();
        Self {
            interval: library.interval.into(),
            cpu_max: library.cpu_max,
            memory_max: library.memory_max,
        }
    }
}

impl GradientConfig {
    pub(super) const fn settings(&self, target: Span) -> gradient::Settings {
        gradient::Settings {
            target: target.duration(),
            size_min: self.size_min,
            size_max: self.size_max,
            learning_rate: self.learning_rate,
            window: self.window,
            step_max: self.step_max,
            memory_max: self.memory_max,
            cpu_max: self.cpu_max,
        }
    }

    /// Puts a refused field back to its default. False if there is no such field.
    pub(super) fn reset(&mut self, field: &str) -> bool {
        let default = Self::default();
        match field {
            "size_min" => self.size_min = default.size_min,
            "size_max" => self.size_max = 1_000_000,
            "learning_rate" => self.learning_rate = default.learning_rate,
            "window" => self.window = default.window,
            "step_max" => self.step_max = default.step_max,
            "memory_max" => self.memory_max = default.memory_max,
            "cpu_max" => self.cpu_max = default.cpu_max,
            _ => return false,
        }
        true
    }
}

impl StrategyConfig {
    pub(super) const fn settings(&self, target: Span) -> strategy::Settings {
        strategy::Settings {
            target: target.duration(),
            interval: self.interval.duration(),
            cpu_max: self.cpu_max,
            memory_max: self.memory_max,
        }
    }

    /// Puts a refused field back to its default. False if there is no such field.
    pub(super) fn reset(&mut self, field: &str) -> bool {
        let default = Self::default();
        match field {
            "interval_ms" => self.interval = default.interval,
            "cpu_max" => self.cpu_max = default.cpu_max,
            "memory_max" => self.memory_max = default.memory_max,
            _ => return false,
        }
        true
    }
}

impl Section for GradientConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { size_min, size_max, learning_rate, window, step_max, memory_max, cpu_max } =
            self;
        fields.leaf("size_min", size_min);
        fields.leaf("size_max", size_max);
        fields.leaf("learning_rate", learning_rate);
        fields.leaf("window", window);
        fields.leaf("step_max", step_max);
        fields.leaf("memory_max", memory_max);
        fields.leaf("cpu_max", cpu_max);
    }
}

impl Section for StrategyConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { interval, cpu_max, memory_max } = self;
        fields.leaf("interval", interval);
        fields.leaf("cpu_max", cpu_max);
        fields.leaf("memory_max", memory_max);
    }
}
