//! Vector's Adaptive Request Concurrency: does the mean round trip of a window stay within what
//! past windows had? Then one attempt more, else a tenth fewer.
//!
//! Once a past mean of the round trip: at most that mean and the limit was reached: + 1; back
//! pressure (a retryable answer, a timeout), or a mean of at least past mean + 2.5 past
//! deviations: × .9, rounded down. The past is an exponentially weighted mean and variance with
//! weight .4 on the newest window.

use crate::control::Controller;
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Moment, Plan, Sample, Sent};

use super::{is_drop, is_success, whole};

/// Vector's settings, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct ArcSettings {
    /// Attempts in flight to begin with, 1 to 1,024. Default 1.
    pub initial: u32,
    /// Most attempts in flight, 1 to 1,024. Default 200.
    pub max: u32,
    /// Factor on the limit after back pressure, .01 to .99. Default .9.
    pub decrease_ratio: f64,
    /// Weight of the newest window in the past, .01 to .99. Default .4.
    pub ewma_alpha: f64,
    /// Deviations above the past mean that count as back pressure, 0 to 100. Default 2.5.
    pub rtt_deviation_scale: f64,
}

impl Default for ArcSettings {
    fn default() -> Self {
        Self {
            initial: 1,
            max: 200,
            decrease_ratio: 0.9,
            ewma_alpha: 0.4,
            rtt_deviation_scale: 2.5,
        }
    }
}

/// Vector's Adaptive Request Concurrency.
#[derive(Debug, Clone)]
pub struct Arc {
    settings: ArcSettings,
    bounds: Bounds,
    plan: Plan,
    limit: f64,
    /// Mean and variance of past windows' round trips, in seconds.
    past: Option<(f64, f64)>,
    next_update: Moment,
    sum_s: f64,
    count: f64,
    back_pressure: bool,
    reached: bool,
}

impl Arc {
    /// The controller; of the plan `first` it keeps all but the concurrency.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: ArcSettings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("controller.initial", settings.initial, 1..=1024)?;
        within("controller.max", settings.max, 1..=1024)?;
        within("controller.decrease_ratio", settings.decrease_ratio, 0.01..=0.99)?;
        within("controller.ewma_alpha", settings.ewma_alpha, 0.01..=0.99)?;
        within("controller.rtt_deviation_scale", settings.rtt_deviation_scale, 0.0..=100.0)?;
        let limit = f64::from(settings.initial);
        let plan = Plan { concurrency: whole(limit, &bounds), ..first };
        Ok(Self {
            settings,
            bounds,
            plan,
            limit,
            past: None,
            next_update: Moment::ZERO,
            sum_s: 0.0,
            count: 0.0,
            back_pressure: false,
            reached: false,
        })
    }

    fn remember(&mut self, mean: f64) -> f64 {
        let alpha = self.settings.ewma_alpha;
        let (past_mean, variance) = match self.past {
            None => (mean, 0.0),
            Some((past, variance)) => {
                let difference = mean - past;
                let step = alpha * difference;
                (past + step, (1.0 - alpha) * (variance + difference * step))
            }
        };
        self.past = Some((past_mean, variance));
        past_mean
    }

    fn manage(&mut self, past: (f64, f64), current: Option<f64>) -> Option<Change> {
        let (mean, variance) = past;
        let threshold = mean + variance.sqrt() * self.settings.rtt_deviation_scale;
        let most = f64::from(self.settings.max).min(whole(f64::MAX, &self.bounds));
        let quick = current.is_some_and(|current| current <= mean);
        if self.limit < most && self.reached && !self.back_pressure && quick {
            self.limit += 1.0;
        } else if self.limit > 1.0 && (self.back_pressure || current.unwrap_or(0.0) >= threshold) {
            self.limit = (self.limit * self.settings.decrease_ratio).floor().max(1.0);
        }
        let concurrency = whole(self.limit, &self.bounds);
        if concurrency == self.plan.concurrency {
            return None;
        }
        let said = if concurrency > self.plan.concurrency {
            "at most the past mean"
        } else if self.back_pressure {
            "but the backend pushed back"
        } else {
            "well above the past mean"
        };
        self.plan.concurrency = concurrency;
        let reason = format!(
            "{concurrency} in flight: attempts took {:.1} ms, {said} of {:.1} ms",
            current.unwrap_or(0.0) * 1e3,
            mean * 1e3
        );
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

impl Controller for Arc {
    fn name(&self) -> &'static str {
        "arc"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sent(&mut self, sent: &Sent) -> Option<Change> {
        self.reached |= f64::from(sent.in_flight) >= self.plan.concurrency;
        None
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        self.back_pressure |= is_drop(sample.outcome);
        if is_success(sample.outcome) {
            self.sum_s += sample.latency.as_secs_f64();
            self.count += 1.0;
        }
        let current = (self.count > 0.0).then(|| self.sum_s / self.count);
        let Some(past) = self.past else {
            let mean = self.remember(current?);
            self.next_update = sample.at + seconds(mean);
            return None;
        };
        if sample.at < self.next_update {
            return None;
        }
        let change = self.manage(past, current);
        let mean = current.map_or(past.0, |current| self.remember(current));
        self.next_update = sample.at + seconds(mean);
        (self.sum_s, self.count) = (0.0, 0.0);
        (self.back_pressure, self.reached) = (false, false);
        change
    }
}

fn seconds(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::{first_plan, sample};

    /// One attempt at a time, each of these latencies in ms; returns the limit after each.
    fn play(arc: &mut Arc, latencies: &[(u64, Outcome)]) -> Vec<f64> {
        let mut at = 0;
        latencies
            .iter()
            .map(|(ms, outcome)| {
                let mut sample = sample(at, *ms, 100, *outcome);
                sample.sent.in_flight = 64;
                arc.sent(&sample.sent);
                arc.sample(&sample);
                at += ms + 1;
                arc.limit
            })
            .collect()
    }

    #[test]
    fn quick_windows_add_one_and_slow_ones_take_a_tenth() {
        let settings = ArcSettings { initial: 10, ..ArcSettings::default() };
        let mut arc = Arc::new(settings, first_plan(100), Bounds::default()).unwrap();
        // The first two samples set the past up and are below its window's end, then each is one.
        let ok = |ms| (ms, Outcome::Ok);
        let limits = play(&mut arc, &[ok(100), ok(100), ok(99), ok(400)]);
        assert_eq!(limits, [10.0, 11.0, 12.0, 10.0]);
        assert_eq!(play(&mut arc, &[(10, Outcome::Overloaded)]), [10.0]);
    }

    #[test]
    fn back_pressure_halves_nothing_but_takes_a_tenth_rounded_down() {
        let settings = ArcSettings { initial: 16, ..ArcSettings::default() };
        let mut arc = Arc::new(settings, first_plan(100), Bounds::default()).unwrap();
        let limits = play(
            &mut arc,
            &[(100, Outcome::Ok), (150, Outcome::TimedOut), (150, Outcome::Overloaded)],
        );
        assert_eq!(limits, [16.0, 14.0, 12.0]);
    }
}
