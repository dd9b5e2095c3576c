//! Netflix's Gradient2: how does an attempt's round trip compare with the long-run mean? The limit
//! follows their ratio, plus a small queue.
//!
//! gradient = 1.5 · long ÷ short, held within .5 … 1; the new limit is .8 times the old one plus .2
//! times (limit · gradient + 4). The long-run mean is exponential over 600 attempts, begun with a plain mean of ten; when
//! it is more than twice the newest round trip it loses a twentieth. An attempt with fewer than
//! half the limit in flight moves nothing. The rule has no answer to drops: failures are left out.

use crate::control::Controller;
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Moment, Plan, Sample};

use super::{is_success, whole};

/// Netflix's settings, with their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient2Settings {
    /// Attempts in flight to begin with, 1 to 1,024. Default 20.
    pub initial: u32,
    /// Fewest attempts in flight, 1 to 1,024. Default 20; bounds that are narrower hold.
    pub min: u32,
    /// Most attempts in flight, from the fewest to 1,024. Default 200.
    pub max: u32,
    /// Weight of the newest limit, .01 to 1. Default .2.
    pub smoothing: f64,
    /// Attempts that may queue, 0 to 1,024. Default 4.
    pub queue_size: u32,
    /// Attempts in the long-run mean, 10 to 100,000. Default 600.
    pub long_window: u32,
    /// How much longer than the long-run mean is still normal, as a factor, 1 to 10. Default 1.5.
    pub rtt_tolerance: f64,
}

impl Default for Gradient2Settings {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 20,
            max: 200,
            smoothing: 0.2,
            queue_size: 4,
            long_window: 600,
            rtt_tolerance: 1.5,
        }
    }
}

/// Attempts whose plain mean begins the long-run mean.
const WARM_UP: f64 = 10.0;

/// Netflix's Gradient2.
#[derive(Debug, Clone)]
pub struct Gradient2 {
    settings: Gradient2Settings,
    bounds: Bounds,
    plan: Plan,
    limit: f64,
    long_s: f64,
    count: f64,
}

impl Gradient2 {
    /// The controller; of the plan `first` it keeps all but the concurrency.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(
        settings: Gradient2Settings,
        first: Plan,
        bounds: Bounds,
    ) -> Result<Self, SettingError> {
        within("controller.initial", settings.initial, 1..=1024)?;
        within("controller.min", settings.min, 1..=1024)?;
        within("controller.max", settings.max, settings.min..=1024)?;
        within("controller.smoothing", settings.smoothing, 0.01..=1.0)?;
        within("controller.queue_size", settings.queue_size, 0..=1024)?;
        within("controller.long_window", settings.long_window, 10..=100_000)?;
        within("controller.rtt_tolerance", settings.rtt_tolerance, 1.0..=10.0)?;
        let limit = f64::from(settings.initial);
        let plan = Plan { concurrency: whole(limit, &bounds), ..first };
        Ok(Self { settings, bounds, plan, limit, long_s: 0.0, count: 0.0 })
    }

    fn remember(&mut self, short_s: f64) {
        self.count += 1.0;
        let weight = if self.count <= WARM_UP {
            1.0 / self.count
        } else {
            2.0 / (f64::from(self.settings.long_window) + 1.0)
        };
        self.long_s += weight * (short_s - self.long_s);
    }
}

impl Controller for Gradient2 {
    fn name(&self) -> &'static str {
        "gradient2"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        let short_s = sample.latency.as_secs_f64();
        if !is_success(sample.outcome) || short_s <= 0.0 {
            return None;
        }
        self.remember(short_s);
        let long_s = self.long_s;
        if long_s / short_s > 2.0 {
            self.long_s *= 0.95;
        }
        if f64::from(sample.sent.in_flight) < self.limit.min(self.plan.concurrency) / 2.0 {
            return None;
        }
        let Gradient2Settings { smoothing, rtt_tolerance, queue_size, min, max, .. } =
            self.settings;
        let gradient = (rtt_tolerance * long_s / short_s).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + f64::from(queue_size);
        let limit = self.limit * (1.0 - smoothing) + wanted * smoothing;
        self.limit = limit.clamp(f64::from(min), f64::from(max));
        let concurrency = whole(self.limit, &self.bounds);
        if concurrency == self.plan.concurrency {
            return None;
        }
        self.plan.concurrency = concurrency;
        let reason = format!(
            "{concurrency} in flight: an attempt took {:.1} ms, the long-run mean is {:.1} ms",
            short_s * 1e3,
            long_s * 1e3
        );
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::{first_plan, sample};

    fn after(latencies_ms: &[u64]) -> f64 {
        let bounds = Bounds { concurrency_max: 300.0, ..Bounds::default() };
        let settings = Gradient2Settings::default();
        let mut controller = Gradient2::new(settings, first_plan(100), bounds).unwrap();
        for ms in latencies_ms {
            let mut sample = sample(0, *ms, 100, Outcome::Ok);
            sample.sent.in_flight = 200;
            controller.sample(&sample);
        }
        controller.limit
    }

    #[test]
    fn a_steady_round_trip_adds_a_fifth_of_the_queue() {
        assert!((after(&[100; 5]) - (20.0 + 5.0 * 0.8)).abs() < 1e-9);
    }

    #[test]
    fn a_slower_one_shrinks_by_the_gradient() {
        // The long-run mean is 130 after this sample: gradient 1.5 · 130 ÷ 400 = .4875, held at .5.
        let limit = 20.0 + 9.0 * 0.8;
        let mut all = [100; 10].to_vec();
        all[9] = 400;
        let expected: f64 = limit * 0.8 + (limit * 0.5 + 4.0) * 0.2;
        assert!((after(&all) - expected.max(20.0)).abs() < 1e-9);
    }
}
