//! What is drawn of a run? A few hundred points, whatever its length.

use tidegate_server::live::contract::RaceTimeline;
use tidegate_sim::record::BIN_S;
use tidegate_sim::{Oracle, Run};

/// Points of a timeline.
const POINTS: f64 = 240.0;

/// The ends of the intervals that are drawn, in seconds; each is a whole number of bins.
fn windows(duration_s: f64) -> impl Iterator<Item = (f64, f64)> {
    let bins = (duration_s / BIN_S / POINTS).ceil().max(1.0);
    let length = bins * BIN_S;
    let mut from = 0.0;
    std::iter::from_fn(move || {
        let window = (from, from + length);
        from = window.1;
        (window.1 <= duration_s + 1e-9).then_some(window)
    })
}

/// A run over time.
pub(super) fn of_run(run: &Run, duration_s: f64) -> RaceTimeline {
    let mut drawn = RaceTimeline::default();
    // A plan is known where an attempt was answered, and holds until the next one.
    let (mut plan, mut bins) = (None, run.timeline.bins().iter());
    let mut passed = 0.0;
    for (from, until) in windows(duration_s) {
        while passed < until - BIN_S / 2.0 {
            let Some(bin) = bins.next() else { break };
            passed += BIN_S;
            if bin.batch_size > 0 {
                plan = Some((f64::from(bin.batch_size), bin.concurrency));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of attempts")]
        let failed = run.timeline.failed(from, until) as f64;
        drawn.at_s.push(rounded(until));
        drawn.goodput.push(Some(rounded(run.timeline.goodput(from, until))));
        let latency = run.timeline.latency_mean_s(from, until);
        drawn.latency_ms.push(latency.map(|seconds| rounded(seconds * 1e3)));
        drawn.batch_size.push(plan.map(|(size, _)| size));
        drawn.concurrency.push(plan.map(|(_, concurrency)| rounded(concurrency)));
        drawn.failed.push(Some(failed));
    }
    drawn
}

/// What is known of an oracle at every moment; it has no latency.
pub(super) fn of_oracle(oracle: &Oracle, duration_s: f64) -> RaceTimeline {
    let mut drawn = RaceTimeline::default();
    for (from, until) in windows(duration_s) {
        let plan = oracle.plan_at(until - BIN_S);
        drawn.at_s.push(rounded(until));
        drawn.goodput.push(oracle.goodput(from, until).map(rounded));
        drawn.latency_ms.push(None);
        drawn.batch_size.push(plan.map(|best| f64::from(best.batch_size)));
        drawn.concurrency.push(plan.map(|best| rounded(best.concurrency)));
        drawn.failed.push(None);
    }
    drawn
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_length_has_a_few_hundred_points() {
        for duration_s in [1.0, 60.0, 61.3, 3600.0] {
            let all: Vec<_> = windows(duration_s).collect();
            assert!((20..=240).contains(&all.len()), "{duration_s}: {}", all.len());
            assert!(all.windows(2).all(|two| (two[0].1 - two[1].0).abs() < 1e-12));
            assert!(all.last().unwrap().1 > duration_s * 0.98);
        }
    }
}
