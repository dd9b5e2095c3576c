//! What has an engine done so far? Counts that only grow.

use super::FlushReason;
use crate::Outcome;

/// Counts since the engine began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Attempts sent.
    pub attempts: u64,
    /// Items sent, once for each attempt they were in.
    pub items_sent: u64,
    /// Serialized bytes sent, once for each attempt they were in.
    pub bytes_sent: u64,
    /// Items that the backend took.
    pub items_delivered: u64,
    /// Of the attempts, those with a batch that had been sent before, whole or as part of another.
    pub resent: u64,
    /// The other attempts, by [`FlushReason::index`].
    pub by_reason: [u64; FlushReason::ALL.len()],
    /// Attempts answered, by [`Outcome::index`].
    pub by_outcome: [u64; Outcome::LABELS.len()],
}

impl Counters {
    /// Attempts that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.by_outcome.iter().sum()
    }

    /// Attempts that left for this reason.
    #[must_use]
    pub const fn left_for(&self, reason: FlushReason) -> u64 {
        self.by_reason[reason.index()]
    }

    /// Attempts that ended with this kind of outcome.
    #[must_use]
    pub const fn ended(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome.index()]
    }
}
