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
    tape: Tape,
}

/// A recording that is played.
#[derive(Debug, Default)]
struct Tape {
    arrived: Vec<(u64, u64)>,
    next: usize,
    /// When it began, in milliseconds: again and again, if it does.
    began_ms: u64,
    /// Parts of items that are owed, where instances share what arrives.
    owed: f64,
}

impl Tape {
    /// Items of the milliseconds that are over at `now_ms`.
    fn play(&mut self, now_ms: u64, again: bool) -> u64 {
        let mut items = 0;
        loop {
            let Some((at_ms, count)) = self.arrived.get(self.next) else {
                let Some((last, _)) = self.arrived.last() else { return items };
                if !again {
                    return items;
                }
                (self.next, self.began_ms) = (0, self.began_ms + last + 1);
                continue;
            };
            if self.began_ms + at_ms >= now_ms {
                return items;
            }
            items += count;
            self.next += 1;
        }
    }
}

impl Process {
    /// That share of the process under that seed; nothing for a saturated source, which never waits.
    #[must_use]
    pub fn new(pattern: Arrivals, share: f64, seed: u64) -> Option<Self> {
        Self::playing(pattern, &[], share, seed)
    }

    /// The same with the recording that [`Arrivals::Replay`] plays.
    #[must_use]
    pub fn playing(
        pattern: Arrivals,
        arrived: &[(u64, u64)],
        share: f64,
        seed: u64,
    ) -> Option<Self> {
        let rng = Rng::new(seed, Stream::Arrivals);
        let saturated = matches!(pattern, Arrivals::Saturated);
        (!saturated).then_some(Self {
            pattern,
            share,
            rng,
            high: false,
            turns_at: Moment::ZERO,
            tape: Tape { arrived: arrived.to_vec(), ..Tape::default() },
        })
    }

    /// What arrived in the tick that ends at `now`.
    pub fn tick(&mut self, now: Moment) -> u64 {
        if let Arrivals::Replay { again } = self.pattern {
            return self.replay(now, again);
        }
        let rate = self.rate(now).max(0.0) * self.share;
        self.rng.poisson(rate * TICK.as_secs_f64())
    }

    /// This share of what the recording holds up to now; what is less than an item waits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "validation keeps the counts far below 2^53"
    )]
    fn replay(&mut self, now: Moment, again: bool) -> u64 {
        let now_ms = now.as_nanos() / 1_000_000;
        self.tape.owed += self.tape.play(now_ms, again) as f64 * self.share;
        let whole = (self.tape.owed + 1e-9).floor().max(0.0);
        self.tape.owed -= whole;
        whole as u64
    }

    fn rate(&mut self, now: Moment) -> f64 {
        let t = now.as_secs_f64();
        match self.pattern {
            Arrivals::Saturated | Arrivals::Replay { .. } => 0.0,
            Arrivals::Constant { rate } => rate,
            Arrivals::Sine { mean, amplitude, period_s } => {
                mean + amplitude * (std::f64::consts::TAU * t / period_s).sin()
            }
            Arrivals::Spikes { base, peak, every_s, for_s, first_s } => {
                if t >= first_s && (t - first_s) % every_s < for_s { peak } else { base }
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
    fn a_recording_is_played_item_for_item_and_again_if_asked() {
        let arrived = [(0, 5), (3, 2), (9, 1)];
        let play = |again, share| -> Vec<u64> {
            let pattern = Arrivals::Replay { again };
            let mut process = Process::playing(pattern, &arrived, share, 1).unwrap();
            (1..=20).map(|ms| process.tick(Moment::ZERO + TICK * ms)).collect()
        };
        let once = play(false, 1.0);
        assert_eq!(&once[..10], [5, 0, 0, 2, 0, 0, 0, 0, 0, 1]);
        assert_eq!(once.iter().sum::<u64>(), 8);
        assert_eq!(play(true, 1.0).iter().sum::<u64>(), 16);
        assert_eq!(play(true, 0.25).iter().sum::<u64>(), 4);
    }

    #[test]
    fn each_pattern_brings_its_mean() {
        let patterns = [
            (Arrivals::Constant { rate: 5e3 }, 5e3),
            (Arrivals::Sine { mean: 5e3, amplitude: 4e3, period_s: 10.0 }, 5e3),
            (
                Arrivals::Spikes { base: 1e3, peak: 11e3, every_s: 10.0, for_s: 1.0, first_s: 5.0 },
                2e3,
            ),
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
