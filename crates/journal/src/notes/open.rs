//! Which batches of a lane are on their way?
//!
//! They never overlap: a batch is cut anew only after a definite refusal, and then the new cut
//! takes the place of the old one. Pure; the lock around it and the file behind it are elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;

use tidegate_event::Position;

/// The open batches of one lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenBatches {
    /// First position → the position after the last.
    batches: BTreeMap<Position, Position>,
}

impl OpenBatches {
    /// Opens a batch in place of every one that it overlaps. False if it was open just so.
    pub(crate) fn begin(&mut self, batch: Range<Position>) -> bool {
        if self.has(&batch) || batch.is_empty() {
            return false;
        }
        self.close(&batch);
        self.batches.insert(batch.start, batch.end);
        true
    }

    /// Closes every batch that has a position of `range`. False if there was none.
    pub(crate) fn close(&mut self, range: &Range<Position>) -> bool {
        let mut closed = false;
        while let Some((&start, &end)) = self.batches.range(..range.end).next_back() {
            if end <= range.start || range.is_empty() {
                break;
            }
            self.batches.remove(&start);
            closed = true;
        }
        closed
    }

    pub(crate) fn has(&self, batch: &Range<Position>) -> bool {
        self.batches.get(&batch.start) == Some(&batch.end)
    }

    /// The batches, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<Position>> + '_ {
        self.batches.iter().map(|(&start, &end)| start..end)
    }

    /// The position after the highest one.
    pub(crate) fn end(&self) -> Option<Position> {
        self.batches.last_key_value().map(|(_, &end)| end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: what is open are the batches begun since the last record that touched them,
        /// and no two of them overlap.
        #[test]
        fn it_equals_a_naive_list(
            steps in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..12), 0..60)
        ) {
            let mut open = OpenBatches::default();
            let mut naive: Vec<Range<u64>> = Vec::new();
            for (begins, at, n) in steps {
                let range = at..at + n;
                let touches = |other: &Range<u64>| {
                    !range.is_empty() && other.start < range.end && range.start < other.end
                };
                if begins {
                    let new = !range.is_empty() && !naive.contains(&range);
                    prop_assert_eq!(open.begin(range.clone()), new);
                    if new {
                        naive.retain(|other| !touches(other));
                        naive.push(range);
                    }
                } else {
                    prop_assert_eq!(open.close(&range), naive.iter().any(touches));
                    naive.retain(|other| !touches(other));
                }
                naive.sort_by_key(|batch| batch.start);
                prop_assert_eq!(open.iter().collect::<Vec<_>>(), naive.clone());
                prop_assert_eq!(open.end(), naive.last().map(|batch| batch.end));
            }
        }
    }
}
