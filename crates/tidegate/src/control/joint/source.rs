//! Is the source faster than the backend, or was it only for a moment? A source that was slow until
//! just now is taken to be slow again soon.
//!
//! A comparison costs a part of what is delivered. A source that is always ahead loses that part
//! and no more; one that has just come to be ahead piles up what was not delivered, and every item
//! behind is late until the next lull. How long batches will go on being full nobody knows; the
//! best guess is that it lasts about as long as it has lasted. So nothing is asked until batches
//! have been full for as long as they were not before, and for half a minute at most. One that was
//! not full among many that were is no lull.

use std::time::Duration;

use crate::Moment;

/// When batches were not full.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The lull: its first and last batch that was not full.
    lull: Option<(Moment, Moment)>,
    /// So long batches must have been full at least.
    patience: Duration,
}

/// A moment.
const SHORT: Duration = Duration::from_millis(500);
/// A lull longer than this is forgotten as soon.
const LONG: Duration = Duration::from_secs(30);

impl Default for Source {
    fn default() -> Self {
        Self { lull: None, patience: SHORT }
    }
}

impl Source {
    /// A batch that was not full was answered; `asked` is whether that interrupts a comparison:
    /// each time it does, more patience is needed.
    pub(super) fn not_full(&mut self, now: Moment, asked: bool) {
        if asked {
            self.patience = (2 * self.patience).min(LONG);
        }
        let began = match self.lull {
            Some((began, last)) if now.since(last) <= self.needed() => began,
            _ => now,
        };
        self.lull = Some((began, now));
    }

    /// A comparison came to its end.
    pub(super) const fn compared(&mut self) {
        self.patience = SHORT;
    }

    /// Whether batches have been full for so long that they may be taken to stay so.
    pub(super) fn is_ahead(&self, now: Moment) -> bool {
        self.lull.is_none_or(|(_, last)| now.since(last) >= self.needed())
    }

    /// How long they must have been.
    fn needed(&self) -> Duration {
        let lull = self.lull.map_or(Duration::ZERO, |(began, last)| last.since(began));
        lull.clamp(self.patience, LONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    proptest! {
        /// Invariant: whatever happened, batches that are full for half a minute are enough.
        #[test]
        fn nothing_is_held_against_a_source_for_ever(
            lulls in proptest::collection::vec((0..100_000u64, any::<bool>()), 0..100),
        ) {
            let (mut source, mut now) = (Source::default(), 0);
            for (ms, asked) in lulls {
                now += ms;
                source.not_full(at(now), asked);
                prop_assert!(!source.is_ahead(at(now)));
            }
            prop_assert!(source.is_ahead(at(now) + LONG));
        }
    }

    #[test]
    fn a_source_that_was_slow_for_long_must_be_ahead_for_as_long() {
        let mut source = Source::default();
        assert!(source.is_ahead(at(0)));
        for ms in (0..8_000).step_by(100) {
            source.not_full(at(ms), false);
        }
        // Two seconds ahead within a lull are part of it.
        for ms in (10_000..12_000).step_by(100) {
            source.not_full(at(ms), false);
        }
        assert!(!source.is_ahead(at(23_000)));
        assert!(source.is_ahead(at(24_000)));
    }

    #[test]
    fn a_batch_now_and_then_that_is_not_full_is_no_lull() {
        let mut source = Source::default();
        for second in 0..20 {
            source.not_full(at(second * 1_000), false);
            assert!(source.is_ahead(at(second * 1_000 + 500)));
        }
        // But where each of them interrupts a comparison, the next waits longer.
        for second in 20..24 {
            source.not_full(at(second * 1_000), true);
        }
        assert!(!source.is_ahead(at(25_000)));
        source.compared();
        source.not_full(at(60_000), false);
        assert!(source.is_ahead(at(60_500)));
    }
}
