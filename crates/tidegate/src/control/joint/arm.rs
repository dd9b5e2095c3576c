//! How much does a plan deliver? Items in time, over the time that passed.
//!
//! Not latencies: an attempt that is stuck behind the others is not among those that were answered,
//! so the mean of those makes many in flight look good. Time is counted from one answer to the
//! next, from the last answer before the first that counts. A single silence counts for at most
//! three latencies, so that it does not decide between two plans.

use super::objective::Weights;
use crate::Moment;

/// What the batches of one plan took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Arm {
    n: f64,
    items: f64,
    /// Time from answer to answer, in seconds.
    elapsed: f64,
    last: Option<Moment>,
    /// Sums of latencies and of their squares.
    seconds: f64,
    squares: f64,
}

/// As many batches as a spread that is known counts for.
const KNOWN: f64 = 6.0;
/// A silence counts for at most this many latencies.
const SILENCE: f64 = 3.0;

impl Arm {
    /// Time counts from here: an answer that itself does not.
    pub(super) const fn open(&mut self, now: Moment) {
        self.last = Some(now);
    }

    /// A batch of which `items` were delivered in time was answered `now`, after `seconds`.
    pub(super) fn push(&mut self, now: Moment, items: f64, seconds: f64) {
        self.n += 1.0;
        self.items += items;
        self.seconds += seconds;
        self.squares += seconds * seconds;
        let gap = self.last.replace(now).map_or(seconds, |last| now.since(last).as_secs_f64());
        self.elapsed += gap.min(SILENCE * self.mean());
    }

    /// How many batches there were.
    pub(super) const fn batches(&self) -> f64 {
        self.n
    }

    /// The mean latency, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.seconds / self.n.max(1.0)
    }

    /// How useful the plan is.
    pub(super) fn value(&self, weights: &Weights) -> f64 {
        let items = (self.items / self.n.max(1.0)).max(0.01);
        weights.value(self.ln_rate(), self.mean().max(1e-9).ln(), items.ln())
    }

    /// The logarithm of the items in time a second.
    pub(super) fn ln_rate(&self) -> f64 {
        (self.items.max(0.01 * self.n).max(1e-3) / self.elapsed.max(1e-9)).ln()
    }

    /// The variance of that logarithm, where the spread of a latency is known: a few batches do not
    /// tell their own. Batches that are in flight together share their luck, so it is somewhat
    /// larger than that of independent ones.
    pub(super) fn variance_given(&self, spread: f64) -> f64 {
        let (mean, n) = (self.mean().max(1e-9), self.n.max(1.0));
        let own = (self.squares / n - mean * mean).max(0.0) / (mean * mean);
        let blended = (own * n + spread * spread * KNOWN) / (n + KNOWN);
        1.3 * (blended + 1e-4) / n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        /// Invariant: an arm's figures are finite whatever it is told, also where time stands still
        /// or jumps back.
        #[test]
        fn figures_are_finite(
            batches in proptest::collection::vec((0..u64::MAX, 0.0..1e6f64, 0.0..1e4f64), 0..50),
        ) {
            let mut arm = Arm::default();
            for (at, items, seconds) in batches {
                arm.push(Moment::from_nanos(at), items, seconds);
                prop_assert!(arm.ln_rate().is_finite() && arm.variance_given(0.1).is_finite());
                prop_assert!(arm.mean() >= 0.0 && arm.variance_given(0.1) > 0.0);
            }
        }
    }

    #[test]
    fn a_silence_counts_but_does_not_decide() {
        let (mut arm, mut now) = (Arm::default(), Moment::ZERO);
        arm.open(now);
        for batch in 0..10 {
            now += Duration::from_millis(if batch == 5 { 10_000 } else { 100 });
            arm.push(now, 100.0, 0.1);
        }
        assert!((arm.ln_rate().exp() - 1000.0 / 1.2).abs() < 1e-6, "{}", arm.ln_rate().exp());
    }

    #[test]
    fn attempts_in_flight_together_deliver_together() {
        let (mut arm, mut now) = (Arm::default(), Moment::ZERO);
        arm.open(now);
        for _ in 0..5 {
            now += Duration::from_millis(100);
            for _ in 0..4 {
                arm.push(now, 10.0, 0.1);
            }
        }
        assert!((arm.ln_rate().exp() - 400.0).abs() < 1e-6);
    }
}
