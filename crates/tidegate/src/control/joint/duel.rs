//! Is another plan better than the one in force? Both in turn, in the same conditions.
//!
//! Arms alternate as other-base-base-other, so that a drift of the backend touches both alike.
//! After each change the batches that still had neighbours of the other arm are left out. The duel
//! ends as soon as the difference is clear, and at the latest after a number of blocks.

use std::time::Duration;

use super::arm::Arm;
use super::margin::UNEVEN;
use super::objective::Weights;
use super::pairs::Pairs;
use crate::Moment;

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
    weights: Weights,
    arms: [Arm; 2],
    /// The block under way, and what the one before came to.
    within: Arm,
    before: f64,
    pairs: Pairs,
    block: usize,
    blocks_max: usize,
    in_block: f64,
    /// When the block under way began, if it has.
    began: Option<Moment>,
    per_block: f64,
    skip: f64,
    /// Batches of an arm whose slots were not all busy.
    idle: f64,
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

/// With a larger error, as a logarithm, only a clear difference counts.
const UNSURE: f64 = 0.08;
/// Where latencies differ much a block takes at least this, or so many batches.
const BLOCK: Duration = Duration::from_millis(100);
const MOST: f64 = 256.0;

const OTHER_FIRST: [usize; 4] = [1, 0, 0, 1];

impl Duel {
    pub(super) fn new(
        base: Point,
        other: Point,
        threshold: f64,
        doubt: f64,
        (spread, weights): (f64, Weights),
        blocks_max: usize,
    ) -> Self {
        let widest = base.concurrency.max(other.concurrency);
        let rounds = if spread < 0.05 {
            1.0
        } else if spread < UNEVEN {
            2.0
        } else {
            4.0
        };
        Self {
            offset: other.ln_size - base.ln_size,
            slots: [base.concurrency, other.concurrency],
            threshold,
            doubt,
            spread,
            weights,
            arms: [Arm::default(); 2],
            within: Arm::default(),
            before: 0.0,
            pairs: Pairs::default(),
            block: 0,
            blocks_max,
            in_block: 0.0,
            began: None,
            per_block: (rounds * widest).clamp(8.0, 64.0).max(widest.ceil()),
            skip: other.concurrency.ceil(),
            idle: 0.0,
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

    /// The logarithm of what a batch of an arm took, in seconds.
    pub(super) fn ln_latency(&self, other: bool) -> f64 {
        let [base, more] = &self.arms;
        (if other { more } else { base }).mean().max(1e-9).ln()
    }

    /// Whether batches are still left out, because others were in flight with them.
    pub(super) fn is_skipping(&self) -> bool {
        self.skip > 0.0
    }

    /// A batch left while a slot was free, so concurrency did not matter to it; whether there were
    /// so many that this is no time to compare.
    pub(super) fn was_idle(&mut self) -> bool {
        self.idle += 1.0;
        self.idle > 2.0 * (self.per_block + self.widest())
    }

    fn widest(&self) -> f64 {
        let [base, other] = self.slots;
        base.max(other).ceil()
    }

    /// A full batch of the arm in force was answered `now`, after `seconds`, `items` of it in time.
    pub(super) fn push(&mut self, now: Moment, items: f64, seconds: f64) -> Step {
        let arm = usize::from(self.is_other());
        let slots = self.slots.get(arm).map_or(1.0, |slots| slots.ceil().max(1.0));
        if let Some(arm) = self.arms.get_mut(arm) {
            if self.skip > 0.0 {
                self.skip -= 1.0;
                arm.open(now);
                self.within.open(now);
                self.began = Some(now);
                return Step::Go;
            }
            arm.push(now, items, seconds);
            self.within.push(now, items, seconds);
        }
        self.in_block += 1.0;
        // Whole rounds: attempts that left together are answered together.
        if self.in_block < (self.per_block / slots).ceil() * slots {
            return Step::Go;
        }
        // A silence of the backend shall not make up a whole block.
        let lasted = now.since(*self.began.get_or_insert(now));
        if self.spread > UNEVEN && lasted < BLOCK && self.in_block < MOST {
            return Step::Go;
        }
        self.in_block = 0.0;
        self.began = Some(now);
        let was_other = self.is_other();
        self.end_block(now, was_other);
        self.block += 1;
        if let Some(done) = self.verdict() {
            return done;
        }
        if self.is_other() == was_other {
            return Step::Go;
        }
        let next = usize::from(self.is_other());
        self.skip = self.slots.get(next).map_or(1.0, |slots| slots.ceil());
        Step::Switch
    }

    /// Every second block makes a pair with the one before it, which was of the other plan.
    fn end_block(&mut self, now: Moment, other: bool) {
        let value = self.within.value(&self.weights);
        self.within = Arm::default();
        self.within.open(now);
        if self.block % 2 == 1 {
            let difference = value - self.before;
            self.pairs.push(if other { difference } else { -difference });
        }
        self.before = value;
    }

    fn verdict(&self) -> Option<Step> {
        let [base, other] = &self.arms;
        if base.batches() == 0.0 || other.batches() == 0.0 {
            return None;
        }
        // Where latencies differ much, one pair proves nothing.
        if self.spread > UNEVEN && self.pairs.count() < 2.0 {
            return None;
        }
        let gain = other.value(&self.weights) - base.value(&self.weights);
        let promised = base.variance_given(self.spread) + other.variance_given(self.spread);
        let error = self.pairs.variance(promised).sqrt();
        let clear = match self.block {
            0..=2 => 3.5,
            3..=4 => 3.0,
            _ => 2.5,
        };
        let distance = gain - self.threshold;
        if self.block < self.blocks_max && distance.abs() < clear * error {
            return None;
        }
        // To take more than before needs proof; to take less, a good guess.
        let sure = error < UNSURE || self.threshold < 0.0 || distance > clear * error;
        Some(Step::Done { won: sure && distance > self.doubt * error, gain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::joint::objective::Objective;
    use proptest::prelude::*;

    fn duel(threshold: f64) -> Duel {
        let base = Point { ln_size: 5.0, concurrency: 4.0 };
        let other = Point { concurrency: 5.0, ..base };
        Duel::new(base, other, threshold, 0.5, (0.05, Objective::Throughput.weights()), 12)
    }

    /// Plays to the end with these latencies; returns the verdict and the batches it took.
    fn play(mut duel: Duel, base_s: f64, other_s: f64) -> (bool, f64, u32) {
        let mut now = 0.0;
        for batches in 1..10_000 {
            let seconds = if duel.is_other() { other_s } else { base_s };
            now += seconds / if duel.is_other() { 5.0 } else { 4.0 };
            let at = Moment::ZERO + std::time::Duration::from_secs_f64(now);
            if let Step::Done { won, gain } = duel.push(at, 100.0, seconds) {
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
            let ended = latencies.iter().any(|s| {
                let at = Moment::from_nanos((*s * 1e6) as u64);
                matches!(duel.push(at, 1.0, *s), Step::Done { .. })
            });
            prop_assert!(ended);
        }
    }

    #[test]
    fn what_is_clear_is_decided_soon() {
        // A fifth more in flight at the same latency is a fifth more delivered.
        let (won, gain, batches) = play(duel(0.02), 0.1, 0.1);
        assert!(won && (gain - 0.223).abs() < 0.02, "{gain}");
        assert!(batches < 40, "{batches}");
        assert!(!play(duel(0.02), 0.1, 0.13).0);
    }
}
