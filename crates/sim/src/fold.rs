//! What do many runs say together? Means, the worst seed, and medians of settling.

use crate::oracle::{Best, Oracle};
use crate::row::{Row, Settle};
use crate::selection::Entry;
use crate::summary::{Beginning, Summary, beginnings, count};

/// What the runs of a scenario are held against.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) oracle: Oracle,
    pub(crate) hindsight: Best,
    pub(crate) beginnings: Vec<Beginning>,
    pub(crate) remarks: Vec<String>,
    /// The oracle's goodput by seed, steady and whole: the same for all if it is timed.
    by_seed: Vec<(f64, f64)>,
    hindsight_goodput: f64,
}

impl Reference {
    pub(crate) fn new(entry: &Entry, oracle: Oracle, hindsight: Best) -> Self {
        Self {
            beginnings: beginnings(&entry.scenario, &oracle),
            remarks: crate::remarks::of(&entry.scenario, &oracle),
            oracle,
            hindsight,
            by_seed: Vec::new(),
            hindsight_goodput: 0.0,
        }
    }

    /// With the runs, one a seed, of the best static plan.
    pub(crate) fn with_static(mut self, entry: &Entry, runs: &[Summary]) -> Self {
        let (half, end) = (entry.scenario.duration_s / 2.0, entry.scenario.duration_s);
        let timed = self.oracle.goodput(half, end).zip(self.oracle.goodput(0.0, end));
        // Where the oracle is a static plan, it is the best one in hindsight.
        let of = |run: &Summary| timed.unwrap_or((run.steady, run.whole));
        self.by_seed = runs.iter().map(of).collect();
        self.hindsight_goodput = mean(runs.iter().map(|run| run.whole));
        self
    }
}

/// Folds the runs of one controller, one a seed, into a row.
pub(crate) fn fold(entry: &Entry, controller: &str, against: &Reference, runs: &[Summary]) -> Row {
    let of = |value: fn(&Summary) -> f64| mean(runs.iter().map(value));
    let ratios = |pair: fn(&Summary, &(f64, f64)) -> Option<f64>| {
        let pairs = runs.iter().zip(&against.by_seed);
        pairs.map(|(run, oracle)| pair(run, oracle)).collect::<Option<Vec<f64>>>()
    };
    let steady = ratios(|run, oracle| ratio(run.steady, oracle.0));
    let settles = settles(&against.beginnings, runs);
    let named = named(&against.beginnings, runs);
    let delivered = of(|run| run.delivered);
    Row {
        scenario: entry.scenario.name.clone(),
        controller: controller.to_owned(),
        seeds: runs.len() as u64,
        goodput: of(|run| run.steady),
        oracle_goodput: mean(against.by_seed.iter().map(|(steady, _)| *steady)),
        oracle_plan: against.oracle.plan.into(),
        best_static_goodput: against.hindsight_goodput,
        best_static_plan: against.hindsight.into(),
        steady_ratio: steady.as_ref().map(|all| mean(all.iter().copied())),
        whole_ratio: ratios(|run, oracle| ratio(run.whole, oracle.1))
            .map(|all| mean(all.into_iter())),
        worst_seed_ratio: steady.and_then(|all| all.into_iter().reduce(f64::min)),
        vs_best_static: ratio(of(|run| run.whole), against.hindsight_goodput),
        settle_seconds_median: median(named.iter().map(|settle| settle.map(|(s, _)| s))),
        settle_seconds_worst: worst(&named),
        settle_batches_median: median(named.iter().map(|settle| settle.map(|(_, n)| n))),
        miss_ratio: of(|run| run.miss_ratio),
        p99_seconds: mean_known(runs.iter().map(|run| run.p99_s)),
        refusals_per_minute: of(|run| run.throttled) / (entry.scenario.duration_s / 60.0),
        jain: mean_known(runs.iter().map(|run| run.jain)),
        group: entry.group,
        target_seconds: entry.scenario.target.latency_ms / 1e3,
        whole_goodput: of(|run| run.whole),
        settles,
        mean_seconds: mean_known(runs.iter().map(|run| run.mean_s)),
        timely_share: ratio(of(|run| run.whole) * entry.scenario.duration_s, of(|run| run.offered))
            .filter(|_| !entry.is_saturated()),
        success_ratio: 1.0 - ratio(of(|run| run.failed), of(|run| run.answered)).unwrap_or(0.0),
        attempts: of(|run| run.attempts),
        attempts_per_1000: ratio(of(|run| run.attempts), delivered / 1e3),
        busy_seconds_per_million: ratio(of(|run| run.busy_s), delivered / 1e6),
        decisions: of(|run| run.decisions),
        typical_seed: in_order(runs, runs.len() / 2),
        worst_seed: in_order(runs, 0),
        remarks: against.remarks.clone(),
    }
}

fn settles(beginnings: &[Beginning], runs: &[Summary]) -> Vec<Settle> {
    let apart = |(index, begin): (usize, &Beginning)| {
        let all: Vec<_> =
            runs.iter().map(|run| run.settled.get(index).copied().flatten()).collect();
        Settle {
            at_s: begin.from_s,
            seconds_median: median(all.iter().map(|settle| settle.map(|(s, _)| s))),
            seconds_worst: worst(&all),
            batches_median: median(all.iter().map(|settle| settle.map(|(_, n)| n))),
        }
    };
    beginnings.iter().enumerate().map(apart).collect()
}

/// Every settling from the changes that the scenario names; from the beginning if it names none.
fn named(beginnings: &[Beginning], runs: &[Summary]) -> Vec<Option<(f64, f64)>> {
    let cold = beginnings.iter().filter(|begin| begin.from_s <= 0.0).count();
    let skip = if beginnings.len() > cold { cold } else { 0 };
    runs.iter().flat_map(|run| run.settled.iter().skip(skip).copied()).collect()
}

/// The seed at that place by steady goodput, the least first; of equals the first.
fn in_order(runs: &[Summary], place: usize) -> u64 {
    let mut order: Vec<&Summary> = runs.iter().collect();
    order.sort_by(|a, b| a.steady.total_cmp(&b.steady).then(a.seed.cmp(&b.seed)));
    order.get(place).map_or(0, |run| run.seed)
}

/// Null of nothing.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, many) = values.fold((0.0, 0_u64), |(sum, many), value| (sum + value, many + 1));
    sum / count(many.max(1))
}

fn mean_known(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.flatten().collect();
    (!known.is_empty()).then(|| mean(known.into_iter()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_counts_as_latest() {
        assert_eq!(median([Some(1.0), None, Some(3.0)].into_iter()), Some(3.0));
        assert_eq!(median([None, None, Some(3.0)].into_iter()), None);
        assert_eq!(worst(&[Some((1.0, 2.0)), None]), None);
        assert_eq!(worst(&[Some((1.0, 2.0)), Some((4.0, 9.0))]), Some(4.0));
    }

    #[test]
    fn a_share_of_nothing_is_null() {
        assert_eq!((ratio(1.0, 2.0), ratio(0.0, 0.0)), (Some(0.5), None));
    }
}
