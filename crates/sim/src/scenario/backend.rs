//! Who takes the batches? A backend out of parts that combine; each part that is left out is not
//! there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_default;
use super::weather::{Drift, Interruption, Locks, Spread, Tail, WriteBack};

/// A backend.
///
/// A batch of `b` items needs `S(b)` = fixed + per item · b (+ spill · b² beyond the spill) of
/// service, times noise. `n` batches at once share the cores: each is slowed by φ(n) = 1 up to
/// `cores`, beyond by (n/cores)^(1 + min(contention · n, .5)). The network is outside the sharing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendSpec {
    /// Cost of a batch, in milliseconds, 0 to 60,000.
    pub fixed_ms: f64,
    /// Cost of an item, in microseconds, 0 to 1,000,000.
    pub per_item_us: f64,
    /// Batches served at full speed at once, .1 to 1,024.
    pub cores: f64,
    /// What each batch beyond the cores costs all others, 0 to 1. Default 0.
    #[serde(default)]
    pub contention: f64,
    /// Spread of the logarithm of the service time, 0 to 2; its median is 1. Default 0.
    #[serde(default)]
    pub noise: f64,
    /// More noise the more batches there are. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spread: Option<Spread>,
    /// Rare attempts that take many times as long. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tail: Option<Tail>,
    /// A lock that only a few can hold. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub locks: Option<Locks>,
    /// The way to the backend and back. Default: none.
    #[serde(default)]
    pub network: Network,
    /// Where large batches become disproportionately dear. Default: nowhere.
    #[serde(default)]
    pub spill: Option<Spill>,
    /// Short times of little capacity that all attempts feel at once. Default: none.
    #[serde(default)]
    pub stalls: Option<Stalls>,
    /// Checkpoints and silences. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interruptions: Vec<Interruption>,
    /// What was written is written back once there is enough of it. Default: never.
    #[serde(default, skip_serializing_if = "is_default")]
    pub write_back: Option<WriteBack>,
    /// What was left of the capacity once, from a trace: millisecond and share, as pairs; the
    /// milliseconds grow, each share is .001 to 100, at most 72,000. It begins again when it is over.
    /// Filled by [`Scenario::behaving`](super::Scenario::behaving). Default: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recorded_capacity: Vec<(u64, f64)>,
    /// A capacity that wanders by chance. Default: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Option<Drift>,
    /// Attempts that fail as overloaded after their full service. Default: none.
    #[serde(default)]
    pub errors: Errors,
    /// Seconds after which the client gives up, .001 to 3,600; the work goes on. Default 3.
    #[serde(default = "three")]
    pub timeout_s: f64,
    /// A limit on requests a second. Default: none.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// Most items in a request, 1 to 1,000,000; larger ones are refused (413). Default: any.
    #[serde(default)]
    pub items_max: Option<u32>,
    /// When it refuses every connection. Default: never.
    #[serde(default)]
    pub outages: Vec<Span>,
    /// How its capacity changes; changes that overlap multiply. Default: not at all.
    #[serde(default)]
    pub capacity: Vec<CapacityChange>,
    /// What it is busy with besides our batches. Default: nothing.
    #[serde(default)]
    pub own_load: OwnLoad,
    /// Batches of others in service, sharing the cores with ours. Default: none.
    #[serde(default)]
    pub neighbours: Vec<Neighbours>,
    /// What it says of its load. Default: every 250 ms, 1 s old, with a little noise.
    #[serde(default)]
    pub feedback: FeedbackSpec,
}

const fn three() -> f64 {
    3.0
}

/// The way to the backend and back.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Median of a round trip, in milliseconds, 0 to 60,000.
    pub median_ms: f64,
    /// Spread of its logarithm, 0 to 2.
    pub sigma: f64,
}

/// Where large batches become disproportionately dear.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spill {
    /// Items beyond which it happens, 1 to 1,000,000.
    pub above_items: u32,
    /// Nanoseconds for each item times each item, 0 to 1,000. Default 2.
    #[serde(default = "two")]
    pub ns_per_item_squared: f64,
    /// What such a batch costs more whatever its size, in milliseconds, 0 to 60,000: it does not
    /// fit a buffer any more. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed_ms: f64,
}

const fn two() -> f64 {
    2.0
}

/// Short times of little capacity that all attempts feel at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stalls {
    /// Mean time from the end of one to the next, in seconds, .01 to 3,600.
    pub every_s: f64,
    /// How long one lasts, in seconds, .001 to 60.
    pub for_s: f64,
    /// What is left of the capacity meanwhile, .001 to 1. Default .1.
    #[serde(default = "tenth")]
    pub capacity: f64,
    /// Whether they come at even intervals (a checkpoint) rather than by chance. Default no.
    #[serde(default)]
    pub periodic: bool,
}

const fn tenth() -> f64 {
    0.1
}

/// How often attempts fail: `base` + `slope` · max(0, (n − cores)/cores) · min(5, b/1000).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Errors {
    /// Probability without load, 0 to 1.
    pub base: f64,
    /// What each load of the cores beyond the first adds for 1,000 items, 0 to 1.
    pub slope: f64,
}

/// A limit on requests a second: a bucket of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Tokens that come in a second, .001 to 1,000,000.
    pub requests_per_s: f64,
    /// Tokens the bucket holds, 1 to 1,000,000.
    pub burst: f64,
    /// Seconds that a refusal asks to wait, 0 to 3,600; none: the refusal says nothing.
    #[serde(default)]
    pub retry_after_s: Option<f64>,
}

/// From when until when, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// When it begins.
    pub from_s: f64,
    /// When it is over.
    pub until_s: f64,
}

/// A change of capacity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityChange {
    /// When it begins, in seconds.
    pub from_s: f64,
    /// When it has reached `factor`, in seconds; not given: at once.
    #[serde(default)]
    pub full_s: Option<f64>,
    /// When the capacity is back, in seconds; not given: never.
    #[serde(default)]
    pub until_s: Option<f64>,
    /// What is left of the capacity, .001 to 100.
    pub factor: f64,
}

/// What the backend is busy with besides our batches: the share of its capacity that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "pattern", rename_all = "snake_case")]
pub enum OwnLoad {
    /// Nothing.
    #[default]
    Idle,
    /// Always the same.
    Constant {
        /// Share, 0 to .99.
        share: f64,
    },
    /// A sine wave.
    Sine {
        /// Its middle, 0 to .99.
        mean: f64,
        /// How far it goes to either side, 0 to .99.
        amplitude: f64,
        /// From crest to crest, in seconds, .1 to 3,600.
        period_s: f64,
    },
    /// Mostly low, high for a while again and again.
    Spikes {
        /// Share between spikes, 0 to .99.
        base: f64,
        /// Share in a spike, 0 to .99.
        peak: f64,
        /// From spike to spike, in seconds, .1 to 3,600.
        every_s: f64,
        /// How long one lasts, in seconds, up to `every_s`.
        for_s: f64,
    },
    /// From one share to another.
    Gradual {
        /// Share at the beginning, 0 to .99.
        from: f64,
        /// Share at the end, 0 to .99.
        to: f64,
        /// How long it takes, in seconds, .1 to 3,600.
        over_s: f64,
    },
}

/// Batches of others in service for a while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    /// When they come, in seconds.
    pub from_s: f64,
    /// When they leave, in seconds.
    pub until_s: f64,
    /// How many of their batches are always in service, 0 to 1,024.
    pub jobs: f64,
}

/// What the backend says of its load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedbackSpec {
    /// How often, in milliseconds, 1 to 3,600,000.
    pub every_ms: f64,
    /// How old it is when it comes, in milliseconds, 0 to 3,600,000; rounded to whole intervals.
    pub lag_ms: f64,
    /// Spread of the noise on each value, as a share of what counts as full load, 0 to 1.
    pub noise: f64,
    /// How many waiting operations count as full load: the scale of their noise, .1 to 1,000,000.
    /// Default 100.
    #[serde(skip_serializing_if = "is_hundred")]
    pub queue_full: f64,
    /// What it says; nothing of what is not named. Default: all four.
    #[serde(skip_serializing_if = "is_everything")]
    pub says: Vec<Metric>,
    /// Metrics of its own, at most 16. Default: none.
    #[serde(skip_serializing_if = "is_default")]
    pub custom: Vec<CustomMetric>,
}

/// A metric with a name and a scale of its own, made of one that the backend has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomMetric {
    /// Its name, 1 to 64 characters.
    pub name: String,
    /// Of what it is made.
    pub of: Metric,
    /// By what that is multiplied, -1e9 to 1e9. Default 1.
    #[serde(default = "one")]
    pub factor: f64,
    /// What is added then, -1e9 to 1e9. Default 0.
    #[serde(default)]
    pub offset: f64,
}

const fn one() -> f64 {
    1.0
}

/// A value that a backend may say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of its cores in use.
    Cpu,
    /// Batches in service beyond its cores: those that would wait in a queue.
    QueueDepth,
    /// Share of attempts that failed lately.
    ErrorRate,
    /// Waits for a lock since the last report.
    LockWaits,
}

impl FeedbackSpec {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.says.is_empty() && self.custom.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_hundred(value: &f64) -> bool {
    value.to_bits() == 100.0_f64.to_bits()
}

fn is_everything(says: &[Metric]) -> bool {
    says == FeedbackSpec::default().says
}

impl Default for FeedbackSpec {
    fn default() -> Self {
        let says = vec![Metric::Cpu, Metric::QueueDepth, Metric::ErrorRate, Metric::LockWaits];
        Self {
            every_ms: 250.0,
            lag_ms: 1000.0,
            noise: 0.05,
            queue_full: 100.0,
            says,
            custom: Vec::new(),
        }
    }
}
