//! What was decided lately, and why? The last decisions, bounded.

use std::collections::VecDeque;

use crate::Decision;

/// The most recent decisions, oldest first.
///
/// ```
/// use tidegate::history::History;
///
/// let history = History::new(100);
/// assert_eq!((history.total(), history.iter().len()), (0, 0));
/// ```
#[derive(Debug, Clone)]
pub struct History {
    kept: VecDeque<Decision>,
    capacity: usize,
    total: u64,
}

impl History {
    /// A history that keeps the last `capacity` decisions.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { kept: VecDeque::new(), capacity, total: 0 }
    }

    /// Notes a decision and forgets the oldest one if there is no room.
    pub fn push(&mut self, decision: Decision) {
        self.total += 1;
        if self.capacity == 0 {
            return;
        }
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
        }
        self.kept.push_back(decision);
    }

    /// The decisions that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Decision> + ExactSizeIterator {
        self.kept.iter()
    }

    /// How many decisions there ever were; those that are kept are the last of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The kept decisions from the `from`-th ever made on (the first one is number 0).
    pub fn since(&self, from: u64) -> impl Iterator<Item = &Decision> {
        let forgotten = self.total - self.kept.len() as u64;
        let skip = usize::try_from(from.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip)
    }
}
