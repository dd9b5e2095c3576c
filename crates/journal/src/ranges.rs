//! Which positions are done, when they get done out of order?
//!
//! A set of half-open ranges that never touch or overlap: neighbours are merged as they meet, so
//! its size is the number of *holes*, not of deliveries. Pure, so that it can be held against a
//! naive set by property tests.

use std::collections::BTreeMap;
use std::ops::Range;

use tidegate_event::Position;

/// A set of positions, kept as maximal half-open ranges.
///
/// ```
/// use tidegate_journal::RangeSet;
///
/// let mut set = RangeSet::new();
/// set.insert(0..3);
/// set.insert(5..8);
/// set.insert(3..5);
/// assert_eq!(set.iter().collect::<Vec<_>>(), [0..8]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// First position → the position after the last.
    ranges: BTreeMap<Position, Position>,
}

impl RangeSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every position of `range`; an empty range adds nothing.
    pub fn insert(&mut self, range: Range<Position>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        if let Some((&first, &until)) = self.ranges.range(..=start).next_back()
            && until >= start
        {
            start = first;
            end = end.max(until);
        }
        // Everything that begins inside, or exactly at the end, becomes part of the new range.
        while let Some((&first, &until)) = self.ranges.range(start..=end).next() {
            self.ranges.remove(&first);
            end = end.max(until);
        }
        self.ranges.insert(start, end);
    }

    /// Takes out every position below `bound`.
    pub fn remove_below(&mut self, bound: Position) {
        while let Some((&first, &until)) = self.ranges.first_key_value() {
            if first >= bound {
                break;
            }
            self.ranges.remove(&first);
            if until > bound {
                self.ranges.insert(bound, until);
            }
        }
    }

    /// Whether every position of `range` is in the set (an empty range always is).
    #[must_use]
    pub fn contains_all(&self, range: &Range<Position>) -> bool {
        range.is_empty() || self.end_of(range.start) >= range.end
    }

    /// The position after the run that holds `position`, or `position` itself if it is not in the set.
    #[must_use]
    pub fn end_of(&self, position: Position) -> Position {
        match self.ranges.range(..=position).next_back() {
            Some((_, &until)) if until > position => until,
            _ => position,
        }
    }

    /// The parts of `range` that are not in the set, in order.
    #[must_use]
    pub fn missing_in(&self, range: Range<Position>) -> Vec<Range<Position>> {
        let mut missing = Vec::new();
        let mut at = self.end_of(range.start);
        while at < range.end {
            let next = self.ranges.range(at..).next();
            let (until, resume) = match next {
                Some((&first, &end)) if first < range.end => (first, end),
                _ => (range.end, range.end),
            };
            missing.push(at..until);
            at = resume;
        }
        missing
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<Position>> + '_ {
        self.ranges.iter().map(|(&first, &end)| first..end)
    }

    /// How many separate ranges there are.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many positions there are.
    #[must_use]
    pub fn positions(&self) -> u64 {
        self.ranges.iter().map(|(first, end)| end - first).sum()
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The position after the highest one in the set.
    #[must_use]
    pub fn end(&self) -> Option<Position> {
        self.ranges.last_key_value().map(|(_, &end)| end)
    }
}

impl FromIterator<Range<Position>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<Position>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn arbitrary_ranges() -> impl Strategy<Value = Vec<Range<Position>>> {
        prop::collection::vec((0u64..60, 0u64..9).prop_map(|(at, n)| at..at + n), 0..40)
    }

    proptest! {
        /// Invariant: the set holds exactly the positions inserted, as maximal separate ranges.
        #[test]
        fn it_equals_a_naive_set(ranges in arbitrary_ranges(), below in 0u64..70) {
            let mut naive: BTreeSet<Position> = ranges.iter().cloned().flatten().collect();
            let mut set: RangeSet = ranges.into_iter().collect();
            prop_assert_eq!(set.iter().flatten().collect::<BTreeSet<_>>(), naive.clone());
            set.remove_below(below);
            naive.retain(|&at| at >= below);
            prop_assert_eq!(set.iter().flatten().collect::<BTreeSet<_>>(), naive.clone());
            prop_assert_eq!(set.positions(), naive.len() as u64);
            let separate = set.iter().zip(set.iter().skip(1)).all(|(a, b)| a.end < b.start);
            prop_assert!(separate, "{:?}", set);
        }

        /// Invariant: what is missing in a range and what is in the set divide that range.
        #[test]
        fn missing_is_the_complement(ranges in arbitrary_ranges(), at in 0u64..70, n in 0u64..30) {
            let set: RangeSet = ranges.into_iter().collect();
            let window = at..at + n;
            let missing: Vec<_> = set.missing_in(window.clone()).into_iter().flatten().collect();
            let expected: Vec<_> =
                window.clone().filter(|&p| set.end_of(p) == p).collect();
            prop_assert_eq!(&missing, &expected);
            prop_assert_eq!(set.contains_all(&window), missing.is_empty());
        }
    }
}
