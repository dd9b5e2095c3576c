//! Apache Beam's `BatchElements`: what do batches cost? A line through the measurements says which
//! size spends a twentieth of the time on the fixed part, and which takes as long as it may.
//!
//! Of the last hundred measurements the slowest fifth is left out. The size is the least of:
//! target duration ÷ cost of an item; the size at which the fixed part is 5 % of the whole; twice
//! the last size; the bound. From ten measurements on it is spread by ± 25 % around that, because a
//! line needs different sizes. Beam draws the spread and the measurements that it forgets; here
//! both follow a fixed sequence of low discrepancy. It has no concurrency: queueing is part of what
//! it measures.

use std::time::Duration;

use crate::control::Controller;
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Moment, Plan, Sample};

use super::is_success;
use super::regression::line;

/// Beam's settings, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct BeamSettings {
    /// Share of the time that the fixed part may take, .001 to 1. Default .05.
    pub overhead: f64,
    /// How long the items of a batch may take without the fixed part, 1 ms to 1 h. Default 1 s.
    pub duration: Duration,
    /// Spread of the sizes around the target, 0 to .9. Default .25.
    pub variance: f64,
}

impl Default for BeamSettings {
    fn default() -> Self {
        Self { overhead: 0.05, duration: Duration::from_secs(1), variance: 0.25 }
    }
}

/// Measurements that are kept.
const KEPT: usize = 100;

/// The fractional parts of its multiples are spread evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Apache Beam's estimator of batch sizes.
#[derive(Debug, Clone)]
pub struct Beam {
    settings: BeamSettings,
    bounds: Bounds,
    plan: Plan,
    data: Vec<(f64, f64)>,
    sorted: Vec<(f64, f64)>,
    drawn: f64,
}

impl Beam {
    /// The controller; of the plan `first` it keeps all but the batch size, which begins with the
    /// least that the bounds allow.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: BeamSettings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("controller.overhead", settings.overhead, 0.001..=1.0)?;
        let duration_ms = settings.duration.as_secs_f64() * 1e3;
        within("controller.duration_ms", duration_ms, 1.0..=3_600_000.0)?;
        within("controller.variance", settings.variance, 0.0..=0.9)?;
        let plan = Plan { batch_size: bounds.batch_size_min, ..first };
        let (data, sorted) = (Vec::with_capacity(KEPT), Vec::with_capacity(KEPT));
        Ok(Self { settings, bounds, plan, data, sorted, drawn: 0.0 })
    }

    /// The next number between 0 and 1 of the sequence.
    fn draw(&mut self) -> f64 {
        self.drawn = (self.drawn + GOLDEN).fract();
        self.drawn
    }

    /// Forgets two measurements, old ones rather than new ones, so that the parity stays.
    fn thin(&mut self) {
        for share in [4, 2] {
            let among = self.data.len() / share;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index below a hundred"
            )]
            let index = (self.draw() * among as f64) as usize;
            self.data.remove(index.min(self.data.len() - 1));
        }
    }

    fn next(&mut self) -> f64 {
        let least = f64::from(self.bounds.batch_size_min);
        let most = f64::from(self.bounds.batch_size_max);
        let Some((last, _)) = self.data.last().copied() else { return least };
        if self.data.len() < 2 {
            return (least * 2.0).min(most).max(least + 1.0);
        }
        self.sorted.clone_from(&self.data);
        self.sorted.sort_unstable_by(|one, other| one.1.total_cmp(&other.1));
        let kept = self.sorted.len() - self.sorted.len() / 5;
        let (a, b) = line(self.sorted.get(..kept).unwrap_or(&self.sorted));
        let (a, b) = (a.max(1e-10), b.max(1e-12));
        let by_duration = self.settings.duration.as_secs_f64() / b;
        let by_overhead = (a / b) * (1.0 / self.settings.overhead - 1.0);
        let mut target = most.min(by_duration).min(by_overhead);
        if self.data.len() > 10 {
            target += target * self.settings.variance * 2.0 * (self.draw() - 0.5);
        }
        let jitter = if self.data.len() % 2 == 1 { 1.0 } else { 0.0 };
        target.min(last * 2.0).max(least + jitter)
    }
}

impl Controller for Beam {
    fn name(&self) -> &'static str {
        "beam"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        if !is_success(sample.outcome) || sample.sent.items == 0 {
            return None;
        }
        self.data.push((f64::from(sample.sent.items), sample.latency.as_secs_f64()));
        if self.data.len() >= KEPT {
            self.thin();
        }
        let (least, most) = (self.bounds.batch_size_min, self.bounds.batch_size_max);
        let wanted = self.next().clamp(f64::from(least), f64::from(most));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two u32"
        )]
        let size = wanted as u32;
        if size == self.plan.batch_size {
            return None;
        }
        self.plan.batch_size = size;
        let count = self.data.len();
        let reason = format!("{size} items: what {count} batches cost lies on a line");
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::{first_plan, sample};

    #[test]
    fn it_finds_the_size_at_which_the_fixed_part_is_a_twentieth() {
        let bounds = Bounds { batch_size_max: 10_000, ..Bounds::default() };
        let settings = BeamSettings { variance: 0.0, ..BeamSettings::default() };
        let mut beam = Beam::new(settings, first_plan(1), bounds).unwrap();
        let mut at = 0;
        for _ in 0..300 {
            let size = beam.plan.batch_size;
            // 10 ms and 1 ms an item: 190 items.
            let mut one = sample(at, 0, size, Outcome::Ok);
            one.latency = Duration::from_millis(10 + u64::from(size));
            beam.sample(&one);
            at += 1000;
        }
        assert!((188..=192).contains(&beam.plan.batch_size), "{}", beam.plan.batch_size);
    }

    #[test]
    fn it_begins_with_the_least_and_at_most_doubles() {
        let mut beam =
            Beam::new(BeamSettings::default(), first_plan(50), Bounds::default()).unwrap();
        let mut sizes = vec![beam.start(Moment::ZERO).batch_size];
        for at in 0..4 {
            let size = *sizes.last().unwrap();
            beam.sample(&sample(at * 100, 50, size, Outcome::Ok));
            sizes.push(beam.plan.batch_size);
        }
        assert!(sizes.windows(2).all(|pair| pair[1] <= 2 * pair[0].max(1)), "{sizes:?}");
        assert_eq!(sizes[..2], [1, 2]);
    }
}
