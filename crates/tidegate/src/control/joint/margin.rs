//! How far below the target must the usual latency be? As far as its spread demands, and a little
//! more or less as misses tell.
//!
//! The spread is that of logarithms of successive latencies, so a slow drift is none of it. 2.33
//! spreads leave one in a hundred above the target if nothing is odd; what is odd (stalls, tails)
//! is learnt: a miss moves the margin up by a step, a hit down by so much that one miss in
//! 125 is the balance. Only batches of the plan in force teach; a stall that hits every
//! attempt in flight is one miss.

use crate::{Moment, Sample};

/// The margin and what it is made of.
#[derive(Debug, Clone)]
pub(super) struct Margin {
    spread: f64,
    last: Option<f64>,
    heard: f64,
    extra: f64,
    missed_at: Option<Moment>,
}

/// Latencies that differ by this, as a logarithm, differ much: a few batches tell little.
pub(super) const UNEVEN: f64 = 0.15;
/// By this, attempts wait for each other or for stalls.
pub(super) const NOISY: f64 = 0.25;
/// Spreads between the usual latency and the target.
const SPREADS: f64 = 2.33;
/// The widest margin: a tenth of the target is left. Where a stall takes most of the target, as when a
/// log is written back, batches that take the small rest of it are in time, and others are not; where
/// it takes more, smaller batches do not help.
const MOST: f64 = 2.4;
/// What a miss adds: so much, as a logarithm, that the size falls by about a twelfth.
const STEP: f64 = 0.08;
/// The share of misses at which the margin rests.
const MISSES: f64 = 0.008;

impl Default for Margin {
    fn default() -> Self {
        Self { spread: 0.15, last: None, heard: 0.0, extra: 0.03, missed_at: None }
    }
}

impl Margin {
    /// How far the usual latency is to stay below the target, as a logarithm.
    pub(super) fn get(&self) -> f64 {
        (SPREADS * self.spread + self.extra).clamp(0.02, MOST)
    }

    /// The spread of a latency, as a logarithm.
    pub(super) const fn spread(&self) -> f64 {
        self.spread
    }

    /// A full batch took exp(`ln_latency`): that is about its spread.
    pub(super) fn hear(&mut self, ln_latency: f64) {
        if let Some(last) = self.last.replace(ln_latency) {
            // The mean distance of two draws is 2 ÷ √π spreads.
            let found = (ln_latency - last).abs().min(1.2) * 0.886;
            self.heard += 1.0;
            let weight = (1.0 / (self.heard + 2.0)).max(0.02);
            self.spread = (self.spread + weight * (found - self.spread)).clamp(0.003, 0.6);
        }
    }

    /// A full batch of the plan in force took exp(`ln_latency`); `late` or not.
    pub(super) fn learn(&mut self, sample: &Sample, ln_latency: f64, late: bool) {
        self.hear(ln_latency);
        if !late {
            self.extra -= STEP * MISSES / (1.0 - MISSES);
        } else if self.missed_at.is_none_or(|at| sample.sent.at >= at) {
            self.missed_at = Some(sample.at);
            self.extra += STEP;
        }
        self.extra = self.extra.clamp(-self.spread, MOST);
    }

    /// What comes next has nothing to do with what came before.
    pub(super) const fn break_off(&mut self) {
        self.last = None;
    }

    /// What misses taught, to be given back if they turn out to be a change of the backend.
    pub(super) const fn taught(&self) -> f64 {
        self.extra
    }

    /// Forgets what was taught since, but for one miss.
    pub(super) const fn unlearn_but_one(&mut self, taught: f64) {
        self.extra = taught + STEP;
    }

    /// Forgets what was taught since.
    pub(super) const fn unlearn(&mut self, taught: f64) {
        self.extra = taught;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::sample;
    use proptest::prelude::*;

    proptest! {
        /// Invariant: the margin is finite and keeps between its ends, whatever happens.
        #[test]
        fn the_margin_keeps_its_ends(
            batches in proptest::collection::vec((1..100_000u64, any::<bool>()), 0..300),
        ) {
            let mut margin = Margin::default();
            for (at, (ms, late)) in batches.into_iter().enumerate() {
                let one = sample(at as u64, ms, 10, Outcome::Ok);
                margin.learn(&one, (ms as f64 / 1e3).ln(), late);
                prop_assert!((0.02..=MOST).contains(&margin.get()));
            }
        }
    }

    #[test]
    fn it_rests_where_one_in_a_hundred_and_forty_three_is_late() {
        let mut margin = Margin::default();
        for at in 0..14_300 {
            let one = sample(at * 200, 100, 10, Outcome::Ok);
            margin.learn(&one, 0.0, at % 143 == 0);
        }
        // The spread is gone, what is left was taught: a hundred misses and their hits.
        let moved = margin.extra - 0.03;
        assert!(moved.abs() < 0.1, "{moved}");
    }

    #[test]
    fn a_stall_that_hits_all_in_flight_is_one_miss() {
        let mut margin = Margin::default();
        let before = margin.extra;
        for _ in 0..8 {
            margin.learn(&sample(0, 500, 10, Outcome::Ok), 0.0, true);
        }
        assert!((margin.extra - before - STEP).abs() < 1e-9);
    }
}
