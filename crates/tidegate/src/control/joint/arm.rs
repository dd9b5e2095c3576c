//! How much does a plan deliver? By Little's law: as many items a second as are in flight on
//! average, divided by how long each takes.
//!
//! That is known batch by batch and needs no window with edges. Latencies are added up, not their
//! logarithms: a rare long stall carries the time that it took. One batch counts for at most four
//! times the mean so far, so that a single silence does not decide between two plans.

/// What the batches of one plan took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Arm {
    n: f64,
    items: f64,
    seconds: f64,
    squares: f64,
}

/// As many batches as a spread that is known counts for.
const KNOWN: f64 = 6.0;
/// A batch counts for at most this many means.
const OUTLIER: f64 = 4.0;

impl Arm {
    /// A batch of which `items` were delivered in time took `seconds`.
    pub(super) fn push(&mut self, items: f64, seconds: f64) {
        let seconds =
            if self.n >= 4.0 { seconds.min(OUTLIER * self.seconds / self.n) } else { seconds };
        self.n += 1.0;
        self.items += items;
        self.seconds += seconds;
        self.squares += seconds * seconds;
    }

    /// How many batches there were.
    pub(super) const fn batches(&self) -> f64 {
        self.n
    }

    /// The mean latency, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.seconds / self.n.max(1.0)
    }

    /// The logarithm of the items a second of one attempt in flight.
    pub(super) fn ln_rate(&self) -> f64 {
        (self.items.max(0.01 * self.n).max(1e-3) / self.seconds.max(1e-9)).ln()
    }

    /// The variance of that logarithm. Batches that are in flight together share their luck: it is
    /// somewhat larger than that of independent ones.
    pub(super) fn variance(&self) -> f64 {
        self.variance_given(0.15)
    }

    /// The same where the spread of a latency is known: a few batches do not tell their own.
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

    proptest! {
        /// Invariant: an arm's figures are finite whatever it is told, and a batch more makes it
        /// no less sure of steady batches.
        #[test]
        fn figures_are_finite(batches in proptest::collection::vec((0.0..1e6f64, 0.0..1e4f64), 0..50)) {
            let mut arm = Arm::default();
            for (items, seconds) in batches {
                arm.push(items, seconds);
                prop_assert!(arm.ln_rate().is_finite() && arm.variance().is_finite());
                prop_assert!(arm.mean() >= 0.0 && arm.variance() > 0.0);
            }
        }
    }

    #[test]
    fn a_silence_counts_but_does_not_decide() {
        let mut arm = Arm::default();
        for _ in 0..9 {
            arm.push(100.0, 0.1);
        }
        arm.push(100.0, 10.0);
        assert!((arm.mean() - (0.9 + 0.4) / 10.0).abs() < 1e-9, "{}", arm.mean());
    }
}
