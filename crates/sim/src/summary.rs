//! What is kept of a run? The figures that rows are made of; runs themselves are large, and any of
//! them can be had again from its seed.

use crate::oracle::Oracle;
use crate::run::Run;
use crate::scenario::Scenario;

/// The figures of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    /// Timely items a second in the steady half.
    pub(crate) steady: f64,
    /// Timely items a second in the whole run.
    pub(crate) whole: f64,
    pub(crate) miss_ratio: f64,
    pub(crate) mean_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    pub(crate) throttled: f64,
    pub(crate) attempts: f64,
    /// Attempts answered or given up, and those among them that failed.
    pub(crate) answered: f64,
    pub(crate) failed: f64,
    pub(crate) offered: f64,
    pub(crate) delivered: f64,
    pub(crate) busy_s: f64,
    pub(crate) decisions: f64,
    /// Fairness between instances in the steady half.
    pub(crate) jain: Option<f64>,
    /// For each beginning of settling: seconds and attempts, if it came to an end.
    pub(crate) settled: Vec<Option<(f64, f64)>>,
}

/// A moment from which settling is measured, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    pub(crate) from_s: f64,
    until_s: f64,
    /// Goodput that counts as settled, and the window in which it is measured.
    enough: f64,
    window_s: f64,
}

/// The beginning of the run and every change that the scenario names, where there is something to
/// settle to: none without a timed oracle.
pub(crate) fn beginnings(scenario: &Scenario, oracle: &Oracle) -> Vec<Beginning> {
    let mut from: Vec<f64> =
        std::iter::once(0.0).chain(scenario.changes_s.iter().copied()).collect();
    from.sort_by(f64::total_cmp);
    from.dedup();
    let until = from.iter().skip(1).copied().chain(std::iter::once(scenario.duration_s));
    let beginning = |(from_s, until_s): (f64, f64)| {
        let soon = f64::min(from_s + 1.0, until_s);
        let best = oracle.goodput(from_s, soon).filter(|best| *best > 0.0)?;
        let plan = oracle.plan_at(from_s).unwrap_or(oracle.plan);
        let thirty_batches = 30.0 * f64::from(plan.batch_size) / best;
        let window_s = thirty_batches.clamp(0.25, 5.0);
        Some(Beginning { from_s, until_s, enough: 0.9 * best, window_s })
    };
    from.iter().copied().zip(until).filter_map(beginning).collect()
}

impl Summary {
    pub(crate) fn of(scenario: &Scenario, beginnings: &[Beginning], run: &Run) -> Self {
        let (half, end) = (scenario.duration_s / 2.0, scenario.duration_s);
        let timeline = &run.timeline;
        let settled = |begin: &Beginning| {
            let Beginning { from_s, until_s, enough, window_s } = *begin;
            let seconds = timeline.settle_s(from_s, until_s, window_s, enough)?;
            Some((seconds, count(timeline.attempts(from_s, from_s + seconds))))
        };
        Self {
            seed: run.seed,
            steady: timeline.goodput(half, end),
            whole: timeline.goodput(0.0, end),
            miss_ratio: timeline.miss_ratio(half, end),
            mean_s: timeline.latency_mean_s(0.0, end),
            p99_s: run.p99_s,
            throttled: count(timeline.throttled()),
            attempts: count(run.attempts),
            answered: count(timeline.attempts(0.0, end)),
            failed: count(timeline.failed(0.0, end)),
            offered: count(run.offered),
            delivered: count(run.delivered),
            busy_s: run.busy_s,
            decisions: count(run.decisions),
            jain: jain(run, half, end),
            settled: beginnings.iter().map(settled).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an hour")]
fn jain(run: &Run, from_s: f64, until_s: f64) -> Option<f64> {
    run.jain(from_s as usize, until_s as usize)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}
