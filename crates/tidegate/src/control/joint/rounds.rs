//! Has the backend become slow, or was it one stall? A change shows in two rounds in a row.
//!
//! A [`Round`]'s answers are to attempts that left after the round before was over. A first slow round may
//! be a stall, and the size moves little. A second one, whose attempts left after the first was
//! over, is a change: then the size jumps by what the median implies, and what the slow rounds
//! taught the margin is taken back. A backend that has become faster needs no jump: the votes of
//! many quick answers raise the size soon enough, and a jump into the unknown is what hurts.

use super::margin::NOISY;
use super::round::{Median, Round};
use crate::{Moment, Sample};

/// Rounds so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    round: Round,
    began: Moment,
    slow: u32,
}

/// What a round says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said {
    /// It is not over.
    Nothing,
    /// It was as usual.
    Usual,
    /// It was slow, the first one: maybe a stall; its median.
    Slow(f64),
    /// The backend has changed: the size that its median implies is so far from the one in force.
    Changed(f64),
}

/// A round whose median implies so much less, as a logarithm, is slow.
const SLOW: f64 = 0.35;
/// And where latencies differ much, so many errors of that median.
const ERRORS: f64 = 3.0;
/// The error of a median of n is that of a mean, times this.
const MEDIAN: f64 = 1.25;

impl Rounds {
    /// An answer of the plan in force; `spread` is that of latencies, `implied` as for [`Size::vote`](super::size::Size::vote).
    pub(super) fn push(&mut self, sample: &Sample, implied: f64, slots: f64, spread: f64) -> Said {
        if sample.sent.at < self.began {
            return Said::Nothing;
        }
        let Some(Median { value: median, answers }) = self.round.push(implied, slots) else {
            return Said::Nothing;
        };
        let usual = ERRORS * MEDIAN * spread / f64::from(answers).sqrt();
        self.begin(sample.at);
        self.slow = if median < -usual.max(SLOW) { self.slow + 1 } else { 0 };
        match self.slow {
            0 => Said::Usual,
            1 => Said::Slow(median),
            // Where latencies differ much, a stall may last two.
            2 if spread > NOISY => Said::Slow(median),
            _ => {
                self.slow = 0;
                Said::Changed(median)
            }
        }
    }

    /// Begins a round with what leaves from now on.
    pub(super) const fn begin(&mut self, now: Moment) {
        self.round.clear();
        self.began = now;
    }

    /// Begins anew, and forgets slow rounds.
    pub(super) const fn restart(&mut self, now: Moment) {
        self.begin(now);
        self.slow = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::sample;

    fn play(rounds: &mut Rounds, at: u64, implied: f64) -> Said {
        let mut said = Said::Nothing;
        for _ in 0..4 {
            said = rounds.push(&sample(at, 50, 10, Outcome::Ok), implied, 4.0, 0.1);
        }
        said
    }

    #[test]
    fn one_slow_round_is_a_stall_and_two_are_a_change() {
        let mut rounds = Rounds::default();
        assert_eq!(play(&mut rounds, 0, 0.1), Said::Usual);
        assert_eq!(play(&mut rounds, 100, -1.0), Said::Slow(-1.0));
        assert_eq!(play(&mut rounds, 200, 0.0), Said::Usual);
        assert_eq!(play(&mut rounds, 300, -1.0), Said::Slow(-1.0));
        // All that were in flight when the first was over are still the same stall.
        assert_eq!(play(&mut rounds, 310, -1.0), Said::Nothing);
        assert_eq!(play(&mut rounds, 400, -1.2), Said::Changed(-1.2));
        assert_eq!(play(&mut rounds, 500, -1.2), Said::Slow(-1.2));
    }
}
