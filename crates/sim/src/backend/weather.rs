//! When is capacity taken from all at once? Interruptions that come and go, and a drift.
//!
//! Both are drawn from streams of their own in the order of time, so that whatever a controller
//! does, it meets the same weather under the same seed.

use std::time::Duration;

use tidegate::Moment;

use crate::backend::course;
use crate::rng::{Rng, Stream};
use crate::scenario::BackendSpec;
use crate::scenario::weather::{Between, Drift, Interruption};

/// The weather of one run.
#[derive(Debug)]
pub(super) struct Weather {
    interruptions: Vec<(Interruption, bool)>,
    drift: Option<(Drift, f64)>,
    chance: Rng,
    wind: Rng,
    tape: Tape,
}

/// A recorded capacity that is played again and again.
#[derive(Debug)]
struct Tape {
    /// When it changes, and what is left from then on.
    recorded: Vec<(u64, f64)>,
    next: usize,
    left: f64,
    began_ms: u64,
}

impl Tape {
    /// When the next change comes; none if nothing is recorded, or nothing changes.
    fn next(&self) -> Option<Moment> {
        let (at_ms, _) = self.recorded.get(self.next)?;
        Some(Moment::ZERO + Duration::from_millis(self.began_ms + at_ms))
    }

    /// The change that is due happens; returns when the next one comes.
    fn turn(&mut self) -> Option<Moment> {
        let (at_ms, left) = self.recorded.get(self.next).copied()?;
        self.left = left;
        self.next += 1;
        if self.next >= self.recorded.len() {
            // A change at 0 would else come twice at one moment, for ever.
            (self.next, self.began_ms) = (0, self.began_ms + at_ms + 1);
        }
        self.next()
    }
}

impl Weather {
    pub(super) fn new(spec: &BackendSpec, seed: u64) -> Self {
        let mut wind = Rng::new(seed, Stream::Drift);
        let drift = spec.drift.map(|drift| (drift, drift.sigma * wind.normal()));
        let interruptions = spec.interruptions.iter().map(|one| (*one, false)).collect();
        let recorded = spec.recorded_capacity.clone();
        let tape = Tape { recorded, next: 0, left: 1.0, began_ms: 0 };
        Self { interruptions, drift, chance: Rng::new(seed, Stream::Interruptions), wind, tape }
    }

    /// When each interruption first comes.
    pub(super) fn first(&mut self) -> Vec<Moment> {
        let chance = &mut self.chance;
        let first = |(one, _): &(Interruption, bool)| Moment::ZERO + draw(chance, one.every_s);
        self.interruptions.iter().map(first).collect()
    }

    /// The interruption of that number begins or ends; returns when the other comes.
    pub(super) fn turn(&mut self, now: Moment, number: usize) -> Option<Moment> {
        let (one, on) = self.interruptions.get_mut(number)?;
        *on = !*on;
        let lasts = if *on { one.for_s } else { one.every_s };
        Some(now + draw(&mut self.chance, lasts))
    }

    /// A step of the drift, one each look.
    pub(super) fn blow(&mut self) {
        let Some((drift, at)) = &mut self.drift else { return };
        #[expect(clippy::cast_precision_loss, reason = "a constant of fifty")]
        let step = course::LOOK_MS as f64 / 1e3 / drift.memory_s;
        let keep = (-step).exp();
        *at = *at * keep + drift.sigma * (1.0 - keep * keep).sqrt() * self.wind.normal();
    }

    /// When the recorded capacity first changes.
    pub(super) fn first_recorded(&self) -> Option<Moment> {
        self.tape.next()
    }

    /// The recorded capacity changes; returns when it does again.
    pub(super) fn play(&mut self) -> Option<Moment> {
        self.tape.turn()
    }

    /// What it leaves of the capacity.
    pub(super) fn capacity(&self) -> f64 {
        let on = self.interruptions.iter().filter(|(_, on)| *on);
        let left: f64 = on.map(|(one, _)| one.capacity).product();
        left * self.tape.left * self.drift.map_or(1.0, |(_, at)| at.exp())
    }
}

fn draw(chance: &mut Rng, between: Between) -> Duration {
    Duration::from_secs_f64(chance.between(between.from, between.to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::random;

    #[test]
    fn drift_has_its_spread_and_its_memory() {
        let mut spec = random::scenario(0).backend;
        spec.drift = Some(Drift { sigma: 0.2, memory_s: 1.0 });
        let mut weather = Weather::new(&spec, 1);
        let logs: Vec<f64> = (0..200_000)
            .map(|_| {
                weather.blow();
                weather.capacity().ln()
            })
            .collect();
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 199_000.0;
        let variance = mean(&mut logs.iter().take(199_000).map(|log| log * log));
        assert!((variance.sqrt() / 0.2 - 1.0).abs() < 0.05, "{variance}");
        // Twenty steps are one memory: the correlation is 1/e.
        let pairs = logs.iter().zip(logs.iter().skip(20)).take(199_000);
        let correlation = mean(&mut pairs.map(|(a, b)| a * b)) / variance;
        assert!((correlation - (-1.0_f64).exp()).abs() < 0.05, "{correlation}");
    }

    #[test]
    fn interruptions_come_and_go_within_what_they_say_and_multiply() {
        let mut spec = random::scenario(0).backend;
        let every_s = Between { from: 12.0, to: 17.0 };
        let for_s = Between { from: 1.0, to: 2.0 };
        spec.interruptions = vec![Interruption { every_s, for_s, capacity: 0.5 }; 2];
        let mut weather = Weather::new(&spec, 1);
        let mut at = weather.first()[0];
        assert!((12.0..17.0).contains(&at.as_secs_f64()));
        for turn in 0..100 {
            let next = weather.turn(at, 0).unwrap();
            let lasted = next.since(at).as_secs_f64();
            let (range, left) = if turn % 2 == 0 { (1.0..2.0, 0.5) } else { (12.0..17.0, 1.0) };
            assert!(range.contains(&lasted), "{turn}: {lasted}");
            assert!((weather.capacity() - left).abs() < 1e-9);
            at = next;
        }
        weather.turn(at, 0);
        weather.turn(at, 1);
        assert!((weather.capacity() - 0.25).abs() < 1e-9);
        assert_eq!(weather.turn(at, 2), None);
    }
}
