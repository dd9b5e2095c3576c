//! How does one lane batch? What the sink says, unless the class says otherwise.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use tidegate::{Bounds, ControllerSettings, Epoch, Plan};

use super::controller::ControllerConfig;
use super::defaults;
use super::read::{Fields, Section};
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
    /// Attempts in flight, 0.01 to 1,024, SQLite at most 1; below 1 it means pauses between
    /// attempts. Default 1.
    #[schemars(range(min = 0.01, max = 1024.0))]
    pub concurrency: f64,
    /// Attempts a second at most, 0.001 to 10⁹. Default null: no limit.
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
    /// Who finds the batch size. Default aimd.
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

    /// The lane of a class in the sink that this configures.
    #[must_use]
    pub fn with(&self, class: &ClassConfig) -> Self {
        let ClassConfig {
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
            controller,
        } = class;
        Self {
            batch_size: BatchSize {
                initial: batch_size.initial.unwrap_or(self.batch_size.initial),
                min: batch_size.min.unwrap_or(self.batch_size.min),
                max: batch_size.max.unwrap_or(self.batch_size.max),
            },
            batch_bytes_max: batch_bytes_max.unwrap_or(self.batch_bytes_max),
            linger: linger.unwrap_or(self.linger),
            concurrency: concurrency.unwrap_or(self.concurrency),
            pace: pace.or(self.pace),
            target: target.unwrap_or(self.target),
            timeout: timeout.unwrap_or(self.timeout),
            queue_items: queue_items.unwrap_or(self.queue_items),
            queue_bytes: queue_bytes.unwrap_or(self.queue_bytes),
            weight: weight.unwrap_or(self.weight),
            controller: controller.clone().unwrap_or_else(|| self.controller.clone()),
        }
    }
}

/// A declared class: it gets a lane of its own in every sink. Every setting is optional and
/// overrides that of the sink.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct ClassConfig {
    /// Items in a full batch.
    pub batch_size: ClassBatchSize,
    /// Most serialized bytes in a batch, 1 B to 1 GiB and at least `http.event_bytes_max`.
    pub batch_bytes_max: Option<ByteSize>,
    /// How long the oldest event may wait for company, up to 1 h.
    pub linger: Option<Span>,
    /// Attempts in flight, 0.01 to 1,024, SQLite at most 1.
    #[schemars(range(min = 0.01, max = 1024.0))]
    pub concurrency: Option<f64>,
    /// Attempts a second at most, 0.001 to 10⁹.
    #[schemars(range(min = 0.001, max = 1e9))]
    pub pace: Option<f64>,
    /// Attempt latency that a batch should stay under, 1 ms to 1 h.
    pub target: Option<Span>,
    /// When an attempt is given up, 1 ms to 1 h and at least the target.
    pub timeout: Option<Span>,
    /// Events that may wait or be in flight, from the largest batch to 1,000,000,000.
    #[schemars(range(min = defaults::QUEUE_ITEMS.min, max = defaults::QUEUE_ITEMS.max))]
    pub queue_items: Option<u32>,
    /// Bytes that may wait or be in flight, from the bytes of a batch to 64 GiB.
    pub queue_bytes: Option<ByteSize>,
    /// Share of the sink when all lanes want more, relative to the others, 0.1 to 100.
    #[schemars(range(min = defaults::WEIGHT.min, max = defaults::WEIGHT.max))]
    pub weight: Option<f64>,
    /// Who finds the batch size.
    pub controller: Option<ControllerConfig>,
}

/// Items in a full batch of a class; what is not given is the sink's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct ClassBatchSize {
    /// To begin with.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub initial: Option<u32>,
    /// Fewest, 1 to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min: Option<u32>,
    /// Most: a hard cap, up to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: Option<u32>,
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

const SIZES: &str = "a mapping like `{ initial: 500, min: 1, max: 20000 }`";

impl Section for ClassConfig {
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
            controller,
        } = self;
        fields.section("batch_size", batch_size);
        fields.optional("batch_bytes_max", batch_bytes_max);
        fields.optional("linger", linger);
        fields.optional("concurrency", concurrency);
        fields.optional("pace", pace);
        fields.optional("target", target);
        fields.optional("timeout", timeout);
        fields.optional("queue_items", queue_items);
        fields.optional("queue_bytes", queue_bytes);
        fields.optional("weight", weight);
        fields.optional_section("controller", controller);
    }
}

impl Section for ClassBatchSize {
    fn fields(&mut self, fields: &mut Fields<'_>) {
        let Self { initial, min, max } = self;
        fields.optional("initial", initial);
        fields.optional("min", min);
        fields.optional("max", max);
    }

    fn word(&mut self, _: &str) -> Result<&'static str, Cow<'static, str>> {
        Err(SIZES.into())
    }
}
