//! Is another plan better than the one in force? Both in turn, in the same conditions.
//!
//! Arms alternate as other-base-base-other, so that a drift of the backend touches both alike.
//! After each change the batches that still had neighbours of the other arm are left out. The duel
//! ends as soon as the difference is clear, and at the latest after a number of blocks.

use super::arm::Arm;

/// The plan of an arm: logarithm of the size, and concurrency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) ln_size: f64,
    pub(super) concurrency: f64,
}

/// A comparison under way. The base keeps moving with its size, and the other with it.
#[derive(Debug, Clone)]
pub(super) struct Duel {
    /// How much larger the other's batches are, as a logarithm.
    offset: f64,
    /// Concurrency of the base and of the other.
    slots: [f64; 2],
    /// What the other must deliver more, as a logarithm, to win.
    threshold: f64,
    /// Standard errors that the other must be above the threshold by.
    doubt: f64,
    /// The spread of a latency, as a logarithm.
    spread: f64,
    arms: [Arm; 2],
    block: usize,
    blocks_max: usize,
    in_block: f64,
    per_block: f64,
    skip: f64,
}

/// What to do after a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Go on with this arm.
    Go,
    /// Change arms.
    Switch,
    /// It is decided.
    Done {
        /// Whether the other plan won.
        won: bool,
        /// How much more it delivered, as a logarithm.
        gain: f64,
    },
}

const OTHER_FIRST: [usize; 4] = [1, 0, 0, 1];

impl Duel {
    pub(super) fn new(
        base: Point,
        other: Point,
        threshold: f64,
        doubt: f64,
        spread: f64,
        blocks_max: usize,
    ) -> Self {
        let widest = base.concurrency.max(other.concurrency);
        Self {
            offset: other.ln_size - base.ln_size,
            slots: [base.concurrency, other.concurrency],
            threshold,
            doubt,
            spread,
            arms: [Arm::default(); 2],
            block: 0,
            blocks_max,
            in_block: 0.0,
            per_block: (2.0 * widest).clamp(4.0, 64.0).max(widest.ceil()),
            skip: widest.ceil(),
        }
    }

    /// Whether the other plan is the one in force.
    pub(super) fn is_other(&self) -> bool {
        OTHER_FIRST.get(self.block % 4) == Some(&1)
    }

    /// The plan of an arm where the base has this size.
    pub(super) fn point(&self, ln_size: f64, other: bool) -> Point {
        let [base, more] = self.slots;
        if other {
            Point { ln_size: ln_size + self.offset, concurrency: more }
        } else {
            Point { ln_size, concurrency: base }
        }
    }

    /// Whether batches are still left out, because others were in flight with them.
    pub(super) fn is_skipping(&self) -> bool {
        self.skip > 0.0
    }

    fn widest(&self) -> f64 {
        let [base, other] = self.slots;
        base.max(other).ceil()
    }

    /// A full batch of the arm in force was answered after `seconds`, `items` of it in time.
    pub(super) fn push(&mut self, items: f64, seconds: f64) -> Step {
        if self.skip > 0.0 {
            self.skip -= 1.0;
            return Step::Go;
        }
        let arm = usize::from(self.is_other());
        if let Some(arm) = self.arms.get_mut(arm) {
            arm.push(items, seconds);
        }
        self.in_block += 1.0;
        if self.in_block < self.per_block {
            return Step::Go;
        }
        self.in_block = 0.0;
        let was_other = self.is_other();
        self.block += 1;
        if let Some(done) = self.verdict() {
            return done;
        }
        if self.is_other() == was_other {
            return Step::Go;
        }
        self.skip = self.widest();
        Step::Switch
    }

    fn verdict(&self) -> Option<Step> {
        let [base, other] = &self.arms;
        if base.batches() == 0.0 || other.batches() == 0.0 {
            return None;
        }
        let [few, many] = self.slots;
        let slots = (many / few).ln();
        let gain = other.ln_rate() - base.ln_rate() + slots;
        let error = (base.variance_given(self.spread) + other.variance_given(self.spread)).sqrt();
        let clear = match self.block {
            0..=2 => 3.5,
            3..=4 => 3.0,
            _ => 2.5,
        };
        let distance = gain - self.threshold;
        if self.block < self.blocks_max && distance.abs() < clear * error {
            return None;
        }
        Some(Step::Done { won: distance > self.doubt * error, gain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn duel(threshold: f64) -> Duel {
        let base = Point { ln_size: 5.0, concurrency: 4.0 };
        let other = Point { concurrency: 5.0, ..base };
        Duel::new(base, other, threshold, 0.5, 0.05, 12)
    }

    /// Plays to the end with these latencies; returns the verdict and the batches it took.
    fn play(mut duel: Duel, base_s: f64, other_s: f64) -> (bool, f64, u32) {
        for batches in 1..10_000 {
            let seconds = if duel.is_other() { other_s } else { base_s };
            if let Step::Done { won, gain } = duel.push(100.0, seconds) {
                return (won, gain, batches);
            }
        }
        panic!("a duel without an end");
    }

    proptest! {
        /// Invariant: every duel ends, within its blocks, whatever the batches take.
        #[test]
        fn a_duel_ends(latencies in proptest::collection::vec(1e-6..1e3f64, 400)) {
            let mut duel = duel(0.02);
            let ended = latencies.iter().any(|s| matches!(duel.push(1.0, *s), Step::Done { .. }));
            prop_assert!(ended);
        }
    }

    #[test]
    fn what_is_clear_is_decided_soon() {
        // A fifth more in flight at the same latency is a fifth more delivered.
        let (won, gain, batches) = play(duel(0.02), 0.1, 0.1);
        assert!(won && (gain - 0.223).abs() < 0.01, "{gain}");
        assert!(batches < 40, "{batches}");
        assert!(!play(duel(0.02), 0.1, 0.13).0);
    }
}
