//! How many failures in a row are more than usual? That depends on how often the sink fails anyway.
//!
//! With a share *p* of attempts failing, independently of each other, *k* in a row happen once in
//! 1/*pᵏ* attempts. A fixed threshold of five trips every four hundred attempts on a sink of which
//! three in ten fail, although nothing has changed. So the threshold is the least *k* with
//! *pᵏ* ≤ 10⁻⁹, and never less than the one that was set.
//!
//! *p* is learnt from what ended in a success: a run of failures teaches once the attempt after it
//! succeeds. A run that trips the breaker never does, so that no outage becomes the new normal.

/// How often a false alarm may come: once in so many attempts, on average.
const FALSE_ALARM: f64 = 1e-9;

/// A sink that fails more often than this is not healthy, however used to it one is.
const USUAL_MAX: f64 = 0.5;

/// The share of the newest observation.
const WEIGHT: f64 = 1.0 / 64.0;

/// The usual share of failures.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Normal {
    rate: f64,
}

impl Normal {
    /// A run of `failures` ended in a success.
    pub(super) fn learn(&mut self, failures: u32) {
        // After so many the mean is all failures to within a thousandth.
        for _ in 0..failures.min(448) {
            self.rate += WEIGHT * (1.0 - self.rate);
        }
        self.rate -= WEIGHT * self.rate;
    }

    /// The usual share of failures, 0 to 1.
    pub(super) const fn rate(&self) -> f64 {
        self.rate
    }

    /// The failures in a row that are more than usual, at least `set`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 30 by the bounds of the rate"
    )]
    pub(super) fn threshold(&self, set: u32) -> u32 {
        let usual = self.rate.clamp(1e-9, USUAL_MAX);
        let run = (FALSE_ALARM.ln() / usual.ln()).ceil();
        set.max(run as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_follows_the_usual_rate_and_has_both_ends() {
        let at = |rate| Normal { rate }.threshold(5);
        assert_eq!([at(0.0), at(0.01), at(0.1), at(0.3), at(0.5), at(0.9)], [5, 5, 9, 18, 30, 30]);
        assert_eq!(Normal { rate: 0.5 }.threshold(100), 100);
    }

    #[test]
    fn the_rate_is_that_of_the_attempts() {
        let mut normal = Normal::default();
        for _ in 0..400 {
            normal.learn(1);
            normal.learn(0);
        }
        assert!((normal.rate() - 1.0 / 3.0).abs() < 0.02, "{}", normal.rate());
    }
}
