//! Was it a stall, or has the backend become slow? Smaller batches tell at once.
//!
//! Two slow rounds prove a change, but slow rounds are what takes long. So after the first one that
//! is far too slow the size is cut to what that round implies, on probation: if it was a stall, the
//! next round says that the size may be what it was, and it is that again; if the backend has become
//! slow, the size is already right. A stall costs a round of smaller batches, so where the doubt was in
//! vain, the next one waits, and longer each time.

use std::time::Duration;

use super::round::Round;
use crate::Moment;

/// The doubt.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    /// The logarithm of the size before, while it lasts.
    before: Option<f64>,
    round: Round,
    /// None is raised before then.
    next: Moment,
    wait: Duration,
}

/// What the smaller batches say, as logarithms of sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It was a stall: the size is this again.
    Stall(f64),
    /// The backend has become slow: the size is this now, and was that before.
    Slow(f64, f64),
}

/// A round this much too slow, as a logarithm, raises the doubt.
const FAR: f64 = -0.6;
/// No cut is deeper.
const DEEPEST: f64 = -1.4;
/// A size that is implied to be this much below the one before, as a logarithm, is another.
const ANOTHER: f64 = 0.35;
/// After a doubt in vain.
const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(60);

impl Default for Doubt {
    fn default() -> Self {
        Self { before: None, round: Round::default(), next: Moment::ZERO, wait: SHORT }
    }
}

impl Doubt {
    /// A round took so much longer than allowed that `median` (a logarithm, below 0) is implied.
    /// Returns by how much to cut a size of exp(`ln_size`), if there is a doubt now.
    pub(super) fn raise(&mut self, now: Moment, median: f64, ln_size: f64) -> Option<f64> {
        if self.before.is_some() || median > FAR || now < self.next {
            return None;
        }
        self.before = Some(ln_size);
        self.round.clear();
        Some(median.max(DEEPEST))
    }

    pub(super) const fn is_raised(&self) -> bool {
        self.before.is_some()
    }

    /// It is of no use any more; returns the logarithm of the size before.
    pub(super) const fn give_up(&mut self) -> Option<f64> {
        self.before.take()
    }

    /// A batch that was cut implies a size of exp(`implied`); a round of them, with `slots` in flight,
    /// tells.
    pub(super) fn push(&mut self, now: Moment, implied: f64, slots: f64) -> Option<Verdict> {
        let before = self.before?;
        let median = self.round.push(implied, slots)?;
        self.before = None;
        let found = median.value.min(before).max(before + DEEPEST);
        if found < before - ANOTHER {
            self.wait = SHORT;
            return Some(Verdict::Slow(found, before));
        }
        self.next = now + self.wait;
        self.wait = (2 * self.wait).min(LONG);
        Some(Verdict::Stall(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    /// Four batches that imply this size.
    fn answer(doubt: &mut Doubt, now: Moment, implied: f64) -> Option<Verdict> {
        (0..4).fold(None, |_, _| doubt.push(now, implied, 4.0))
    }

    proptest! {
        /// Invariant: whatever is implied, the size ends no larger than it was, and no smaller than
        /// the deepest cut; and a round is enough.
        #[test]
        fn a_doubt_ends_between_the_cut_and_the_size_before(
            rounds in proptest::collection::vec((-20.0..0.0f64, -50.0..50.0f64, 1.0..30.0f64), 1..40),
        ) {
            let (mut doubt, mut ln_size, mut now) = (Doubt::default(), 8.0, Moment::ZERO);
            for (median, implied, slots) in rounds {
                now += Duration::from_secs(10);
                let Some(by) = doubt.raise(now, median, ln_size) else { continue };
                prop_assert!((DEEPEST..=FAR).contains(&by) && doubt.is_raised());
                let verdict = (0..16).find_map(|_| doubt.push(now, implied, slots)).unwrap();
                let (Verdict::Stall(to) | Verdict::Slow(to, _)) = verdict;
                prop_assert!(to <= ln_size && to >= ln_size + DEEPEST && !doubt.is_raised());
                ln_size = to.max(2.0);
            }
        }
    }

    #[test]
    fn a_stall_gives_the_size_back_and_a_slow_backend_does_not() {
        let mut doubt = Doubt::default();
        assert_eq!(doubt.raise(at(0), -0.5, 8.0), None);
        assert_eq!(doubt.raise(at(0), -1.0, 8.0), Some(-1.0));
        assert_eq!(answer(&mut doubt, at(100), 7.0), Some(Verdict::Slow(7.0, 8.0)));
        assert_eq!(doubt.raise(at(200), -3.0, 7.0), Some(DEEPEST));
        assert_eq!(answer(&mut doubt, at(300), 7.1), Some(Verdict::Stall(7.0)));
    }

    #[test]
    fn doubts_in_vain_become_rare() {
        let (mut doubt, mut raised) = (Doubt::default(), 0);
        for second in 0..600 {
            if doubt.raise(at(second * 1_000), -1.0, 8.0).is_some() {
                raised += 1;
                answer(&mut doubt, at(second * 1_000), 8.0);
            }
        }
        // After 2, 4, 8, 16 and 32 s, then every minute.
        assert_eq!(raised, 14);
    }
}
