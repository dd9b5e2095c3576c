//! How bold should it be? Four strategies that users of earlier systems know by name, on one
//! performance score.
//!
//! | | grows | shrinks | at most |
//! |---|---|---|---|
//! | `conservative` | + 5 above .9 with errors below 1 % | − 10 below .7 | half the maximum |
//! | `aggressive` | + 20 above .8 with a backlog of over two batches | − 15 below .6 | the maximum |
//! | `balanced` | + 10 above .8 with latency under 80 % of the target | − 8 below .65 | ¾ of the maximum |
//! | `adaptive` | + 20 % above .85 | − 10 % below .75, − 30 % below .6 | the maximum |
//!
//! The score is looked at once an interval. Before it, in this order: processor or memory over its
//! threshold halves the size, a hit on a rate limit costs a quarter. What is lowered, is lowered
//! only where a batch was full.

mod score;

use std::time::Duration;

use super::{Controller, scaled};
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Feedback, Moment, Plan, Sample};
use score::{Look, Tally};

/// Which strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Small steps, and only when nearly everything goes well.
    Conservative,
    /// Large steps while there is a backlog.
    Aggressive,
    /// Between the two.
    Balanced,
    /// Steps in proportion to the size.
    Adaptive,
}

/// What all four have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Attempt latency that counts as a good response time, 1 ms to 1 h. Default 1 s.
    pub target: Duration,
    /// Time between two looks at the score, 1 ms to 1 h. Default 1 s.
    pub interval: Duration,
    /// Share of the processor in use over which the size is halved, .01 to 1. Default .9.
    pub cpu_max: f64,
    /// Share of memory in use over which the size is halved, .01 to 1. Default .8.
    pub memory_max: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { target: second, interval: second, cpu_max: 0.9, memory_max: 0.8 }
    }
}

/// One of the four strategies.
#[derive(Debug, Clone)]
pub struct Strategy {
    kind: Kind,
    settings: Settings,
    bounds: Bounds,
    plan: Plan,
    tally: Tally,
    best: f64,
    looked_at: Moment,
}

impl Strategy {
    /// The controller, beginning with the plan `first` as far as the strategy's maximum allows.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(
        kind: Kind,
        settings: Settings,
        first: Plan,
        bounds: Bounds,
    ) -> Result<Self, SettingError> {
        let ms = |span: Duration| span.as_secs_f64() * 1e3;
        within("target_ms", ms(settings.target), 1.0..=3_600_000.0)?;
        within("controller.interval_ms", ms(settings.interval), 1.0..=3_600_000.0)?;
        within("controller.cpu_max", settings.cpu_max, 0.01..=1.0)?;
        within("controller.memory_max", settings.memory_max, 0.01..=1.0)?;
        let most = match kind {
            Kind::Conservative => bounds.batch_size_max / 2,
            Kind::Balanced => bounds.batch_size_max / 4 * 3 + bounds.batch_size_max % 4 * 3 / 4,
            Kind::Aggressive | Kind::Adaptive => bounds.batch_size_max,
        };
        let bounds = Bounds { batch_size_max: most.max(bounds.batch_size_min), ..bounds };
        let batch_size = first.batch_size.min(bounds.batch_size_max);
        Ok(Self {
            kind,
            settings,
            bounds,
            plan: Plan { batch_size, ..first },
            tally: Tally::default(),
            best: 0.0,
            looked_at: Moment::ZERO,
        })
    }

    /// The step that the score asks for, in items.
    fn step(&self, look: &Look, queue_items: u64) -> f64 {
        let size = f64::from(self.plan.batch_size);
        let score = look.score;
        let backlog = queue_items > 2 * u64::from(self.plan.batch_size);
        let quick = look.latency_s < 0.8 * self.settings.target.as_secs_f64();
        match self.kind {
            Kind::Conservative if score > 0.9 && look.errors < 0.01 => 5.0,
            Kind::Conservative if score < 0.7 => -10.0,
            Kind::Aggressive if score > 0.8 && backlog => 20.0,
            Kind::Aggressive if score < 0.6 => -15.0,
            Kind::Balanced if score > 0.8 && quick => 10.0,
            Kind::Balanced if score < 0.65 => -8.0,
            Kind::Adaptive if score > 0.85 => 0.2 * size,
            Kind::Adaptive if score < 0.6 => -0.3 * size,
            Kind::Adaptive if score < 0.75 => -0.1 * size,
            _ => 0.0,
        }
    }

    /// The factor on the size, and why.
    fn verdict(&self, look: &Look, queue_items: u64) -> (f64, String) {
        let Settings { cpu_max, memory_max, .. } = self.settings;
        if look.cpu > cpu_max {
            let said = format!("halved: {:.0} % of the processor is in use", look.cpu * 100.0);
            return (0.5, said);
        }
        if look.memory > memory_max {
            return (0.5, format!("halved: {:.0} % of memory is in use", look.memory * 100.0));
        }
        if look.throttled {
            return (0.75, "lowered by a quarter: a rate limit refused an attempt".to_owned());
        }
        let step = self.step(look, queue_items);
        let verb = if step > 0.0 { "raised" } else { "lowered" };
        let said =
            format!("{verb} by {:.0}: the performance score is {:.2}", step.abs(), look.score);
        (1.0 + step / f64::from(self.plan.batch_size), said)
    }
}

impl Controller for Strategy {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Conservative => "conservative",
            Kind::Aggressive => "aggressive",
            Kind::Balanced => "balanced",
            Kind::Adaptive => "adaptive",
        }
    }

    fn start(&mut self, now: Moment) -> Plan {
        self.looked_at = now;
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        self.tally.count(sample);
        None
    }

    fn feedback(&mut self, _now: Moment, feedback: &Feedback) -> Option<Change> {
        self.tally.hear(feedback);
        None
    }

    fn wake_at(&self) -> Option<Moment> {
        Some(self.looked_at + self.settings.interval)
    }

    fn wake(&mut self, now: Moment) -> Option<Change> {
        let seconds = now.since(self.looked_at).as_secs_f64();
        self.looked_at = now;
        let (full, queue_items) = (self.tally.full, self.tally.queue_items);
        let look = self.tally.look(seconds, self.settings.target, &mut self.best)?;
        let (by, reason) = self.verdict(&look, queue_items);
        let size = scaled(self.plan.batch_size, by.max(0.0), &self.bounds);
        if size == self.plan.batch_size || !full {
            return None;
        }
        self.plan.batch_size = size;
        Some(Change { plan: self.plan, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;
    use crate::control::tests::{first_plan, sample};

    /// The sizes after each interval with one full batch of that latency and outcome.
    fn sizes(kind: Kind, first: u32, batches: &[(u64, Outcome, u64)]) -> Vec<u32> {
        let settings = Settings { target: Duration::from_millis(100), ..Settings::default() };
        let mut strategy =
            Strategy::new(kind, settings, first_plan(first), Bounds::default()).unwrap();
        let mut now = Moment::ZERO;
        strategy.start(now);
        batches
            .iter()
            .map(|(ms, outcome, queued)| {
                let mut one = sample(now.as_nanos() / 1_000_000, *ms, 1_000, *outcome);
                one.queue_items = *queued;
                strategy.sample(&one);
                now = strategy.wake_at().unwrap();
                strategy.wake(now);
                strategy.plan.batch_size
            })
            .collect()
    }

    const GOOD: (u64, Outcome, u64) = (50, Outcome::Ok, 10_000);
    /// Nothing was taken, in twice the target: 0 + .125 + 0 + .15 + .1 = .375.
    const BAD: (u64, Outcome, u64) = (200, Outcome::TimedOut, 10_000);

    #[test]
    fn the_published_steps() {
        assert_eq!(sizes(Kind::Conservative, 100, &[GOOD, GOOD, BAD]), [105, 110, 100]);
        assert_eq!(sizes(Kind::Aggressive, 100, &[GOOD, GOOD, BAD]), [120, 140, 125]);
        assert_eq!(sizes(Kind::Balanced, 100, &[GOOD, GOOD, BAD]), [110, 120, 112]);
        assert_eq!(sizes(Kind::Adaptive, 100, &[GOOD, GOOD, BAD]), [120, 144, 101]);
    }

    #[test]
    fn conditions_of_growth() {
        let no_backlog = (50, Outcome::Ok, 200);
        assert_eq!(sizes(Kind::Aggressive, 100, &[no_backlog]), [100]);
        let slow = (81, Outcome::Ok, 10_000);
        assert_eq!(sizes(Kind::Balanced, 100, &[slow]), [100]);
        let throttled = (5, Outcome::Throttled { retry_after: None }, 0);
        assert_eq!(sizes(Kind::Balanced, 100, &[throttled]), [75]);
    }

    #[test]
    fn maxima_and_thresholds() {
        assert_eq!(sizes(Kind::Conservative, 5_000, &[GOOD]), [5_000]);
        assert_eq!(sizes(Kind::Balanced, 9_000, &[GOOD]), [7_500]);
        let mut strategy = Strategy::new(
            Kind::Aggressive,
            Settings::default(),
            first_plan(100),
            Bounds::default(),
        )
        .unwrap();
        strategy.start(Moment::ZERO);
        strategy.sample(&sample(0, 10, 100, Outcome::Ok));
        let busy = Feedback { cpu: Some(0.95), ..Feedback::default() };
        strategy.feedback(Moment::ZERO, &busy);
        let change = strategy.wake(strategy.wake_at().unwrap()).unwrap();
        assert_eq!(change.plan.batch_size, 50);
        assert_eq!(change.reason, "halved: 95 % of the processor is in use");
    }
}
