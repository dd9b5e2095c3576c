//! What was given up, and what can be done about it?

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Dead letters that a filter lets through: groups of all of them, and one page of letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LetterPage {
    /// How many there are in all, whatever the filter.
    pub total: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many there may be; at the bound lanes stand still.
    pub items_max: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
    /// The 100 largest groups of letters of which the same was said.
    pub groups: Vec<LetterGroup>,
    /// The letters of this page, the oldest first.
    pub letters: Vec<LetterSummary>,
    /// `after` of the next page; null on the last one.
    pub next: Option<i64>,
}

/// Letters of which the same was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterGroup {
    /// The sink.
    pub sink: String,
    /// Why: `refused`, `too_large`, `attempts`, `age`.
    pub kind: String,
    /// The reason without what differs from item to item; as a filter: `group`.
    pub group: String,
    /// How many.
    pub count: u64,
    /// The first attempt with any of them, in nanoseconds since 1970-01-01 UTC.
    pub first_at: i64,
    /// The last attempt with any of them, in nanoseconds since 1970-01-01 UTC.
    pub last_at: i64,
    /// The id of one of them.
    pub example: i64,
}

/// A letter without its event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetterSummary {
    /// Names it.
    pub id: i64,
    /// The journal's id.
    pub journal: String,
    /// The item's place in the journal.
    pub position: u64,
    /// The sink that did not take it.
    pub sink: String,
    /// The lane.
    pub lane: String,
    /// The event's class; empty if it has none.
    pub class: String,
    /// Why it was given up: `refused`, `too_large`, `attempts`, `age`.
    pub kind: String,
    /// What the last attempt came to, as in `AttemptPoint`.
    pub outcome: String,
    /// What the backend said.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The first attempt, in milliseconds since 1970-01-01 UTC.
    pub first_at_unix_ms: i64,
    /// The last attempt, in milliseconds since 1970-01-01 UTC.
    pub last_at_unix_ms: i64,
    /// How many times its event was replaced.
    pub mended: u32,
}

/// A letter with its event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Letter {
    /// What is known of it.
    #[serde(flatten)]
    pub summary: LetterSummary,
    /// The event as `POST /v1/events` takes it. Values of masked fields are `***`.
    pub event: Value,
}

/// What came of sending letters again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryReport {
    /// Letters that were looked at.
    pub tried: u64,
    /// Delivered, and gone.
    pub delivered: u64,
    /// Refused again; they stay, with the new reason.
    pub refused: u64,
    /// Not sent: how many, by why.
    pub skipped: BTreeMap<String, u64>,
    /// Why the rest was not tried; null if it was.
    pub stopped: Option<String>,
    /// The last letter that was looked at: a further retry goes on after it.
    pub last: Option<i64>,
}

/// What was removed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purged {
    /// How many letters.
    pub purged: u64,
}
