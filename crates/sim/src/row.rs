//! What do many runs say together? Means, the worst seed, and medians of settling.

use crate::oracle::{Best, Oracle};
use crate::record::Timeline;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::suite::{PlanFound, Row};

/// What the runs of a scenario are held against.
#[derive(Debug)]
pub(crate) struct Reference {
    oracle: Oracle,
    /// The oracle's goodput by seed, steady and whole: the same for all if it is timed.
    by_seed: Vec<(f64, f64)>,
    hindsight: Best,
    hindsight_goodput: f64,
}

impl Reference {
    pub(crate) fn new(
        scenario: &Scenario,
        oracle: Oracle,
        oracle_runs: &[Run],
        hindsight: Best,
        static_runs: &[Run],
    ) -> Self {
        let (half, end) = (scenario.duration_s / 2.0, scenario.duration_s);
        let timed = oracle.goodput(half, end).zip(oracle.goodput(0.0, end));
        let replayed =
            |run: &Run| (run.timeline.goodput(half, end), run.timeline.goodput(0.0, end));
        let by_seed = match timed {
            Some(both) => vec![both; static_runs.len()],
            None => oracle_runs.iter().map(replayed).collect(),
        };
        let hindsight_goodput = mean(static_runs.iter().map(|run| run.timeline.goodput(0.0, end)));
        Self { oracle, by_seed, hindsight, hindsight_goodput }
    }
}

/// Folds the runs of one controller, one a seed, into a row.
pub(crate) fn fold(
    scenario: &Scenario,
    controller: &str,
    reference: &Reference,
    runs: &[Run],
) -> Row {
    let (half, end) = (scenario.duration_s / 2.0, scenario.duration_s);
    let steady = |run: &Run| run.timeline.goodput(half, end);
    let whole = |run: &Run| run.timeline.goodput(0.0, end);
    let pairs = || runs.iter().zip(&reference.by_seed);
    let ratios = || pairs().map(|(run, (oracle, _))| ratio(steady(run), *oracle));
    let settled = settled(scenario, &reference.oracle, runs);
    let minutes = end / 60.0;
    Row {
        scenario: scenario.name.clone(),
        controller: controller.to_owned(),
        seeds: runs.len() as u64,
        goodput: mean(runs.iter().map(steady)),
        oracle_goodput: mean(reference.by_seed.iter().map(|(steady, _)| *steady)),
        oracle_plan: found(&reference.oracle.plan),
        best_static_goodput: reference.hindsight_goodput,
        best_static_plan: found(&reference.hindsight),
        steady_ratio: mean(ratios()),
        whole_ratio: mean(pairs().map(|(run, (_, oracle))| ratio(whole(run), *oracle))),
        worst_seed_ratio: ratios().fold(f64::INFINITY, f64::min),
        vs_best_static: ratio(mean(runs.iter().map(whole)), reference.hindsight_goodput),
        settle_seconds_median: median(settled.iter().map(|settle| settle.map(|(s, _)| s))),
        settle_seconds_worst: worst(&settled),
        settle_batches_median: median(settled.iter().map(|settle| settle.map(|(_, n)| n))),
        miss_ratio: mean(runs.iter().map(|run| run.timeline.miss_ratio(half, end))),
        p99_seconds: p99(runs),
        refusals_per_minute: mean(runs.iter().map(|run| count(run.timeline.throttled()) / minutes)),
        attempts: mean(runs.iter().map(|run| count(run.attempts))),
        jain: jain(scenario, runs),
    }
}

/// Seconds and attempts from each change (or the beginning, if none is named) until 90 % of the
/// oracle; `None` for those that never got there. Empty without a timed oracle.
fn settled(scenario: &Scenario, oracle: &Oracle, runs: &[Run]) -> Vec<Option<(f64, f64)>> {
    let mut begins = scenario.changes_s.clone();
    if begins.is_empty() {
        begins.push(0.0);
    }
    let mut found = Vec::new();
    for (place, from) in begins.iter().enumerate() {
        let until = begins.get(place + 1).copied().unwrap_or(scenario.duration_s);
        let Some(best) = oracle.goodput(*from, from + 1.0).filter(|best| *best > 0.0) else {
            continue;
        };
        let thirty_batches = 30.0 * f64::from(oracle.plan.batch_size) / best;
        let window = thirty_batches.clamp(0.25, 5.0);
        found.extend(runs.iter().map(|run| {
            let seconds = run.timeline.settle_s(*from, until, window, 0.9 * best)?;
            Some((seconds, attempts(&run.timeline, *from, from + seconds)))
        }));
    }
    found
}

fn attempts(timeline: &Timeline, from_s: f64, until_s: f64) -> f64 {
    count(timeline.attempts(from_s, until_s))
}

fn found(best: &Best) -> PlanFound {
    PlanFound { batch_size: best.batch_size, concurrency: best.concurrency }
}

/// Nothing of nothing is all of it.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn count(number: u64) -> f64 {
    number as f64
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, many) = values.fold((0.0, 0_u64), |(sum, many), value| (sum + value, many + 1));
    sum / count(many.max(1))
}

/// The median, where what never came is later than everything.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.map(|value| value.unwrap_or(f64::INFINITY)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().filter(|value| value.is_finite())
}

fn worst(settled: &[Option<(f64, f64)>]) -> Option<f64> {
    let all: Option<Vec<f64>> = settled.iter().map(|settle| settle.map(|(s, _)| s)).collect();
    all?.into_iter().reduce(f64::max)
}

/// Mean over the seeds, in the steady half.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an hour")]
fn jain(scenario: &Scenario, runs: &[Run]) -> Option<f64> {
    let (half, end) = ((scenario.duration_s / 2.0) as usize, scenario.duration_s as usize);
    let known: Vec<f64> = runs.iter().filter_map(|run| run.jain(half, end)).collect();
    (!known.is_empty()).then(|| mean(known.into_iter()))
}

fn p99(runs: &[Run]) -> Option<f64> {
    let known: Vec<f64> = runs.iter().filter_map(|run| run.p99_s).collect();
    (!known.is_empty()).then(|| mean(known.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_counts_as_latest() {
        assert_eq!(median([Some(1.0), None, Some(3.0)].into_iter()), Some(3.0));
        assert_eq!(median([None, None, Some(3.0)].into_iter()), None);
        assert_eq!(worst(&[Some((1.0, 2.0)), None]), None);
        assert_eq!(worst(&[Some((1.0, 2.0)), Some((4.0, 9.0))]), Some(4.0));
        assert_eq!(ratio(0.0, 0.0), 1.0);
    }
}
