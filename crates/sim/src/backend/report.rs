//! What does the backend say of itself? Smoothed, late and noisy, as real probes are.
//!
//! The processor's share in use, operations waiting, and the share of failures are means over
//! about half a second; waits for a lock are those since the last report: each batch that comes in
//! among `n` others waits with probability contention · n.

use std::collections::VecDeque;

use tidegate::Feedback;

use crate::rng::Rng;
use crate::scenario::backend::{CustomMetric, FeedbackSpec, Metric};

/// Smooths what happens into reports.
#[derive(Debug)]
pub(super) struct Report {
    spec: FeedbackSpec,
    cpu: f64,
    waiting: f64,
    errors: f64,
    lock_waits: f64,
    late: VecDeque<Load>,
}

/// Waits for a lock that count as full load.
const LOCK_WAITS_FULL: f64 = 50.0;

/// What the backend's load was: processor, waiting, errors, lock waits.
pub(crate) type Load = [f64; 4];

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

    /// What a probe finds now: nothing until the first report is old enough.
    pub(super) fn probe(&mut self) -> Option<Load> {
        let lock_waits = std::mem::take(&mut self.lock_waits);
        self.late.push_back([self.cpu, self.waiting, self.errors, lock_waits]);
        let kept = (self.spec.lag_ms / self.spec.every_ms).round();
        #[expect(clippy::cast_precision_loss, reason = "a few reports are late")]
        if (self.late.len() as f64) <= kept {
            return None;
        }
        self.late.pop_front()
    }

    /// What one listener hears of it.
    pub(super) fn heard(&self, load: &Load, rng: &mut Rng) -> Feedback {
        let mut values = *load;
        let full = [1.0, self.spec.queue_full, 1.0, LOCK_WAITS_FULL];
        for (value, full) in values.iter_mut().zip(full) {
            *value = (*value + full * self.spec.noise * rng.normal()).max(0.0);
        }
        let [cpu, queue_depth, error_rate, lock_waits] = values;
        let said = |metric, value: f64| self.spec.says.contains(&metric).then_some(value);
        Feedback {
            cpu: said(Metric::Cpu, cpu.min(1.0)),
            queue_depth: said(Metric::QueueDepth, queue_depth),
            error_rate: said(Metric::ErrorRate, error_rate.min(1.0)),
            lock_waits: said(Metric::LockWaits, lock_waits),
            custom: self.spec.custom.iter().map(|own| custom(own, &values)).collect(),
        }
    }
}

fn custom(own: &CustomMetric, values: &Load) -> (String, f64) {
    let [cpu, queue_depth, error_rate, lock_waits] = *values;
    let value = match own.of {
        Metric::Cpu => cpu,
        Metric::QueueDepth => queue_depth,
        Metric::ErrorRate => error_rate,
        Metric::LockWaits => lock_waits,
    };
    (own.name.clone(), value * own.factor + own.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn a_report_is_late_by_its_lag() {
        let spec = FeedbackSpec {
            lag_ms: 500.0,
            noise: 0.0,
            says: vec![Metric::Cpu, Metric::QueueDepth],
            custom: vec![CustomMetric {
                name: "pool".into(),
                of: Metric::QueueDepth,
                factor: 2.0,
                offset: 1.0,
            }],
            ..FeedbackSpec::default()
        };
        let (mut report, mut rng) = (Report::new(spec), Rng::new(1, Stream::Feedback));
        report.spent(100.0, 0.8, 30.0);
        assert_eq!((report.probe(), report.probe()), (None, None));
        let load = report.probe().unwrap();
        let heard = report.heard(&load, &mut rng);
        assert!((heard.cpu.unwrap() - 0.8).abs() < 1e-6, "{heard:?}");
        assert!((heard.queue_depth.unwrap() - 30.0).abs() < 1e-6, "{heard:?}");
        assert!((heard.custom("pool").unwrap() - 61.0).abs() < 1e-6, "{heard:?}");
        assert_eq!((heard.error_rate, heard.lock_waits), (None, None));
    }
}
