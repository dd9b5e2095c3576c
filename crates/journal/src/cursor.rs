//! How far has one lane delivered?
//!
//! A low-water mark below which everything is done, and the ranges above it that were done out of
//! order. Pure: the lane's handles put a lock around it, the cursors file stores it.

use std::ops::Range;

use tidegate_event::Position;

use crate::ranges::RangeSet;

/// What a lane has delivered: everything below `low`, and the ranges `above` it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    low: Position,
    above: RangeSet,
}

impl Cursor {
    pub(crate) fn at(low: Position) -> Self {
        Self { low, above: RangeSet::new() }
    }

    /// The cursor with everything below `low` and the ranges in `above` delivered.
    pub(crate) fn restore(low: Position, above: RangeSet) -> Self {
        let mut cursor = Self { low, above };
        cursor.settle();
        cursor
    }

    /// Marks `range` as delivered; again is harmless.
    pub(crate) fn deliver(&mut self, range: Range<Position>) {
        self.above.insert(range);
        self.settle();
    }

    /// Marks everything below `bound` as passed.
    pub(crate) fn raise(&mut self, bound: Position) {
        self.low = self.low.max(bound);
        self.settle();
    }

    /// Restores the invariant: nothing in `above` is below or at the low-water mark.
    fn settle(&mut self) {
        self.above.remove_below(self.low);
        self.low = self.above.end_of(self.low);
        self.above.remove_below(self.low);
    }

    pub(crate) fn low(&self) -> Position {
        self.low
    }

    pub(crate) fn above(&self) -> &RangeSet {
        &self.above
    }

    /// Changes with every change of what is delivered, since that only ever grows.
    pub(crate) fn delivered_count(&self) -> u64 {
        self.low + self.above.positions()
    }

    /// The position after the highest delivered one.
    pub(crate) fn end(&self) -> Position {
        self.above.end().unwrap_or(self.low)
    }

    pub(crate) fn is_delivered(&self, range: &Range<Position>) -> bool {
        range.end <= self.low || self.above.contains_all(&(range.start.max(self.low)..range.end))
    }

    pub(crate) fn undelivered_in(&self, range: Range<Position>) -> Vec<Range<Position>> {
        self.above.missing_in(range.start.max(self.low)..range.end)
    }

    /// How many of the positions below `next` are not delivered yet.
    pub(crate) fn backlog(&self, next: Position) -> u64 {
        next.saturating_sub(self.low).saturating_sub(self.above.positions())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Invariant: in whatever order ranges are delivered, the low-water mark is the first
        /// position not delivered, and the backlog counts exactly the others.
        #[test]
        fn low_water_is_the_first_hole(
            ranges in prop::collection::vec((0u64..60, 1u64..9).prop_map(|(at, n)| at..at + n), 0..40)
        ) {
            let mut cursor = Cursor::default();
            for range in &ranges {
                cursor.deliver(range.clone());
                prop_assert!(cursor.is_delivered(range));
            }
            let done = |at: u64| ranges.iter().any(|range| range.contains(&at));
            let first_hole = (0..).find(|&at| !done(at)).unwrap();
            prop_assert_eq!(cursor.low(), first_hole);
            let left = (0..100).filter(|&at| !done(at)).count() as u64;
            prop_assert_eq!(cursor.backlog(100), left);
            let listed: u64 = cursor.undelivered_in(0..100).into_iter().map(|r| r.end - r.start).sum();
            prop_assert_eq!(listed, left);
            prop_assert_eq!(Cursor::restore(cursor.low(), cursor.above().clone()), cursor);
        }
    }
}
