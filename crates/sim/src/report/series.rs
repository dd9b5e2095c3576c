//! What is drawn of a run? Means over short spans of time, few enough for a page, and the decisions
//! that moved most.

use crate::decisions::{Step, steps};
use crate::record::BIN_S;
use crate::run::Run;

/// What is drawn of one run.
#[derive(Debug, Clone)]
pub(super) struct Curves {
    pub(super) name: String,
    /// Which colour; none for the static plan that stands in for an oracle.
    pub(super) color: Option<usize>,
    /// Seconds at the middle of each span.
    pub(super) at_s: Vec<f64>,
    pub(super) size: Vec<Option<f64>>,
    pub(super) concurrency: Vec<Option<f64>>,
    pub(super) goodput: Vec<Option<f64>>,
    pub(super) latency_s: Vec<Option<f64>>,
    /// The decisions that moved most, in their order.
    pub(super) steps: Vec<Step>,
    /// How many steps there were in all, and how many decisions.
    pub(super) steps_total: usize,
    pub(super) decisions: u64,
}

impl Curves {
    #[expect(clippy::cast_precision_loss, reason = "counts of a run, far below 2^53")]
    pub(super) fn of(
        name: &str,
        color: Option<usize>,
        run: &Run,
        duration_s: f64,
        points: usize,
        listed: usize,
    ) -> Self {
        let all = steps(&run.history);
        let steps_total = all.len();
        let mut curves = Self {
            name: name.to_owned(),
            color,
            at_s: Vec::new(),
            size: Vec::new(),
            concurrency: Vec::new(),
            goodput: Vec::new(),
            latency_s: Vec::new(),
            steps: largest(all, listed),
            steps_total,
            decisions: run.decisions,
        };
        let bins = run.timeline.bins();
        // The last bin begins where the run ends.
        let bins = bins.get(..bins.len().saturating_sub(1)).unwrap_or(bins);
        let span = bins.len().div_ceil(points.max(1)).max(1);
        for (index, span_bins) in bins.chunks(span).enumerate() {
            let from_s = (index * span) as f64 * BIN_S;
            let until_s = (from_s + span_bins.len() as f64 * BIN_S).min(duration_s);
            let planned = span_bins.iter().rev().find(|bin| bin.batch_size > 0);
            curves.at_s.push(f64::midpoint(from_s, until_s));
            curves.size.push(planned.map(|bin| f64::from(bin.batch_size)));
            curves.concurrency.push(planned.map(|bin| bin.concurrency));
            curves.goodput.push(Some(run.timeline.goodput(from_s, until_s)));
            curves.latency_s.push(run.timeline.latency_mean_s(from_s, until_s));
        }
        curves
    }
}

/// The steps that moved the items in flight most, in their order.
fn largest(steps: Vec<Step>, most: usize) -> Vec<Step> {
    if steps.len() <= most {
        return steps;
    }
    let in_flight = |plan: crate::row::PlanFound| f64::from(plan.batch_size) * plan.concurrency;
    let moved = |step: &Step| (in_flight(step.to) / in_flight(step.from).max(1e-9)).ln().abs();
    let mut order: Vec<(usize, f64)> =
        steps.iter().enumerate().map(|(index, step)| (index, moved(step))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.truncate(most);
    let mut kept: Vec<usize> = order.into_iter().map(|(index, _)| index).collect();
    kept.sort_unstable();
    let keep = |(index, step)| kept.binary_search(&index).is_ok().then_some(step);
    steps.into_iter().enumerate().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::PlanFound;

    #[test]
    fn the_largest_steps_are_kept_in_their_order() {
        let step = |from: u32, to: u32| Step {
            from_s: 0.0,
            until_s: 0.0,
            by: "x",
            from: PlanFound { batch_size: from, concurrency: 1.0 },
            to: PlanFound { batch_size: to, concurrency: 1.0 },
            count: 1,
            reason: String::new(),
        };
        let kept = largest(vec![step(100, 200), step(200, 210), step(210, 50), step(50, 51)], 2);
        assert_eq!(kept, [step(100, 200), step(210, 50)]);
    }
}
