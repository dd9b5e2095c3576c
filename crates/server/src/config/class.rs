//! What does a declared class ask of its lanes? What it does not say, the sink says.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use super::controller::ControllerConfig;
use super::defaults;
use super::lane::{BatchSize, LaneConfig, SIZES};
use super::read::{Fields, Section};
use super::retry::ClassRetry;
use super::units::{ByteSize, Span};

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
    /// When an item is given up.
    pub retry: ClassRetry,
    /// Who finds the batch size; takes the place of the sink's controller and all its settings.
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

impl LaneConfig {
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
            retry,
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
            retry: self.retry.with(retry),
            // They are about the machine and the sink, not about a class.
            guards: self.guards.clone(),
            controller: controller.clone().unwrap_or_else(|| self.controller.clone()),
        }
    }
}

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
            retry,
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
        fields.section("retry", retry);
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
