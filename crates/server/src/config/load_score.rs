//! How is the load score made that moves a lane's batch size?
//!
//! The names are those of the library, which holds their bounds.

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::control::load_score;

use super::read::{Fields, Section};
use super::units::Span;

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

impl LoadScoreConfig {
    pub(super) fn settings(&self) -> load_score::Settings {
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

    /// Puts a refused field back to its default. False if there is no such field.
    pub(super) fn reset(&mut self, field: &str) -> bool {
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
