//! What happened in the last quarter of a second? One message for all watchers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AttemptPoint, Decision, Plan, Resources};

/// Everything that changes, at one moment. Rates are means over the last second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tick {
    /// Its place since the server began; the first is 1. The next tick has the next number.
    pub sequence: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// Since the server began.
    pub uptime_seconds: f64,
    /// What the system is doing, as a sentence for a person.
    pub says: String,
    /// What keeps events from being taken or delivered, as sentences. Empty when all is well.
    pub troubles: Vec<String>,
    /// All lanes together.
    pub totals: Totals,
    /// What came in.
    pub ingest: Ingest,
    /// The journal.
    pub journal: Journal,
    /// The host and the process.
    pub resources: Resources,
    /// What was given up.
    pub dead_letters: LetterTotals,
    /// Each sink, in the order of `Snapshot.sinks`.
    pub sinks: Vec<SinkTick>,
    /// Each lane, in the order of `Snapshot.lanes`.
    pub lanes: Vec<LaneTick>,
    /// Decisions since the tick before, the oldest first; at most 20 a lane, the newest.
    pub decisions: Vec<Decision>,
    /// Changes of breakers since the tick before, the oldest first.
    pub transitions: Vec<Transition>,
}

/// All lanes together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Events acknowledged a second.
    pub accepted_per_second: f64,
    /// Events that sinks took, a second: an event that three sinks took counts three times.
    pub delivered_per_second: f64,
    /// Serialized bytes sent to sinks, a second.
    pub sent_bytes_per_second: f64,
    /// Attempts that were answered, a second.
    pub attempts_per_second: f64,
    /// Of these, attempts that were not delivered whole.
    pub errors_per_second: f64,
    /// Attempts with what had failed before, a second.
    pub retries_per_second: f64,
    /// Events in the journal that some lane has not delivered, summed over lanes.
    pub backlog: u64,
    /// Events in the queues of lanes, in memory.
    pub queue_items: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Age of the oldest event in any queue; null if all are empty.
    pub oldest_seconds: Option<f64>,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Worst 99th percentile of attempt latency over all lanes.
    pub attempt_p99_ms: Option<f64>,
    /// Worst 99th percentile of delivery latency over all lanes.
    pub delivery_p99_ms: Option<f64>,
}

/// What came in, since the server began.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ingest {
    /// Requests.
    pub requests: u64,
    /// Events acknowledged.
    pub accepted: u64,
    /// Events left out of requests that asked for partial acceptance.
    pub rejected: u64,
    /// Requests refused because of what they were (4xx).
    pub refused_client: u64,
    /// Requests refused for now (429, 503).
    pub refused_server: u64,
    /// Requests that were stored before, by their `Idempotency-Key`, and answered again.
    pub repeated: u64,
    /// Bytes of bodies as sent.
    pub body_bytes: u64,
    /// Memory that bodies could still take.
    pub body_bytes_free: u64,
    /// Bytes of bodies as sent, a second.
    pub body_bytes_per_second: f64,
    /// Requests a second.
    pub requests_per_second: f64,
}

/// The durable log of accepted events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Journal {
    /// Oldest position kept.
    pub first: u64,
    /// Position after the last durable event.
    pub durable: u64,
    /// Segment files.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
    /// Bytes of fresh events in memory.
    pub tail_bytes: u64,
    /// The bound of `tail_bytes`.
    pub tail_bytes_max: u64,
    /// Commits: one write each, and with `fsync` one sync, for all requests that waited.
    pub commits: u64,
    /// Commits a second.
    pub commits_per_second: f64,
    /// How long the last sync took; null if there was none.
    pub sync_last_ms: Option<f64>,
    /// The mean over the last second; null if there was none in it.
    pub sync_mean_ms: Option<f64>,
    /// How long syncs took since the server began: bounds within a factor of two.
    pub sync_ms: Option<Percentiles>,
    /// Reads of a backlog from the disk.
    pub disk_reads: u64,
    /// Idempotency keys remembered.
    pub keys: u64,
    /// Places that cannot be read; the log says where and why.
    pub unreadable: u64,
    /// The last trouble that was no request's; null if there was none.
    pub trouble: Option<String>,
    /// Why the journal refuses everything; null if it does not.
    pub failed: Option<String>,
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: f64,
    /// 95 of 100 took at most this.
    pub p95: f64,
    /// 99 of 100 took at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The items that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LetterTotals {
    /// How many there are.
    pub items: u64,
    /// How many there may be.
    pub items_max: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
}

/// What the lanes of a sink share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SinkTick {
    /// Whether anything is sent to it.
    pub breaker: BreakerState,
    /// Until when it is open, in milliseconds since 1970-01-01 UTC; null unless it is.
    pub open_until_unix_ms: Option<i64>,
    /// How many times the breaker has opened.
    pub opened: u64,
    /// Failures in a row that would open it now.
    pub threshold: u32,
    /// Share of attempts that usually fail, 0 to 1.
    pub usual_error_rate: f64,
    /// Retries that could leave at once.
    pub retry_budget_left: f64,
    /// Bytes of the journal that wait for it.
    pub held_bytes: u64,
}

/// Whether anything is sent to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// A few small batches, as probes.
    HalfOpen,
}

/// A change of a breaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// The sink.
    pub sink: String,
    /// Its place among the sink's changes since the server began; the first is 0.
    pub number: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// The state before.
    pub from: BreakerState,
    /// The state from then on.
    pub to: BreakerState,
    /// Why, as a sentence.
    pub reason: String,
}

/// A lane. Counts are since the server began; rates are means over the last second; latencies are of
/// the last 2.5 to 5 seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneTick {
    /// What it is doing.
    pub state: LaneState,
    /// What keeps it from delivering, as the sink said it; null if nothing does.
    pub why: Option<String>,
    /// What it is doing, as a sentence for a person: `holding 1,420 × 4: …`.
    pub says: String,
    /// The plan in force.
    pub plan: Plan,
    /// Whether a guard holds the plan below what the controller asks for.
    pub braking: bool,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Events that arrived for this lane, a second.
    pub in_per_second: f64,
    /// Events that the sink took, a second.
    pub out_per_second: f64,
    /// Serialized bytes sent, a second.
    pub out_bytes_per_second: f64,
    /// Attempts that were answered, a second.
    pub attempts_per_second: f64,
    /// Of these, attempts that were not delivered whole.
    pub errors_per_second: f64,
    /// Attempts with what had failed before, a second.
    pub retries_per_second: f64,
    /// Attempts over the target, a second.
    pub misses_per_second: f64,
    /// Mean items of the attempts of the last second; null if there were none.
    pub items_per_attempt: Option<f64>,
    /// Events delivered.
    pub delivered: u64,
    /// Attempts that were answered or are in flight.
    pub attempts: u64,
    /// Attempts with what had failed before.
    pub retries: u64,
    /// Attempts over the target.
    pub misses: u64,
    /// Events in the journal that the sink does not have yet.
    pub backlog: u64,
    /// Everything below this position is delivered.
    pub low_water: u64,
    /// Bytes of the journal that are kept for this lane.
    pub held_bytes: u64,
    /// Events in the lane's queue, in memory.
    pub queue_items: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// How long ago the oldest of them was accepted; null if the queue is empty.
    pub oldest_seconds: Option<f64>,
    /// Send to answer, of one attempt; null if there was none lately.
    pub attempt_ms: Option<Percentiles>,
    /// Accepted to delivered, of an event; null if there was none lately.
    pub delivery_ms: Option<Percentiles>,
    /// Attempts by what came of them; kinds that never were are left out.
    pub outcomes: BTreeMap<String, u64>,
    /// Retries by what had failed before; kinds that never were are left out.
    pub retries_after: BTreeMap<String, u64>,
    /// Batches by why they left; reasons that never were are left out.
    pub flushes: BTreeMap<String, u64>,
    /// Why the last batches left, the newest last, at most 8.
    pub flushed: Vec<String>,
    /// The backend's load, 0 to 1, if the controller goes by that.
    pub load_score: Option<f64>,
    /// Decisions so far; the next one has this number.
    pub decisions_total: u64,
    /// Events that the sink's condition kept from it.
    pub filtered: u64,
    /// Events that were not kept for the sink while it was detached.
    pub missed: u64,
    /// Attempts since the tick before, the oldest first: all, or an even sample of at most 4.
    pub points: Vec<AttemptPoint>,
}

/// What a lane is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// It is asking the sink what was delivered before.
    Starting,
    /// It delivers what arrives.
    Running,
    /// The sink takes nothing at the moment; events wait in the journal.
    Retrying,
    /// An item must be given up and there is no room for its letter.
    Blocked,
    /// Its sink held more of the journal than it may: nothing is kept for it until it takes a batch
    /// again.
    Detached,
    /// It delivers what is left before the server stops.
    Draining,
    /// It has ended.
    Stopped,
}
