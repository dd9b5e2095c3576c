//! How well does it go? The performance score: success .30, response time .25, throughput .20,
//! resources .15, rate limits .10, each 0 to 1.
//!
//! - success: the share of attempts that were taken;
//! - response time: 1 while the mean latency is within the target, else target ÷ mean;
//! - throughput: items a second over the best look so far; 1 where no batch was full, because then
//!   the source decided;
//! - resources: what is left of processor and memory, whichever is scarcer; 1 if nobody says;
//! - rate limits: the share of attempts that no rate limit refused.

use std::time::Duration;

use crate::control::gradient::MEMORY;
use crate::{Feedback, Outcome, Sample};

/// What happened since the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    attempts: f64,
    taken: f64,
    throttled: f64,
    latency_s: f64,
    items: f64,
    pub(super) full: bool,
    pub(super) queue_items: u64,
    /// Shares in use, as last heard.
    cpu: Option<f64>,
    memory: Option<f64>,
}

/// What a look finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// The performance score, 0 to 1.
    pub(super) score: f64,
    /// Share of attempts that failed other than by a rate limit.
    pub(super) errors: f64,
    /// Mean attempt latency, in seconds.
    pub(super) latency_s: f64,
    pub(super) throttled: bool,
    pub(super) cpu: f64,
    pub(super) memory: f64,
}

impl Tally {
    pub(super) fn count(&mut self, sample: &Sample) {
        self.attempts += 1.0;
        self.latency_s += sample.latency.as_secs_f64();
        let delivered = sample.outcome.delivered(sample.sent.items);
        self.items += f64::from(delivered);
        match sample.outcome {
            Outcome::Ok | Outcome::Partial { .. } => self.taken += 1.0,
            Outcome::Throttled { .. } => self.throttled += 1.0,
            _ => {}
        }
        self.full |= sample.sent.full;
        self.queue_items = sample.queue_items;
        if let Some(feedback) = &sample.feedback {
            self.hear(feedback);
        }
    }

    pub(super) fn hear(&mut self, feedback: &Feedback) {
        let share = |value: Option<f64>| {
            value.filter(|value| value.is_finite()).map(|value| value.clamp(0.0, 1.0))
        };
        self.cpu = share(feedback.cpu).or(self.cpu);
        self.memory = share(feedback.custom(MEMORY)).or(self.memory);
    }

    /// Looks, after `seconds`, and begins anew; `best` is the best throughput of a look so far.
    /// `None` if there was no attempt.
    pub(super) fn look(&mut self, seconds: f64, target: Duration, best: &mut f64) -> Option<Look> {
        let next = Self { cpu: self.cpu, memory: self.memory, ..Self::default() };
        let past = std::mem::replace(self, next);
        if past.attempts == 0.0 || seconds <= 0.0 {
            return None;
        }
        let latency_s = past.latency_s / past.attempts;
        let throughput = past.items / seconds;
        *best = best.max(throughput);
        let response = (target.as_secs_f64() / latency_s.max(1e-9)).min(1.0);
        let relative = if past.full && *best > 0.0 { throughput / *best } else { 1.0 };
        let (cpu, memory) = (past.cpu.unwrap_or(0.0), past.memory.unwrap_or(0.0));
        let throttled = past.throttled / past.attempts;
        let taken = past.taken / past.attempts;
        let score = 0.30 * taken
            + 0.25 * response
            + 0.20 * relative
            + 0.15 * (1.0 - cpu.max(memory))
            + 0.10 * (1.0 - throttled);
        let errors = (1.0 - taken - throttled).max(0.0);
        Some(Look { score, errors, latency_s, throttled: throttled > 0.0, cpu, memory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::sample;

    #[test]
    fn each_part_has_its_published_weight() {
        let target = Duration::from_millis(100);
        let score = |outcomes: &[(u64, Outcome)], feedback: Feedback, mut best: f64| {
            let mut tally = Tally::default();
            tally.hear(&feedback);
            for (ms, outcome) in outcomes {
                tally.count(&sample(0, *ms, 100, *outcome));
            }
            tally.look(1.0, target, &mut best).unwrap().score
        };
        let none = Feedback::default;
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(score(&[(50, Outcome::Ok)], none(), 0.0), 1.0);
        near(score(&[(50, Outcome::Ok), (50, Outcome::Overloaded)], none(), 0.0), 1.0 - 0.15);
        near(score(&[(200, Outcome::Ok)], none(), 0.0), 1.0 - 0.125);
        near(score(&[(50, Outcome::Ok)], none(), 200.0), 1.0 - 0.1);
        let half = Feedback { cpu: Some(0.5), ..none() }.with(MEMORY, 0.2);
        near(score(&[(50, Outcome::Ok)], half, 0.0), 1.0 - 0.075);
        let throttled = Outcome::Throttled { retry_after: None };
        near(score(&[(50, Outcome::Ok), (50, throttled)], none(), 0.0), 1.0 - 0.15 - 0.05);
    }
}
