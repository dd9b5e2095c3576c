//! How good was it? Goodput, misses, errors, latencies and settling, from attempts, by arithmetic
//! that knows no clock.
//!
//! *Goodput* is timely items a second. *Miss ratio* is the share of items that were late, among
//! those that were delivered or given up. Quantiles are over attempts (nearest rank). *In flight*
//! is the mean, by Little's law. *Settling* ends at the beginning of the first window whose goodput
//! is at least 90 % of a reference; a window is as long as 30 batches of the reference plan, at
//! least 250 ms.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate::{Moment, Outcome};

use crate::record::Attempt;

/// Seconds from the beginning of a run.
pub(crate) type Span = (f64, f64);

/// What a span of a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Timely items a second.
    pub goodput: f64,
    /// Delivered items a second, timely or not.
    pub delivered: f64,
    /// Share of items that were late or given up.
    pub miss_ratio: f64,
    /// Attempts answered.
    pub attempts: u64,
    /// Attempts that failed, rate limits apart.
    pub errors: u64,
    /// Attempts refused by a rate limit.
    pub throttled: u64,
    /// Median attempt latency.
    pub p50_s: f64,
    /// 99th percentile of attempt latency.
    pub p99_s: f64,
    /// Mean items of an attempt.
    pub mean_size: f64,
    /// Mean attempts in flight.
    pub mean_in_flight: f64,
}

/// The figures of what was answered in `span`.
#[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
pub(crate) fn figures(attempts: &[Attempt], span: Span) -> Figures {
    let answered: Vec<&Attempt> = inside(attempts, span).collect();
    let seconds = (span.1 - span.0).max(f64::MIN_POSITIVE);
    let sum = |part: fn(&Attempt) -> u64| answered.iter().map(|one| part(one)).sum::<u64>();
    let (timely, missed) = (sum(|one| one.timely), sum(|one| one.missed));
    let delivered = sum(|one| u64::from(one.outcome.delivered(one.sent.items)));
    let count = answered.len() as f64;
    let throttled = sum(|one| matches!(one.outcome, Outcome::Throttled { .. }).into());
    let mut latencies: Vec<f64> = answered.iter().map(|one| one.latency.as_secs_f64()).collect();
    let busy: f64 = latencies.iter().sum();
    latencies.sort_by(f64::total_cmp);
    Figures {
        goodput: timely as f64 / seconds,
        delivered: delivered as f64 / seconds,
        miss_ratio: share(missed as f64, (timely + missed) as f64),
        attempts: answered.len() as u64,
        errors: sum(|one| (!one.is_ok()).into()) - throttled,
        throttled,
        p50_s: quantile(&latencies, 0.5),
        p99_s: quantile(&latencies, 0.99),
        mean_size: share(sum(|one| one.sent.items.into()) as f64, count),
        mean_in_flight: busy / seconds,
    }
}

fn inside(attempts: &[Attempt], (from, to): Span) -> impl Iterator<Item = &Attempt> {
    let (from, to) = (moment(from), moment(to));
    attempts.iter().filter(move |one| one.answered() >= from && one.answered() < to)
}

fn moment(seconds: f64) -> Moment {
    Moment::ZERO + Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// `part` of `whole`, 0 of nothing.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The value at `quantile` of sorted values: the nearest rank; 0 of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rank between 1 and a length"
)]
pub(crate) fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or(0.0)
}

/// How long it took from the beginning of `span` until goodput had reached 90 % of `reference`, in
/// seconds; `None` if it never did.
pub(crate) fn settling(
    attempts: &[Attempt],
    span: Span,
    reference: f64,
    window: f64,
) -> Option<f64> {
    const STEP: f64 = 0.05;
    let window = window.max(0.25);
    let mut from = span.0;
    while from + window <= span.1 {
        if figures(attempts, (from, from + window)).goodput >= 0.9 * reference {
            return Some(from - span.0);
        }
        from += STEP;
    }
    None
}

/// The middle of a few values, and how far they reach.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these values; of none it is all 0.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first(), values.last()) else {
            return Self::default();
        };
        let half = values.len() / 2;
        let upper = values.get(half).copied().unwrap_or(*max);
        let lower = values.get(half.saturating_sub(1)).copied().unwrap_or(*min);
        let median = if values.len() % 2 == 1 { upper } else { f64::midpoint(lower, upper) };
        Self { median, min: *min, max: *max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate::{Epoch, Sent};

    fn attempt(at_ms: u64, latency_ms: u64, items: u32, outcome: Outcome) -> Attempt {
        let delivered = u64::from(outcome.delivered(items));
        let late = latency_ms > 50;
        let given_up = if outcome == Outcome::TimedOut { u64::from(items) } else { 0 };
        Attempt {
            sent: Sent {
                at: moment(at_ms as f64 / 1e3),
                epoch: Epoch(0),
                target: items,
                items,
                bytes: 0,
                in_flight: 1,
                full: true,
            },
            latency: Duration::from_millis(latency_ms),
            outcome,
            timely: if late { 0 } else { delivered },
            missed: given_up + if late { delivered } else { 0 },
        }
    }

    #[test]
    fn figures_count_what_was_answered_inside() {
        let attempts = [
            attempt(0, 10, 100, Outcome::Ok),
            attempt(100, 100, 300, Outcome::Ok),
            attempt(300, 10, 50, Outcome::Throttled { retry_after: None }),
            attempt(400, 40, 100, Outcome::Overloaded),
            attempt(500, 400, 100, Outcome::TimedOut),
            attempt(990, 20, 100, Outcome::Ok),
        ];
        let found = figures(&attempts, (0.0, 1.0));
        assert_eq!((found.goodput, found.delivered), (100.0, 400.0));
        assert_eq!((found.attempts, found.errors, found.throttled), (5, 2, 1));
        assert!((found.miss_ratio - 0.8).abs() < 1e-12);
        assert_eq!((found.p50_s, found.p99_s), (0.04, 0.4));
        assert_eq!(found.mean_size, 130.0);
        assert!((found.mean_in_flight - 0.56).abs() < 1e-9);
        assert_eq!(figures(&[], (0.0, 1.0)), Figures::default());
    }

    #[test]
    fn settling_is_the_first_good_window() {
        // 100 items each 10 ms, from .5 s on.
        let attempts: Vec<Attempt> =
            (0..200).map(|n| attempt(490 + n * 10, 10, 100, Outcome::Ok)).collect();
        let settled = settling(&attempts, (0.0, 2.0), 10_000.0, 0.25).unwrap();
        assert!((0.45..=0.55).contains(&settled), "{settled}");
        assert_eq!(settling(&attempts, (0.0, 2.0), 20_000.0, 0.25), None);
        assert_eq!(settling(&attempts, (1.0, 2.0), 10_000.0, 0.25), Some(0.0));
    }

    #[test]
    fn a_spread_has_the_middle_of_its_values() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
        assert_eq!(Spread::of([]), Spread::default());
    }

    proptest! {
        /// Invariant: at least that share of the values is at or below the quantile, and it is one of them.
        #[test]
        fn a_quantile_is_a_value_with_that_share_below(
            mut values in proptest::collection::vec(0.0..1e6f64, 1..200),
            q in 0.0..1.0f64,
        ) {
            values.sort_by(f64::total_cmp);
            let found = quantile(&values, q);
            prop_assert!(values.contains(&found));
            let below = values.iter().filter(|value| **value <= found).count();
            prop_assert!(below as f64 >= q * values.len() as f64);
        }
    }
}
