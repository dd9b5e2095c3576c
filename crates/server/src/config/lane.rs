//! How does one lane batch?

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::{Bounds, ControllerSettings, Epoch, Plan};

use super::controller::ControllerConfig;
use super::defaults;
use super::guards::GuardsConfig;
use super::read::{Fields, Section};
use super::retry::RetryConfig;
use super::units::{ByteSize, Span};

/// Settings of a lane: of each lane of a sink, unless a class overrides them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default)]
pub struct LaneConfig {
    /// Items in a full batch.
    pub batch_size: BatchSize,
    /// Most serialized bytes in a batch: a hard cap, 1 B to 1 GiB and at least
    /// `http.event_bytes_max`. Default 8 MiB.
    pub batch_bytes_max: ByteSize,
    /// How long the oldest event may wait for company while an attempt could leave, up to 1 h.
    /// Default 0 s: batches fill while earlier ones are on their way.
    pub linger: Span,
    /// Attempts in flight, 0.01 to 1,024; SQLite, files and standard output at most 1, PostgreSQL
    /// at most its `connections`; below 1 it means pauses between attempts. Default 1, of HTTP
    /// sinks 4, of PostgreSQL 2.
    #[schemars(range(min = 0.01, max = 1024.0))]
    pub concurrency: f64,
    /// Attempts a second at most, 0.001 to 10⁹: for an API that limits requests, its limit. Default
    /// null: no limit.
    #[schemars(range(min = 0.001, max = 1e9))]
    pub pace: Option<f64>,
    /// Attempt latency that a batch should stay under, 1 ms to 1 h. Default 100 ms.
    pub target: Span,
    /// When an attempt is given up, 1 ms to 1 h and at least `target`. Default 30 s.
    pub timeout: Span,
    /// Events that may wait or be in flight, from the largest batch to 1,000,000,000. Default
    /// 200,000.
    #[schemars(range(min = defaults::QUEUE_ITEMS.min, max = defaults::QUEUE_ITEMS.max))]
    pub queue_items: u32,
    /// Bytes that may wait or be in flight, from `batch_bytes_max` to 64 GiB. Default 64 MiB.
    pub queue_bytes: ByteSize,
    /// Share of the sink that the lane gets when all want more, relative to the others, 0.1 to
    /// 100. Default 1.
    #[schemars(range(min = defaults::WEIGHT.min, max = defaults::WEIGHT.max))]
    pub weight: f64,
    /// What is done when a batch is not taken.
    pub retry: RetryConfig,
    /// What a lane must not do, whatever its controller thinks.
    pub guards: GuardsConfig,
    /// Who finds the batch size. Default joint.
    pub controller: ControllerConfig,
}

/// Items in a full batch: where to begin, and within which bounds to stay.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct BatchSize {
    /// To begin with, from `min` to `max`. Default 500.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub initial: u32,
    /// Fewest, 1 to 1,000,000. Default 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min: u32,
    /// Most: a hard cap, from `min` to 1,000,000. Default 20,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: u32,
}

impl Default for BatchSize {
    fn default() -> Self {
        Self {
            initial: defaults::BATCH_SIZE_INITIAL,
            min: defaults::BATCH_SIZE_MIN,
            max: defaults::BATCH_SIZE_MAX,
        }
    }
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self {
            batch_size: BatchSize::default(),
            batch_bytes_max: defaults::BATCH_BYTES_MAX,
            linger: defaults::LINGER,
            concurrency: defaults::CONCURRENCY,
            pace: None,
            target: defaults::TARGET,
            timeout: defaults::TIMEOUT.default,
            queue_items: defaults::QUEUE_ITEMS.default,
            queue_bytes: defaults::QUEUE_BYTES.default,
            weight: defaults::WEIGHT.default,
            retry: RetryConfig::default(),
            guards: GuardsConfig::default(),
            controller: ControllerConfig::default(),
        }
    }
}

impl LaneConfig {
    /// The plans that may be in force, with at most `concurrency_max` attempts in flight if the
    /// backend takes no more.
    #[must_use]
    pub fn bounds(&self, concurrency_max: Option<f64>) -> Bounds {
        let library = Bounds::default();
        Bounds {
            batch_size_min: self.batch_size.min,
            batch_size_max: self.batch_size.max,
            batch_bytes_max: self.batch_bytes_max.bytes(),
            concurrency_max: concurrency_max
                .unwrap_or_else(|| self.concurrency.max(library.concurrency_max)),
            linger_max: self.linger.duration().max(library.linger_max),
        }
    }

    /// The plan to begin with.
    #[must_use]
    pub fn first_plan(&self) -> Plan {
        Plan {
            batch_size: self.batch_size.initial,
            concurrency: self.concurrency,
            pace: self.pace,
            linger: self.linger.duration(),
            epoch: Epoch::default(),
        }
    }

    /// Who finds the plan.
    #[must_use]
    pub fn controller(&self) -> ControllerSettings {
        self.controller.settings(self.target)
    }
}

impl Section for LaneConfig {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self {
            batch_size,
            batch_bytes_max,
            linger,
            concurrency,
            pace,
            target,
            timeout,
            queue_items,
            queue_bytes,
            weight,
            retry,
            guards,
            controller,
        } = self;
        fields.section("batch_size", batch_size);
        fields.leaf("batch_bytes_max", batch_bytes_max);
        fields.leaf("linger", linger);
        fields.leaf("concurrency", concurrency);
        fields.optional("pace", pace);
        fields.leaf("target", target);
        fields.leaf("timeout", timeout);
        fields.leaf("queue_items", queue_items);
        fields.leaf("queue_bytes", queue_bytes);
        fields.leaf("weight", weight);
        fields.section("retry", retry);
        fields.section("guards", guards);
        fields.section("controller", controller);
    }
}

impl Section for BatchSize {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { initial, min, max } = self;
        fields.leaf("initial", initial);
        fields.leaf("min", min);
        fields.leaf("max", max);
    }

    fn word(&mut self, _: &str) -> Result<&'static str, Cow<'static, str>> {
        Err(SIZES.into())
    }
}

/// What sizes look like.
pub(super) const SIZES: &str = "a mapping like `{ initial: 500, min: 1, max: 20000 }`";
