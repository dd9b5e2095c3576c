//! When does what arrive? A Poisson process whose rate follows the pattern, counted each
//! millisecond.
//!
//! A millisecond is short against every target, and counting keeps a rate of a million items a
//! second as cheap as one of a thousand.

use std::time::Duration;

use tidegate::Moment;

use crate::rng::{Rng, Stream};
use crate::scenario::Arrivals;

/// How often arrivals are counted.
pub const TICK: Duration = Duration::from_millis(1);

/// Counts what arrives.
#[derive(Debug)]
pub struct Process {
    pattern: Arrivals,
    /// What part of it arrives here.
    share: f64,
    rng: Rng,
    high: bool,
    turns_at: Moment,
}

impl Process {
    /// That share of the process under that seed; nothing for a saturated source, which never waits.
    #[must_use]
    pub fn new(pattern: Arrivals, share: f64, seed: u64) -> Option<Self> {
        let rng = Rng::new(seed, Stream::Arrivals);
        let saturated = matches!(pattern, Arrivals::Saturated);
        (!saturated).then_some(Self { pattern, share, rng, high: false, turns_at: Moment::ZERO })
    }

    /// What arrived in the tick that ends at `now`.
    pub fn tick(&mut self, now: Moment) -> u64 {
        let rate = self.rate(now).max(0.0) * self.share;
        self.rng.poisson(rate * TICK.as_secs_f64())
    }

    fn rate(&mut self, now: Moment) -> f64 {
        let t = now.as_secs_f64();
        match self.pattern {
            Arrivals::Saturated => 0.0,
            Arrivals::Constant { rate } => rate,
            Arrivals::Sine { mean, amplitude, period_s } => {
                mean + amplitude * (std::f64::consts::TAU * t / period_s).sin()
            }
            Arrivals::Spikes { base, peak, every_s, for_s } => {
                if t % every_s < for_s {
                    peak
                } else {
                    base
                }
            }
            Arrivals::Ramp { from, to, over_s } => from + (to - from) * (t / over_s).min(1.0),
            Arrivals::Burst { low, high, hold_s } => {
                if now >= self.turns_at {
                    self.high = !self.high;
                    self.turns_at = now + Duration::from_secs_f64(self.rng.exponential(hold_s));
                }
                if self.high { high } else { low }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_brings_its_mean() {
        let patterns = [
            (Arrivals::Constant { rate: 5e3 }, 5e3),
            (Arrivals::Sine { mean: 5e3, amplitude: 4e3, period_s: 10.0 }, 5e3),
            (Arrivals::Spikes { base: 1e3, peak: 11e3, every_s: 10.0, for_s: 1.0 }, 2e3),
            (Arrivals::Ramp { from: 0.0, to: 8e3, over_s: 100.0 }, 4e3),
            (Arrivals::Burst { low: 2e3, high: 8e3, hold_s: 0.1 }, 5e3),
        ];
        for (pattern, mean) in patterns {
            let mut process = Process::new(pattern, 1.0, 3).unwrap();
            let count: u64 = (1..=100_000).map(|ms| process.tick(Moment::ZERO + TICK * ms)).sum();
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            let found = count as f64 / 100.0;
            assert!((found / mean - 1.0).abs() < 0.08, "{pattern:?}: {found}");
        }
        assert!(Process::new(Arrivals::Saturated, 1.0, 3).is_none());
    }
}
