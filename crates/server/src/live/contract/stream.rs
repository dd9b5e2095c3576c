//! What does the stream say of itself?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Some ticks are missing. A `hello` with the whole state follows at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The id after which ticks are missing: what was asked for.
    pub after: String,
    /// How many ticks are missing; null if that cannot be told.
    pub missed: Option<u64>,
    /// The same for a person.
    pub message: String,
}

/// Why ticks are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The server was started anew since, and counts began anew.
    Restarted,
    /// The break was longer than the server remembers ticks: two minutes, or less with many lanes.
    TooOld,
    /// The id is none of this server's.
    Unknown,
}

/// The stream ends; nothing follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bye {
    /// Why.
    pub reason: ByeReason,
    /// The same for a person.
    pub message: String,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// The server is stopping: connect again in a moment.
    Stopping,
    /// The watcher read too slowly: connect again, the stream goes on where it was if that is still
    /// remembered.
    Slow,
}
