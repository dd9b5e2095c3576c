//! What has happened so far? Counted by a few connections together, merged to be looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::error::LoadError;

/// Latencies are told apart from a microsecond up to an hour, to three digits.
const HIGHEST_US: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

/// Counts of one connection, or of all.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Events put on the wire at least once.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Events refused for good.
    pub(crate) refused: u64,
    /// Requests put on the wire, each try counted.
    pub(crate) requests: u64,
    /// Tries after the first.
    pub(crate) retries: u64,
    /// Failed tries by kind.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What the first failure of each kind said.
    pub(crate) messages: BTreeMap<String, String>,
    /// Of acknowledged requests, in microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, LoadError> {
        let latency = Histogram::new_with_bounds(1, HIGHEST_US, DIGITS)
            .map_err(|error| LoadError::Defect(error.to_string()))?;
        Ok(Self {
            sent: 0,
            acknowledged: 0,
            refused: 0,
            requests: 0,
            retries: 0,
            errors: BTreeMap::new(),
            messages: BTreeMap::new(),
            latency,
        })
    }

    /// A try goes on the wire; the first one sends its events.
    pub(crate) fn sending(&mut self, attempt: u32, events: usize) {
        self.requests += 1;
        if attempt == 1 {
            self.sent += events as u64;
        } else {
            self.retries += 1;
        }
    }

    pub(crate) fn failed(&mut self, kind: &str, message: impl FnOnce() -> String) {
        if let Some(count) = self.errors.get_mut(kind) {
            *count += 1;
            return;
        }
        self.errors.insert(kind.to_owned(), 1);
        self.messages.insert(kind.to_owned(), message());
    }

    pub(crate) fn answered(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.requests += other.requests;
        self.retries += other.retries;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        for (kind, message) in &other.messages {
            self.messages.entry(kind.clone()).or_insert_with(|| message.clone());
        }
        // Both have the same bounds, so adding cannot fail.
        let _ = self.latency.add(&other.latency);
    }
}
