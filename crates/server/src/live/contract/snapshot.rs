//! What is there, and how does it stand?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Plan, PlanBounds, Tick, Transition};

/// The whole state: what does not change, the last tick, and what was decided lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// The id of `tick`: `run-sequence`. As `Last-Event-ID` the stream goes on after it.
    pub id: String,
    /// The server.
    pub server: ServerFacts,
    /// The sinks, in the order of `Tick.sinks`.
    pub sinks: Vec<SinkFacts>,
    /// The lanes of all sinks, in the order of `Tick.lanes`.
    pub lanes: Vec<LaneFacts>,
    /// How it stands.
    pub tick: Tick,
    /// The last decisions of all lanes up to `tick`, the oldest first, at most 200; all that are kept:
    /// `GET /api/decisions`.
    pub decisions: Vec<Decision>,
    /// The last changes of all breakers up to `tick`, the oldest first, at most 32 a sink.
    pub transitions: Vec<Transition>,
}

/// What does not change while the server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerFacts {
    /// The version.
    pub version: String,
    /// Names this run: another one after every start.
    pub run: String,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_unix_ms: i64,
    /// Time between two ticks.
    pub tick_ms: u32,
    /// What an acknowledgement means: `fsync`, `written` or `memory`.
    pub durability: String,
    /// The journal's id.
    pub journal: String,
    /// Which opening of the journal this is.
    pub journal_epoch: u64,
    /// Whether requests must carry a token.
    pub needs_token: bool,
    /// Names of fields whose values are masked in payloads.
    pub masked_fields: Vec<String>,
    /// Whether the server has a simulator.
    pub has_simulator: bool,
    /// Most watchers of the stream at once.
    pub watchers_max: u32,
}

/// What does not change of a sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SinkFacts {
    /// Its name.
    pub sink: String,
    /// What it is: `sqlite`, `postgres`, `http`, `file`, `stdout`, `blackhole`.
    pub kind: String,
    /// What happens when it has filled its share of the journal: `block` or `detach`.
    pub on_full: String,
    /// Bytes of the journal that may wait for it.
    pub held_bytes_max: u64,
    /// Most retries that its budget can hold.
    pub retry_budget_max: f64,
}

/// What does not change of a lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LaneFacts {
    /// Names it: `sink/lane`.
    pub key: String,
    /// The sink's name.
    pub sink: String,
    /// The class, or `default`.
    pub lane: String,
    /// Who finds the plan.
    pub controller: String,
    /// Attempt latency the controller aims to stay under.
    pub target_ms: f64,
    /// The plan it began with.
    pub first_plan: Plan,
    /// The plans that may be in force.
    pub bounds: PlanBounds,
    /// Most events in its queue.
    pub queue_items_max: u64,
    /// Most bytes in its queue.
    pub queue_bytes_max: u64,
    /// Longest time that an attempt may take.
    pub timeout_ms: f64,
}
