//! How far apart do the same two plans come out each time? As far as that, a difference is chance.
//!
//! Batches of a real backend are not independent: a checkpoint, a stall or a neighbour touches all
//! of a block alike, so the spread of single latencies promises far more than it can keep. Each pair
//! of adjacent blocks, one of either plan, gives one difference; how those differ among themselves
//! is the honest error of their mean. A few pairs do not tell their own spread, so what single
//! latencies say counts as some more.

/// Differences so far (Welford's mean and sum of squares).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pairs {
    n: f64,
    mean: f64,
    squares: f64,
}

/// As many pairs as what single latencies say counts for.
const KNOWN: f64 = 2.0;

impl Pairs {
    /// A pair came out so far apart.
    pub(super) fn push(&mut self, difference: f64) {
        let difference = difference.clamp(-3.0, 3.0);
        self.n += 1.0;
        let from = difference - self.mean;
        self.mean += from / self.n;
        self.squares += from * (difference - self.mean);
    }

    /// How many there were.
    pub(super) const fn count(&self) -> f64 {
        self.n
    }

    /// The variance of the mean difference, where single latencies promise `promised`.
    pub(super) fn variance(&self, promised: f64) -> f64 {
        if self.n < 2.0 {
            return promised;
        }
        let of_one = (self.squares + KNOWN * promised * self.n) / (self.n - 1.0 + KNOWN);
        promised.max(of_one / self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: pairs only ever add doubt, and leave it finite.
        #[test]
        fn the_error_is_never_less_than_promised(
            differences in proptest::collection::vec(-1e9..1e9f64, 0..40),
            promised in 1e-9..10.0f64,
        ) {
            let mut pairs = Pairs::default();
            for difference in differences {
                pairs.push(difference);
                let variance = pairs.variance(promised);
                prop_assert!(variance.is_finite() && variance >= promised);
            }
        }
    }

    #[test]
    fn pairs_that_disagree_add_doubt_and_pairs_that_agree_do_not() {
        let (mut agree, mut disagree) = (Pairs::default(), Pairs::default());
        for i in 0..6 {
            agree.push(0.1);
            disagree.push(if i % 2 == 0 { 0.6 } else { -0.4 });
        }
        assert!((agree.variance(0.001) - 0.001).abs() < 1e-12);
        assert!(disagree.variance(0.001) > 0.03, "{}", disagree.variance(0.001));
    }
}
