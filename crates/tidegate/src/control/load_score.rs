//! What if the backend says how loaded it is? Then its load score moves the batch size.
//!
//! The score is a weighted sum of what the backend reports, each scaled to 0…1. Its mean over the
//! last few feedbacks is looked at once an interval: below the lower threshold the size grows by a
//! factor, above the upper one it shrinks by it. The rule is that of earlier systems, kept exactly,
//! because their users know it and because it is a baseline. Its weakness is known too: it is
//! monotone, so a backend that reports no load is given ever larger batches, up to the bound.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Controller, Learnt, Part, Score, scaled};
use crate::error::{SettingError, within};
use crate::{Bounds, Change, Feedback, Moment, Plan, Sample};

/// How the load score is made and what follows from it.
///
/// A metric that the feedback lacks adds nothing to the score. The weights need not add up to 1,
/// but the score is cut there.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Time between two looks at the score, 1 ms to 1 h. Default 5 s.
    pub interval: Duration,
    /// Share by which the size grows or shrinks, .01 to .9. Default .2.
    pub factor: f64,
    /// Feedbacks whose mean is looked at, 1 to 1,000. Default 10.
    pub window: usize,
    /// The size grows below this score, 0 to 1. Default .3.
    pub grow_below: f64,
    /// The size shrinks above this score, from `grow_below` to 1. Default .7.
    pub shrink_above: f64,
    /// Weight of the processor's share in use. Default .4.
    pub cpu_weight: f64,
    /// Weight of the error rate. Default .3.
    pub error_rate_weight: f64,
    /// Weight of the queue depth. Default .2.
    pub queue_depth_weight: f64,
    /// Queue depth that counts as full load. Default 100.
    pub queue_depth_full: f64,
    /// Weight of lock waits. Default .1.
    pub lock_waits_weight: f64,
    /// Lock waits that count as full load. Default 50.
    pub lock_waits_full: f64,
    /// The user's own metrics. Default none.
    pub custom: Vec<CustomWeight>,
}

/// How a metric of the user's own counts in the load score.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomWeight {
    /// The metric's name in the feedback.
    pub name: String,
    /// Its weight, 0 to 1.
    pub weight: f64,
    /// The value that counts as full load.
    pub full: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            factor: 0.2,
            window: 10,
            grow_below: 0.3,
            shrink_above: 0.7,
            cpu_weight: 0.4,
            error_rate_weight: 0.3,
            queue_depth_weight: 0.2,
            queue_depth_full: 100.0,
            lock_waits_weight: 0.1,
            lock_waits_full: 50.0,
            custom: Vec::new(),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), SettingError> {
        let interval_ms = self.interval.as_secs_f64() * 1e3;
        within("controller.interval_ms", interval_ms, 1.0..=3_600_000.0)?;
        within("controller.factor", self.factor, 0.01..=0.9)?;
        within("controller.window", self.window, 1..=1000)?;
        within("controller.grow_below", self.grow_below, 0.0..=1.0)?;
        within("controller.shrink_above", self.shrink_above, self.grow_below..=1.0)?;
        within("controller.cpu_weight", self.cpu_weight, 0.0..=1.0)?;
        within("controller.error_rate_weight", self.error_rate_weight, 0.0..=1.0)?;
        within("controller.queue_depth_weight", self.queue_depth_weight, 0.0..=1.0)?;
        within("controller.lock_waits_weight", self.lock_waits_weight, 0.0..=1.0)?;
        within("controller.queue_depth_full", self.queue_depth_full, 1e-9..=1e12)?;
        within("controller.lock_waits_full", self.lock_waits_full, 1e-9..=1e12)?;
        for custom in &self.custom {
            within("controller.custom.weight", custom.weight, 0.0..=1.0)?;
            within("controller.custom.full", custom.full, 1e-9..=1e12)?;
        }
        Ok(())
    }

    /// The load score of one feedback, 0 (idle) to 1 (overloaded).
    ///
    /// ```
    /// use tidegate::Feedback;
    /// use tidegate::control::load_score::Settings;
    ///
    /// let feedback = Feedback { cpu: Some(0.5), queue_depth: Some(50.0), ..Feedback::default() };
    /// assert_eq!(Settings::default().score(&feedback), 0.4 * 0.5 + 0.2 * 0.5);
    /// ```
    #[must_use]
    pub fn score(&self, feedback: &Feedback) -> f64 {
        let part = |value: Option<f64>, weight: f64, full: f64| match value {
            Some(value) if value.is_finite() => weight * (value / full).clamp(0.0, 1.0),
            _ => 0.0,
        };
        let own = self
            .custom
            .iter()
            .map(|custom| part(feedback.custom(&custom.name), custom.weight, custom.full));
        let sum = part(feedback.cpu, self.cpu_weight, 1.0)
            + part(feedback.error_rate, self.error_rate_weight, 1.0)
            + part(feedback.queue_depth, self.queue_depth_weight, self.queue_depth_full)
            + part(feedback.lock_waits, self.lock_waits_weight, self.lock_waits_full)
            + own.sum::<f64>();
        sum.min(1.0)
    }

    /// What the score of a feedback is made of: the metrics and their weights.
    #[must_use]
    pub fn parts(&self, feedback: &Feedback) -> Vec<Part> {
        let part = |name: &str, value: Option<f64>, weight, full| {
            let value = value.filter(|value| value.is_finite());
            Part { name: name.to_owned(), value, full, weight }
        };
        let own = self.custom.iter().map(|custom| {
            part(&custom.name, feedback.custom(&custom.name), custom.weight, custom.full)
        });
        [
            part("cpu", feedback.cpu, self.cpu_weight, 1.0),
            part("error_rate", feedback.error_rate, self.error_rate_weight, 1.0),
            part(
                "queue_depth",
                feedback.queue_depth,
                self.queue_depth_weight,
                self.queue_depth_full,
            ),
            part("lock_waits", feedback.lock_waits, self.lock_waits_weight, self.lock_waits_full),
        ]
        .into_iter()
        .chain(own)
        .collect()
    }
}

/// Batch size by the backend's own load.
#[derive(Debug, Clone)]
pub struct LoadScore {
    settings: Settings,
    bounds: Bounds,
    plan: Plan,
    scores: VecDeque<f64>,
    /// What was heard last.
    last: Feedback,
    /// Whether anything was heard since the last look: silence is no evidence of idleness.
    heard: bool,
    next_look: Option<Moment>,
}

impl LoadScore {
    /// The controller, beginning with the plan `first`.
    ///
    /// # Errors
    ///
    /// [`SettingError`] when a setting is out of its range.
    pub fn new(settings: Settings, first: Plan, bounds: Bounds) -> Result<Self, SettingError> {
        settings.check()?;
        let scores = VecDeque::with_capacity(settings.window);
        Ok(Self {
            settings,
            bounds,
            plan: first,
            scores,
            last: Feedback::default(),
            heard: false,
            next_look: None,
        })
    }

    fn hear(&mut self, feedback: &Feedback) {
        if self.scores.len() == self.settings.window {
            self.scores.pop_front();
        }
        self.scores.push_back(self.settings.score(feedback));
        self.last.clone_from(feedback);
        self.heard = true;
    }

    #[expect(clippy::cast_precision_loss, reason = "a window has at most 1,000 scores")]
    fn mean(&self) -> f64 {
        self.scores.iter().sum::<f64>() / self.scores.len() as f64
    }
}

impl Controller for LoadScore {
    fn name(&self) -> &'static str {
        "load_score"
    }

    fn start(&mut self, now: Moment) -> Plan {
        self.next_look = Some(now + self.settings.interval);
        self.plan
    }

    fn sample(&mut self, sample: &Sample) -> Option<Change> {
        if let Some(feedback) = &sample.feedback {
            self.hear(feedback);
        }
        None
    }

    fn feedback(&mut self, _now: Moment, feedback: &Feedback) -> Option<Change> {
        self.hear(feedback);
        None
    }

    fn wake_at(&self) -> Option<Moment> {
        self.next_look
    }

    fn wake(&mut self, now: Moment) -> Option<Change> {
        self.next_look = Some(now + self.settings.interval);
        if !std::mem::take(&mut self.heard) {
            return None;
        }
        let score = self.mean();
        let Settings { factor, grow_below, shrink_above, .. } = self.settings;
        let (by, said) = if score < grow_below {
            (1.0 + factor, format!("below {grow_below:.2}: the backend can take more"))
        } else if score > shrink_above {
            (1.0 - factor, format!("above {shrink_above:.2}: the backend has too much"))
        } else {
            return None;
        };
        let size = scaled(self.plan.batch_size, by, &self.bounds);
        if size == self.plan.batch_size {
            return None;
        }
        self.plan.batch_size = size;
        let reason = format!("size × {by:.2}: load score {score:.2} is {said}");
        Some(Change { plan: self.plan, reason: reason.into() })
    }

    fn learnt(&self) -> Learnt {
        let score = self.scores.back().map(|last| Score {
            mean: self.mean(),
            last: *last,
            grow_below: self.settings.grow_below,
            shrink_above: self.settings.shrink_above,
            parts: self.settings.parts(&self.last),
        });
        Learnt { load_score: score, ..Learnt::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::first_plan;

    /// Feedback whose score under the default weights is `score` (at most .7).
    fn scoring(score: f64) -> Feedback {
        let rest = (score - 0.4).max(0.0);
        Feedback {
            cpu: Some((score / 0.4).min(1.0)),
            error_rate: Some((rest / 0.3).min(1.0)),
            queue_depth: Some(((rest - 0.3).max(0.0) / 0.2 * 100.0).min(100.0)),
            ..Feedback::default()
        }
    }

    #[test]
    fn the_published_sequence_is_reproduced() {
        let settings = Settings {
            window: 1,
            interval: Duration::from_secs(3),
            factor: 0.3,
            ..Settings::default()
        };
        let bounds = Bounds { batch_size_max: 1000, ..Bounds::default() };
        let mut controller = LoadScore::new(settings, first_plan(20), bounds).unwrap();
        let mut now = Moment::ZERO;
        let mut sizes = vec![controller.start(now).batch_size];
        for score in [0.25, 0.22, 0.85, 0.78] {
            assert!(controller.feedback(now, &scoring(score)).is_none());
            now = controller.wake_at().unwrap();
            sizes.push(controller.wake(now).unwrap().plan.batch_size);
        }
        assert_eq!(sizes, [20, 26, 34, 24, 17]);
        assert_eq!(now.as_nanos(), 12_000_000_000);
    }

    #[test]
    fn silence_changes_nothing() {
        let mut controller =
            LoadScore::new(Settings::default(), first_plan(20), Bounds::default()).unwrap();
        controller.start(Moment::ZERO);
        controller.feedback(Moment::ZERO, &scoring(0.1));
        let later = Moment::ZERO + Duration::from_secs(5);
        let change = controller.wake(later).unwrap();
        assert_eq!(
            change.reason,
            "size × 1.20: load score 0.10 is below 0.30: the backend can take more"
        );
        assert_eq!(controller.wake(later + Duration::from_secs(5)), None);
    }

    #[test]
    fn what_is_not_finite_counts_as_missing() {
        let settings = Settings::default();
        let odd = Feedback {
            cpu: Some(f64::NAN),
            error_rate: Some(f64::INFINITY),
            queue_depth: Some(-5.0),
            lock_waits: Some(1e300),
            custom: vec![("mine".into(), f64::NAN)],
        };
        assert_eq!(settings.score(&odd), 0.1);
    }

    #[test]
    fn own_metrics_count_with_their_weight() {
        let custom = vec![CustomWeight { name: "lag".into(), weight: 0.5, full: 10.0 }];
        let settings = Settings { custom, ..Settings::default() };
        assert_eq!(settings.score(&Feedback::default().with("lag", 5.0)), 0.25);
    }

    #[test]
    fn thresholds_that_contradict_each_other_are_refused() {
        let settings = Settings { grow_below: 0.8, ..Settings::default() };
        let error = LoadScore::new(settings, first_plan(20), Bounds::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "controller.shrink_above is 0.7, but must be between 0.8 and 1"
        );
    }

    #[test]
    fn the_parts_add_up_to_the_score() {
        let custom = CustomWeight { name: "lag".into(), weight: 0.5, full: 10.0 };
        let settings = Settings { custom: vec![custom], ..Settings::default() };
        let mut controller = LoadScore::new(settings, first_plan(100), Bounds::default()).unwrap();
        assert_eq!(controller.learnt(), Learnt::default());
        let heard = Feedback { cpu: Some(0.5), queue_depth: Some(f64::NAN), ..Feedback::default() };
        controller.feedback(Moment::ZERO, &heard.with("lag", 4.0));
        let score = controller.learnt().load_score.unwrap();
        let named: Vec<_> = score.parts.iter().map(|part| (&*part.name, part.value)).collect();
        assert_eq!(named[0], ("cpu", Some(0.5)));
        assert_eq!(named[2], ("queue_depth", None), "no number is no value");
        assert_eq!(named[4], ("lag", Some(4.0)));
        let sum: f64 = score.parts.iter().map(Part::adds).sum();
        assert!((sum - 0.4).abs() < 1e-12 && (score.last - sum).abs() < 1e-12, "{score:?}");
    }
}
