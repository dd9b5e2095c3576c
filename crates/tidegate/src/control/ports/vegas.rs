//! Netflix's Vegas: how many attempts queue? As many as the limit times the share of the round
//! trip that an unloaded one would not have taken.
//!
//! queue = ⌈limit · (1 − noload ÷ rtt)⌉, with l = max(1, ⌊log₁₀ limit⌋): at most l: + 6 l; below
//! 3 l: + l; above 6 l, or after a drop: − l. The unloaded round trip is the least seen, measured
//! anew every 30 · limit attempts with a jitter of .5 … 1 that keeps a fleet apart; here it is .75,
//! because a controller has no chance of its own.

use crate::control::Controller;
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Moment, Plan, Sample};

use super::{is_drop, is_success, whole};

/// Netflix's settings, with their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct VegasSettings {
    /// Attempts in flight to begin with, 1 to 1,024. Default 20.
    pub initial: u32,
    /// Most attempts in flight, 1 to 1,024. Default 1,000.
    pub max: u32,
    /// Attempts, in limits, after which the unloaded round trip is measured anew, 1 to 10,000.
    /// Default 30.
    pub probe_multiplier: u32,
}

impl Default for VegasSettings {
    fn default() -> Self {
        Self { initial: 20, max: 1000, probe_multiplier: 30 }
    }
}

/// The middle of the published jitter.
const JITTER: f64 = 0.75;

/// Netflix's Vegas.
#[derive(Debug, Clone)]
pub struct Vegas {
    settings: VegasSettings,
    bounds: Bounds,
    plan: Plan,
    limit: f64,
    noload_s: f64,
    since_probe: f64,
}

impl Vegas {
    /// The controller; of the plan `first` it keeps all but the concurrency.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: VegasSettings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("controller.initial", settings.initial, 1..=1024)?;
        within("controller.max", settings.max, 1..=1024)?;
        within("controller.probe_multiplier", settings.probe_multiplier, 1..=10_000)?;
        let limit = f64::from(settings.initial);
        let plan = Plan { concurrency: whole(limit, &bounds), ..first };
        Ok(Self { settings, bounds, plan, limit, noload_s: 0.0, since_probe: 0.0 })
    }

    /// The new limit, and how many attempts queue.
    fn next(&self, rtt_s: f64, in_flight: f64, dropped: bool) -> Option<(f64, f64)> {
        let unit = self.limit.log10().floor().max(1.0);
        let queue = (self.limit * (1.0 - self.noload_s / rtt_s)).ceil();
        if dropped {
            return Some((self.limit - unit, queue));
        }
        if in_flight * 2.0 < self.limit.min(self.plan.concurrency) {
            return None;
        }
        if queue <= unit {
            Some((self.limit + 6.0 * unit, queue))
        } else if queue < 3.0 * unit {
            Some((self.limit + unit, queue))
        } else if queue > 6.0 * unit {
            Some((self.limit - unit, queue))
        } else {
            None
        }
    }
}

impl Controller for Vegas {
    fn name(&self) -> &'static str {
        "vegas"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        let dropped = is_drop(sample.outcome);
        let rtt_s = sample.latency.as_secs_f64();
        if rtt_s <= 0.0 || !(dropped || is_success(sample.outcome)) {
            return None;
        }
        self.since_probe += 1.0;
        let due = JITTER * f64::from(self.settings.probe_multiplier) * self.limit;
        if due <= self.since_probe {
            self.since_probe = 0.0;
            self.noload_s = rtt_s;
            return None;
        }
        if self.noload_s == 0.0 || rtt_s < self.noload_s {
            self.noload_s = rtt_s;
            return None;
        }
        let (limit, queue) = self.next(rtt_s, f64::from(sample.sent.in_flight), dropped)?;
        let most = f64::from(self.settings.max).min(self.bounds.concurrency_max.max(1.0));
        self.limit = limit.clamp(1.0, most);
        let concurrency = whole(self.limit, &self.bounds);
        if concurrency == self.plan.concurrency {
            return None;
        }
        self.plan.concurrency = concurrency;
        let reason = if dropped {
            format!("{concurrency} in flight: an attempt ended {}", sample.outcome.describe())
        } else {
            format!(
                "{concurrency} in flight: about {queue} queued, as an attempt took {:.1} ms and \
                 {:.1} ms unloaded",
                rtt_s * 1e3,
                self.noload_s * 1e3
            )
        };
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::{first_plan, sample};

    fn limits(samples: &[(u64, Outcome)]) -> Vec<f64> {
        let bounds = Bounds { concurrency_max: 300.0, ..Bounds::default() };
        let settings = VegasSettings::default();
        let mut controller = Vegas::new(settings, first_plan(100), bounds).unwrap();
        samples
            .iter()
            .map(|(ms, outcome)| {
                let mut sample = sample(0, *ms, 100, *outcome);
                sample.sent.in_flight = 200;
                controller.sample(&sample);
                controller.limit
            })
            .collect()
    }

    #[test]
    fn the_queue_moves_the_limit_as_published() {
        let ok = |ms| (ms, Outcome::Ok);
        // Unloaded 100: no queue + 6; 20 of 26 · .1 queue = 3 is neither; half of 26 = 13 - 1.
        assert_eq!(limits(&[ok(100), ok(100), ok(111), ok(200)]), [20.0, 26.0, 26.0, 25.0]);
        assert_eq!(limits(&[ok(100), ok(107), ok(109)]), [20.0, 21.0, 22.0]);
        assert_eq!(limits(&[ok(100), (900, Outcome::TimedOut)]), [20.0, 19.0]);
    }
}
