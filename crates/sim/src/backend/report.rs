//! What does the backend say of itself? Smoothed, late and noisy, as real probes are.
//!
//! The processor's share in use, operations waiting, and the share of failures are means over
//! about half a second; waits for a lock are those since the last report: each batch that comes in
//! among `n` others waits with probability contention · n.

use std::collections::VecDeque;

use tidegate::Feedback;

use crate::rng::Rng;
use crate::scenario::backend::FeedbackSpec;

/// Smooths what happens into reports.
#[derive(Debug)]
pub(super) struct Report {
    spec: FeedbackSpec,
    cpu: f64,
    waiting: f64,
    errors: f64,
    lock_waits: f64,
    late: VecDeque<[f64; 4]>,
}

/// What counts as full load of each value: the scale of its noise.
const FULL: [f64; 4] = [1.0, 100.0, 1.0, 50.0];

/// Time over which a mean forgets, in seconds.
const MEMORY: f64 = 0.5;

impl Report {
    pub(super) const fn new(spec: FeedbackSpec) -> Self {
        Self { spec, cpu: 0.0, waiting: 0.0, errors: 0.0, lock_waits: 0.0, late: VecDeque::new() }
    }

    /// For these seconds the processor was busy to that share and that many waited.
    pub(super) fn spent(&mut self, seconds: f64, cpu: f64, waiting: f64) {
        let keep = (-seconds / MEMORY).exp();
        self.cpu = self.cpu * keep + cpu * (1.0 - keep);
        self.waiting = self.waiting * keep + waiting * (1.0 - keep);
    }

    /// A batch came in.
    pub(super) fn entered(&mut self, wait_probability: f64) {
        self.lock_waits += wait_probability.min(1.0);
    }

    /// A batch was answered.
    pub(super) fn answered(&mut self, failed: bool) {
        self.errors = self.errors * 0.95 + if failed { 0.05 } else { 0.0 };
    }

    /// What a probe hears now: nothing until the first report is old enough.
    pub(super) fn probe(&mut self, rng: &mut Rng) -> Option<Feedback> {
        let lock_waits = std::mem::take(&mut self.lock_waits);
        self.late.push_back([self.cpu, self.waiting, self.errors, lock_waits]);
        let kept = (self.spec.lag_ms / self.spec.every_ms).round();
        #[expect(clippy::cast_precision_loss, reason = "a few reports are late")]
        if (self.late.len() as f64) <= kept {
            return None;
        }
        let mut values = self.late.pop_front()?;
        for (value, full) in values.iter_mut().zip(FULL) {
            *value = (*value + full * self.spec.noise * rng.normal()).max(0.0);
        }
        let [cpu, queue_depth, error_rate, lock_waits] = values;
        Some(Feedback {
            cpu: Some(cpu.min(1.0)),
            queue_depth: Some(queue_depth),
            error_rate: Some(error_rate.min(1.0)),
            lock_waits: Some(lock_waits),
            custom: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn a_report_is_late_by_its_lag() {
        let spec = FeedbackSpec { every_ms: 250.0, lag_ms: 500.0, noise: 0.0 };
        let (mut report, mut rng) = (Report::new(spec), Rng::new(1, Stream::Feedback));
        report.spent(100.0, 0.8, 30.0);
        assert_eq!((report.probe(&mut rng), report.probe(&mut rng)), (None, None));
        let heard = report.probe(&mut rng).unwrap();
        assert!((heard.cpu.unwrap() - 0.8).abs() < 1e-6, "{heard:?}");
        assert!((heard.queue_depth.unwrap() - 30.0).abs() < 1e-6, "{heard:?}");
    }
}
