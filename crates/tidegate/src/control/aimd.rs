//! How large may a batch be under a latency target? Climb by steps, step back by a factor.
//!
//! Additive increase, multiplicative decrease (Chiu and Jain, 1989), on the batch size at a given
//! concurrency: a full batch inside the target earns a step, a miss costs a tenth. It needs no
//! model of the backend and forgets quickly, which is why it is hard to beat on real databases,
//! whose capacity drifts within seconds.
//!
//! Two things are added to the plain rule, each of which can be left out.
//!
//! * **Start-up**: the way from 100 items to 10,000 in steps of 10 takes a thousand batches. Until
//!   the first miss, a full batch that took less than a quarter of the target doubles the size: as
//!   latency grows at most in proportion, the next one is still inside. `startup` 1 leaves it out.
//! * **Locks**: a batch that was late and had to wait for a lock that somebody else held says
//!   nothing about its size; a smaller one would have waited as long, and carried less.
//!
//! A stall hits every attempt in flight at once. That is one observation, so one decrease: misses
//! of attempts that left before the last decrease are not counted again.

use std::time::Duration;

use super::{Controller, scaled, waited_for_lock};
use crate::error::{SettingError, within};
use crate::said::{Count, Time};
use crate::{Bounds, Change, Moment, Outcome, Plan, Sample};

/// How AIMD moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Attempt latency that a batch should stay under, 1 ms to 1 h. Default 100 ms.
    pub target: Duration,
    /// Items added after a full batch inside the target, 1 to 100,000. Default 10.
    pub step: u32,
    /// Factor on the size after a miss, an error or a timeout, .1 to .99. Default .9.
    pub decrease: f64,
    /// Factor on the size after a full batch in less than a quarter of the target, until the first
    /// miss, 1 to 4; 1 is none. Default 2.
    pub startup: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { target: Duration::from_millis(100), step: 10, decrease: 0.9, startup: 2.0 }
    }
}

/// Additive increase, multiplicative decrease of the batch size.
#[derive(Debug, Clone)]
pub struct Aimd {
    settings: Settings,
    bounds: Bounds,
    plan: Plan,
    lowered_at: Option<Moment>,
    starting: bool,
}

impl Aimd {
    /// The controller, beginning with the plan `first`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: Settings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        let target_ms = settings.target.as_secs_f64() * 1e3;
        within("target_ms", target_ms, 1.0..=3_600_000.0)?;
        within("controller.step", settings.step, 1..=100_000)?;
        within("controller.decrease", settings.decrease, 0.1..=0.99)?;
        within("controller.startup", settings.startup, 1.0..=4.0)?;
        let starting = settings.startup > 1.0;
        Ok(Self { settings, bounds, plan: first, lowered_at: None, starting })
    }

    fn raise(&mut self, sample: &Sample) -> Option<Change> {
        let Settings { target, step, startup, .. } = self.settings;
        let doubling = self.starting && sample.latency < target / 4;
        let (size, said) = if doubling {
            (scaled(self.plan.batch_size, startup, &self.bounds), format!("× {startup}"))
        } else {
            (self.plan.batch_size.saturating_add(step), format!("by {step}"))
        };
        let size = size.min(self.bounds.batch_size_max);
        if !sample.sent.full || size == self.plan.batch_size {
            return None;
        }
        self.plan.batch_size = size;
        let (items, took) = (Count(sample.sent.items.into()), Time(sample.latency));
        let target = Time(target);
        let reason =
            format!("raised {said}: a full batch of {items} took {took} of {target} allowed");
        Some(Change { plan: self.plan, reason: reason.into() })
    }

    fn lower(&mut self, sample: &Sample) -> Option<Change> {
        self.starting = false;
        let already = self.lowered_at.is_some_and(|at| sample.sent.at < at);
        let size = scaled(self.plan.batch_size, self.settings.decrease, &self.bounds);
        if already || size == self.plan.batch_size {
            return None;
        }
        self.lowered_at = Some(sample.at);
        self.plan.batch_size = size;
        let reason = match sample.outcome {
            Outcome::Ok | Outcome::Partial { .. } => format!(
                "lowered × {}: a batch of {} took {}, over the target of {}",
                self.settings.decrease,
                Count(sample.sent.items.into()),
                Time(sample.latency),
                Time(self.settings.target)
            ),
            outcome => format!(
                "lowered × {}: a batch of {} ended {}",
                self.settings.decrease,
                Count(sample.sent.items.into()),
                outcome.describe()
            ),
        };
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

impl Controller for Aimd {
    fn name(&self) -> &'static str {
        "aimd"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        let late = sample.latency > self.settings.target;
        match sample.outcome {
            Outcome::Ok | Outcome::Partial { .. } if !late => self.raise(sample),
            Outcome::Ok | Outcome::Partial { .. } if waited_for_lock(sample) => None,
            // A rate limit is about requests a second, refused data about the data: neither says
            // that a smaller batch would fare better.
            Outcome::Throttled { .. } | Outcome::Rejected => None,
            // The size itself is refused, whether the batch was full or not.
            Outcome::TooLarge => self.lower(sample),
            _ if sample.sent.full => self.lower(sample),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Feedback;
    use crate::control::tests::{first_plan, sample};

    /// The plain rule.
    fn aimd() -> Aimd {
        let settings = Settings { startup: 1.0, ..Settings::default() };
        Aimd::new(settings, first_plan(100), Bounds::default()).unwrap()
    }

    fn size(change: Option<Change>) -> Option<u32> {
        change.map(|change| change.plan.batch_size)
    }

    #[test]
    fn a_full_batch_inside_the_target_earns_a_step() {
        let mut aimd = aimd();
        let change = aimd.sample(&sample(0, 20, 100, Outcome::Ok)).unwrap();
        assert_eq!(change.plan.batch_size, 110);
        assert_eq!(change.reason, "raised by 10: a full batch of 100 took 20 ms of 100 ms allowed");
    }

    #[test]
    fn start_up_doubles_while_there_is_room_for_it_and_ends_with_the_first_miss() {
        let mut aimd = Aimd::new(Settings::default(), first_plan(100), Bounds::default()).unwrap();
        let change = aimd.sample(&sample(0, 20, 100, Outcome::Ok)).unwrap();
        assert_eq!(change.reason, "raised × 2: a full batch of 100 took 20 ms of 100 ms allowed");
        assert_eq!(size(aimd.sample(&sample(30, 24, 200, Outcome::Ok))), Some(400));
        assert_eq!(size(aimd.sample(&sample(60, 25, 400, Outcome::Ok))), Some(410));
        assert_eq!(size(aimd.sample(&sample(90, 101, 410, Outcome::Ok))), Some(369));
        assert_eq!(size(aimd.sample(&sample(300, 5, 369, Outcome::Ok))), Some(379));
    }

    #[test]
    fn waiting_for_somebody_elses_lock_is_not_held_against_the_size() {
        let mut aimd = aimd();
        let mut waited = sample(0, 150, 100, Outcome::Ok);
        waited.feedback = Some(Feedback { lock_waits: Some(3.0), ..Feedback::default() });
        assert_eq!(aimd.sample(&waited), None);
        waited.outcome = Outcome::TimedOut;
        assert_eq!(size(aimd.sample(&waited)), Some(90));
    }

    #[test]
    fn a_miss_costs_a_tenth_once_for_all_that_were_in_flight() {
        let mut aimd = aimd();
        assert_eq!(size(aimd.sample(&sample(0, 150, 100, Outcome::Ok))), Some(90));
        assert_eq!(aimd.sample(&sample(10, 150, 100, Outcome::Ok)), None);
        assert_eq!(size(aimd.sample(&sample(200, 150, 90, Outcome::TimedOut))), Some(81));
    }

    #[test]
    fn a_batch_that_was_not_full_teaches_nothing() {
        let mut aimd = aimd();
        for outcome in [Outcome::Ok, Outcome::TimedOut, Outcome::Overloaded] {
            let mut partial = sample(0, 500, 5, outcome);
            partial.sent.full = false;
            assert_eq!(aimd.sample(&partial), None);
        }
    }

    #[test]
    fn bounds_end_the_climb_and_the_fall() {
        let bounds = Bounds { batch_size_min: 95, batch_size_max: 105, ..Bounds::default() };
        let settings = Settings { startup: 1.0, ..Settings::default() };
        let mut aimd = Aimd::new(settings, first_plan(100), bounds).unwrap();
        assert_eq!(size(aimd.sample(&sample(0, 20, 100, Outcome::Ok))), Some(105));
        assert_eq!(aimd.sample(&sample(30, 20, 105, Outcome::Ok)), None);
        assert_eq!(size(aimd.sample(&sample(60, 500, 105, Outcome::Ok))), Some(95));
        assert_eq!(aimd.sample(&sample(600, 500, 95, Outcome::Ok)), None);
    }
}
