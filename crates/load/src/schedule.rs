//! When is the n-th event due? An endless row of straight pieces answers.
//!
//! Every [`Pattern`] is a row of pieces in which the rate goes in a straight line from one value
//! to another. So one closed formula serves all: the count inside a piece is a quadratic in
//! time, its inverse a square root, and the pieces of a burst can be drawn from a seed. `--rate`
//! is the mean of every pattern, over its period (of `burst`: in the long run):
//!
//! | pattern | rate, in units of the mean | piece by piece |
//! |---|---|---|
//! | `constant` | 1 | – |
//! | `sine` | 1 + 0.8 sin(2πt / period) | 64 chords a period: at most 0.1 % off the curve |
//! | `spikes` | 5 in the last tenth of each period, else 5/9 | two |
//! | `ramp` | from 0.1 up to 1.9 in each period, then down at once | one |
//! | `burst` | calm 0.5, burst 5.5 | stays exponentially long: 0.9 and 0.1 periods in the mean |
//!
//! `burst` is a Markov-modulated rate with two states. Inside a state events come evenly, not
//! Poisson: with 100 events a request that noise would be far below what the states do.
//!
//! Time is an argument here; nothing sleeps and nothing reads a clock.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::random::Random;

/// Chords for one period of the sine.
const CHORDS: u32 = 64;
/// Stream of the seed that draws the stays of `burst`.
const STREAM: u64 = 1 << 32;

/// How the rate moves around its mean. See the table of the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Pattern {
    /// Always the same.
    #[default]
    Constant,
    /// Between 0.2 and 1.8 of the mean, once a period.
    Sine,
    /// Five times the mean in the last tenth of each period.
    Spikes,
    /// From 0.1 to 1.9 of the mean in each period, then from the start.
    Ramp,
    /// Random bursts of 5.5 times the mean, repeatable by seed.
    Burst,
}

/// A stretch of time in which the rate is a straight line. Seconds and events a second.
#[derive(Debug, Clone, Copy)]
struct Piece {
    length: f64,
    from: f64,
    to: f64,
}

impl Piece {
    fn slope(&self) -> f64 {
        if self.length > 0.0 { (self.to - self.from) / self.length } else { 0.0 }
    }

    /// Events in the first `time` seconds.
    fn events(&self, time: f64) -> f64 {
        (self.from + self.slope() * time / 2.0) * time
    }

    /// Seconds until `events` have come: the stable form of the quadratic's root.
    fn time(&self, events: f64) -> f64 {
        let root = (self.from * self.from + 2.0 * self.slope() * events).max(0.0).sqrt();
        (2.0 * events / (self.from + root)).clamp(0.0, self.length)
    }
}

/// Where a pattern stands: goes forward only, in constant memory.
///
/// ```
/// use std::time::Duration;
/// use tidegate_load::schedule::{Pattern, Schedule};
///
/// let mut even = Schedule::new(Pattern::Constant, 50.0, Duration::from_secs(10), 1);
/// assert_eq!(even.when(100), Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    pattern: Pattern,
    mean: f64,
    period: f64,
    random: Random,
    piece: Piece,
    /// How many pieces lie behind.
    behind: u32,
    /// Seconds and events in the pieces that lie behind.
    start: f64,
    events: f64,
}

impl Schedule {
    /// A schedule of this mean `rate` (events a second, above 0) and `period` (above 0).
    /// `seed` matters to [`Pattern::Burst`] alone.
    #[must_use]
    pub fn new(pattern: Pattern, rate: f64, period: Duration, seed: u64) -> Self {
        let mut schedule = Self {
            pattern,
            mean: rate.max(f64::MIN_POSITIVE),
            period: period.as_secs_f64().max(0.001),
            random: Random::new(seed, STREAM),
            piece: Piece { length: 0.0, from: 0.0, to: 0.0 },
            behind: 0,
            start: 0.0,
            events: 0.0,
        };
        schedule.piece = schedule.draw();
        schedule
    }

    /// How long after the start the first `events` events have become due.
    ///
    /// Ask with counts that never fall: for a count inside a piece already left, the answer is
    /// where the present piece starts. A moment out of reach of [`Duration`] is `Duration::MAX`.
    pub fn when(&mut self, events: u64) -> Duration {
        let events = events as f64;
        while self.events + self.piece.events(self.piece.length) < events {
            self.advance();
        }
        let inside = self.piece.time((events - self.events).max(0.0));
        Duration::try_from_secs_f64(self.start + inside).unwrap_or(Duration::MAX)
    }

    /// How many events have become due in `elapsed`: the inverse of [`Schedule::when`], under
    /// the same condition on its argument.
    pub fn due(&mut self, elapsed: Duration) -> f64 {
        let elapsed = elapsed.as_secs_f64();
        while self.start + self.piece.length < elapsed {
            self.advance();
        }
        self.events + self.piece.events((elapsed - self.start).max(0.0))
    }

    fn advance(&mut self) {
        self.events += self.piece.events(self.piece.length);
        self.start += self.piece.length;
        self.behind = self.behind.wrapping_add(1);
        self.piece = self.draw();
    }

    /// The piece after those that lie behind.
    fn draw(&mut self) -> Piece {
        let odd = self.behind % 2 == 1;
        let (share, from, to) = match self.pattern {
            Pattern::Constant => (1.0, 1.0, 1.0),
            Pattern::Sine => {
                let at =
                    |chord: u32| 1.0 + 0.8 * (TAU * f64::from(chord) / f64::from(CHORDS)).sin();
                let chord = self.behind % CHORDS;
                (1.0 / f64::from(CHORDS), at(chord), at(chord + 1))
            }
            Pattern::Spikes if odd => (0.1, 5.0, 5.0),
            Pattern::Spikes => (0.9, 5.0 / 9.0, 5.0 / 9.0),
            Pattern::Ramp => (1.0, 0.1, 1.9),
            Pattern::Burst if odd => (self.random.exponential(0.1), 5.5, 5.5),
            Pattern::Burst => (self.random.exponential(0.9), 0.5, 0.5),
        };
        Piece { length: share * self.period, from: from * self.mean, to: to * self.mean }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Pattern; 5] =
        [Pattern::Constant, Pattern::Sine, Pattern::Spikes, Pattern::Ramp, Pattern::Burst];

    fn schedule(pattern: Pattern, rate: f64, period_ms: u64, seed: u64) -> Schedule {
        Schedule::new(pattern, rate, Duration::from_millis(period_ms), seed)
    }

    proptest! {
        /// Invariant: later events are never due earlier.
        #[test]
        fn monotone(
            pattern in prop::sample::select(&ALL[..]), rate in 0.1_f64..1e6,
            period in 100_u64..60_000, seed: u64, steps in prop::collection::vec(0_u64..500, 1..200),
        ) {
            let mut schedule = schedule(pattern, rate, period, seed);
            let (mut count, mut last) = (0, Duration::ZERO);
            for step in steps {
                count += step;
                let when = schedule.when(count);
                prop_assert!(when >= last, "{when:?} after {last:?} at {count}");
                last = when;
            }
        }

        /// Invariant: over whole periods every periodic pattern brings exactly its mean rate.
        #[test]
        fn whole_periods_bring_the_mean(
            pattern in prop::sample::select(&ALL[..4]), rate in 1.0_f64..1e6,
            period in 100_u64..60_000, periods in 1_u64..50,
        ) {
            let elapsed = Duration::from_millis(period * periods);
            let due = schedule(pattern, rate, period, 0).due(elapsed);
            let mean = rate * elapsed.as_secs_f64();
            prop_assert!((due / mean - 1.0).abs() < 1e-6, "{due} instead of {mean}");
        }

        /// Invariant: `when` and `due` are each other's inverse.
        #[test]
        fn inverse(
            pattern in prop::sample::select(&ALL[..]), rate in 1.0_f64..1e6,
            period in 100_u64..60_000, seed: u64, count in 1_u64..100_000,
        ) {
            let when = schedule(pattern, rate, period, seed).when(count);
            let due = schedule(pattern, rate, period, seed).due(when);
            // A nanosecond of rounding in `when` is at most 1e-9 × 5.5 × 1e6 events.
            prop_assert!((due - count as f64).abs() < 0.02, "{count} became {due}");
        }

        /// Invariant: the seed decides the bursts.
        #[test]
        fn bursts_repeat(seed: u64) {
            let take = |seed| {
                let mut schedule = schedule(Pattern::Burst, 1000.0, 1000, seed);
                (1..50).map(|n| schedule.when(n * 1000)).collect::<Vec<_>>()
            };
            prop_assert_eq!(take(seed), take(seed));
            prop_assert_ne!(take(seed), take(seed ^ 1));
        }
    }

    #[test]
    fn bursts_bring_the_mean_in_the_long_run() {
        for seed in 0..5 {
            let elapsed = Duration::from_secs(5_000);
            let due = schedule(Pattern::Burst, 100.0, 1000, seed).due(elapsed);
            assert!((0.9..1.1).contains(&(due / 500_000.0)), "{due}");
        }
    }

    #[test]
    fn shapes_are_as_the_table_says() {
        let rate_at = |pattern, at_ms: u64| {
            let mut schedule = schedule(pattern, 1000.0, 10_000, 0);
            let before = schedule.due(Duration::from_millis(at_ms));
            (schedule.due(Duration::from_millis(at_ms + 1)) - before).round()
        };
        assert_eq!(rate_at(Pattern::Constant, 3_000), 1.0);
        for (pattern, at, expected) in [
            (Pattern::Sine, 2_500, 1.8),
            (Pattern::Sine, 7_500, 0.2),
            (Pattern::Spikes, 9_500, 5.0),
            (Pattern::Spikes, 500, 5.0 / 9.0),
            (Pattern::Ramp, 0, 0.1),
            (Pattern::Ramp, 9_999, 1.9),
        ] {
            let mut schedule = schedule(pattern, 1e6, 10_000, 0);
            let before = schedule.due(Duration::from_millis(at));
            let rate = (schedule.due(Duration::from_millis(at + 1)) - before) / 1000.0;
            assert!((rate - expected).abs() < 0.01, "{pattern:?} at {at} ms: {rate}");
        }
    }
}
