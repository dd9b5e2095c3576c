//! Does a larger batch bring more throughput? Then larger still, in proportion to the gain.
//!
//! Gradient ascent, as users of earlier systems know it: each full batch is a measurement of
//! throughput (items ÷ latency), the slope is the change of throughput over the change of size
//! since the one before, smoothed with .3 on the newest. A step is learning rate × slope, × 1.5
//! when the throughput is the best so far and × .5 otherwise, damped by how steady the last five
//! measurements are, and at most a fifth of the size. Too much memory, processor or latency costs
//! three tenths at once. It keeps the best size that it saw, and can be restarted.
//!
//! Its weakness is known: two noisy measurements make a slope.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Controller, scaled};
use crate::error::{SettingError, within};
use crate::said::Time;
use crate::{Bounds, Change, Feedback, Moment, Outcome, Plan, Sample};

/// How gradient ascent moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Attempt latency over which the size is cut, 1 ms to 1 h. Default 1 s.
    pub target: Duration,
    /// Fewest items, 1 to 1,000,000. Default 50; bounds that are narrower hold.
    pub size_min: u32,
    /// Most items, from the fewest to 1,000,000. Default 5,000; bounds that are narrower hold.
    pub size_max: u32,
    /// Items a step for a slope of one item a second for each item, .000001 to 1,000. Default .1.
    pub learning_rate: f64,
    /// Measurements whose steadiness damps a step, 2 to 1,000. Default 5.
    pub window: usize,
    /// Largest step, as a share of the size, .01 to 1. Default .2.
    pub step_max: f64,
    /// Share of memory in use over which the size is cut, .01 to 1. Default .8.
    pub memory_max: f64,
    /// Share of the processor in use over which the size is cut, .01 to 1. Default .9.
    pub cpu_max: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target: Duration::from_secs(1),
            size_min: 50,
            size_max: 5_000,
            learning_rate: 0.1,
            window: 5,
            step_max: 0.2,
            memory_max: 0.8,
            cpu_max: 0.9,
        }
    }
}

/// The feedback's name for the share of memory in use.
pub const MEMORY: &str = "memory";

/// Weight of the newest slope.
const NEWEST: f64 = 0.3;
/// Factor on the size when something is too much.
const CUT: f64 = 0.7;
/// The first step, which makes the first slope.
const FIRST_STEP: f64 = 1.1;

/// A size, and the throughput that was measured with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Items in the batch.
    pub size: u32,
    /// Items a second of the attempt.
    pub throughput: f64,
}

/// Gradient ascent on the batch size.
#[derive(Debug, Clone)]
pub struct Gradient {
    settings: Settings,
    bounds: Bounds,
    plan: Plan,
    last: Option<Measured>,
    best: Option<Measured>,
    slope: Option<f64>,
    recent: VecDeque<f64>,
    cut_at: Option<Moment>,
    pressed: Option<&'static str>,
}

impl Gradient {
    /// The controller, beginning with the plan `first` as far as `size_min` and `size_max` allow.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: Settings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        within("target_ms", settings.target.as_secs_f64() * 1e3, 1.0..=3_600_000.0)?;
        within("controller.size_min", settings.size_min, 1..=1_000_000)?;
        within("controller.size_max", settings.size_max, settings.size_min..=1_000_000)?;
        within("controller.learning_rate", settings.learning_rate, 1e-6..=1e3)?;
        within("controller.window", settings.window, 2..=1000)?;
        within("controller.step_max", settings.step_max, 0.01..=1.0)?;
        within("controller.memory_max", settings.memory_max, 0.01..=1.0)?;
        within("controller.cpu_max", settings.cpu_max, 0.01..=1.0)?;
        let (least, most) = (bounds.batch_size_min, bounds.batch_size_max);
        let bounds = Bounds {
            batch_size_min: settings.size_min.clamp(least, most),
            batch_size_max: settings.size_max.clamp(least, most),
            ..bounds
        };
        let batch_size = first.batch_size.clamp(bounds.batch_size_min, bounds.batch_size_max);
        let recent = VecDeque::with_capacity(settings.window);
        Ok(Self {
            settings,
            bounds,
            plan: Plan { batch_size, ..first },
            last: None,
            best: None,
            slope: None,
            recent,
            cut_at: None,
            pressed: None,
        })
    }

    /// The size with the best throughput so far.
    #[must_use]
    pub const fn best(&self) -> Option<Measured> {
        self.best
    }

    /// Forgets every slope and the best, and goes on from the size in force.
    pub fn restart(&mut self) {
        (self.last, self.best, self.slope) = (None, None, None);
        self.recent.clear();
    }

    fn hear(&mut self, feedback: &Feedback) {
        let over = |value: Option<f64>, most: f64| value.is_some_and(|value| value > most);
        self.pressed = if over(feedback.custom(MEMORY), self.settings.memory_max) {
            Some("memory is short")
        } else if over(feedback.cpu, self.settings.cpu_max) {
            Some("the processor is busy")
        } else {
            None
        };
    }

    fn cut(&mut self, sample: &Sample, why: &str) -> Option<Change> {
        let already = self.cut_at.is_some_and(|at| sample.sent.at < at);
        let size = scaled(self.plan.batch_size, CUT, &self.bounds);
        if already || size == self.plan.batch_size {
            return None;
        }
        self.cut_at = Some(sample.at);
        self.plan.batch_size = size;
        Some(Change { plan: self.plan, reason: format!("lowered × {CUT}: {why}").into() })
    }

    /// 1 − the coefficient of variation of the last measurements, at least 0.
    #[expect(clippy::cast_precision_loss, reason = "a window has at most 1,000 measurements")]
    fn steadiness(&self) -> f64 {
        let n = self.recent.len() as f64;
        let mean = self.recent.iter().sum::<f64>() / n;
        let variance = self.recent.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / n;
        if mean > 0.0 { (1.0 - variance.sqrt() / mean).max(0.0) } else { 0.0 }
    }

    fn measure(&mut self, now: Measured) {
        if self.recent.len() == self.settings.window {
            self.recent.pop_front();
        }
        self.recent.push_back(now.throughput);
        if let Some(last) = self.last
            && last.size != now.size
        {
            let newest =
                (now.throughput - last.throughput) / (f64::from(now.size) - f64::from(last.size));
            let before = self.slope.unwrap_or(newest);
            self.slope = Some(before * (1.0 - NEWEST) + newest * NEWEST);
        }
        self.last = Some(now);
    }

    fn climb(&mut self, now: Measured) -> Option<Change> {
        self.measure(now);
        let new_best = self.best.is_none_or(|best| now.throughput > best.throughput);
        if new_best {
            self.best = Some(now);
        }
        let size = f64::from(self.plan.batch_size);
        let most = size * self.settings.step_max;
        let step = match self.slope {
            None => size * (FIRST_STEP - 1.0),
            Some(slope) => {
                let momentum = if new_best { 1.5 } else { 0.5 };
                self.settings.learning_rate * slope * momentum * self.steadiness()
            }
        };
        let step = step.clamp(-most, most);
        if step.round() == 0.0 {
            return None;
        }
        let by = 1.0 + step / size;
        let to = scaled(self.plan.batch_size, by, &self.bounds);
        if to == self.plan.batch_size {
            return None;
        }
        let reason = match self.slope {
            None => format!("{to} items: a first step, to see what size does to throughput"),
            Some(slope) => format!(
                "{to} items: one item more brings {slope:.1} a second, and {:.0} a second is {} \
                 so far",
                now.throughput,
                if new_best { "the best" } else { "not the best" }
            ),
        };
        self.plan.batch_size = to;
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

impl Controller for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }

    fn start(&mut self, _now: Moment) -> Plan {
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        if let Some(feedback) = &sample.feedback {
            self.hear(feedback);
        }
        if !sample.sent.full {
            return None;
        }
        let late = sample.latency > self.settings.target;
        match sample.outcome {
            Outcome::Throttled { .. } | Outcome::Rejected => None,
            Outcome::Ok | Outcome::Partial { .. } if !late => {
                if let Some(why) = self.pressed {
                    return self.cut(sample, why);
                }
                let seconds = sample.latency.as_secs_f64().max(1e-9);
                let size = sample.sent.items;
                let delivered = f64::from(sample.outcome.delivered(size));
                self.climb(Measured { size, throughput: delivered / seconds })
            }
            Outcome::Ok | Outcome::Partial { .. } => {
                let (took, most) = (Time(sample.latency), Time(self.settings.target));
                self.cut(sample, &format!("a batch took {took}, over the target of {most}"))
            }
            outcome => self.cut(sample, &format!("an attempt ended {}", outcome.describe())),
        }
    }

    fn feedback(&mut self, _now: Moment, feedback: &Feedback) -> Option<Change> {
        self.hear(feedback);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::{first_plan, sample};

    fn gradient(size: u32) -> Gradient {
        Gradient::new(Settings::default(), first_plan(size), Bounds::default()).unwrap()
    }

    /// The size after a full batch of `items` that took so long.
    fn after(gradient: &mut Gradient, at: u64, ms: u64, items: u32) -> u32 {
        gradient.sample(&sample(at, ms, items, Outcome::Ok));
        gradient.plan.batch_size
    }

    #[test]
    fn the_published_rule_in_numbers() {
        let mut gradient = gradient(100);
        // 1,000 a second; without a slope the first step is a tenth.
        assert_eq!(after(&mut gradient, 0, 100, 100), 110);
        // 1,100 a second: slope 10, the best, steadiness 1 - 50 / 1050: .1 · 10 · 1.5 · .952 = 1.4.
        assert_eq!(after(&mut gradient, 1000, 100, 110), 111);
        // 555 a second: slope .7 · 10 - .3 · 545 = -156.5, not the best, cv .27: -5.7.
        assert_eq!(after(&mut gradient, 2000, 200, 111), 105);
        assert_eq!(gradient.best(), Some(Measured { size: 110, throughput: 1100.0 }));
        gradient.restart();
        assert_eq!(gradient.best(), None);
    }

    #[test]
    fn a_step_is_at_most_a_fifth() {
        let mut gradient = gradient(100);
        assert_eq!(after(&mut gradient, 0, 100, 100), 110);
        // 11,000 a second: the slope is a thousand.
        assert_eq!(after(&mut gradient, 1000, 10, 110), 132);
    }

    #[test]
    fn too_much_of_anything_costs_three_tenths() {
        let mut gradient = gradient(1000);
        assert_eq!(after(&mut gradient, 0, 1001, 1000), 700);
        let busy = Feedback { cpu: Some(0.95), ..Feedback::default() };
        gradient.feedback(Moment::ZERO, &busy);
        assert_eq!(after(&mut gradient, 2000, 10, 700), 490);
        gradient.feedback(Moment::ZERO, &Feedback::default().with(MEMORY, 0.81));
        let change = gradient.sample(&sample(3000, 10, 490, Outcome::Ok)).unwrap();
        assert_eq!(change.reason, "lowered × 0.7: memory is short");
    }

    #[test]
    fn its_own_bounds_give_way_to_narrower_ones() {
        let bounds = Bounds { batch_size_max: 20, ..Bounds::default() };
        let gradient = Gradient::new(Settings::default(), first_plan(10), bounds).unwrap();
        assert_eq!(gradient.plan.batch_size, 20);
    }
}
