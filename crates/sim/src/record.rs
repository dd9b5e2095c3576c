//! What came of a run? Counts in short bins of time, from which every figure is made afterwards.
//!
//! An item is *timely* when the latency that the target names is within the target. The miss ratio
//! is the share, among items that were delivered or given up by the client's timeout, of those that
//! were not timely. Refusals (429, 413, no connection) are quick and are not misses; they cost
//! goodput. Settling ends at the beginning of the first window whose timely goodput is at least
//! 90 % of the oracle's; a window is as long as 30 batches of the oracle's plan, at least 250 ms.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tidegate::{Moment, Outcome, Plan};

use crate::lane::Chunk;

/// Length of a bin, in seconds.
pub const BIN_S: f64 = 0.05;

/// Counts of one bin.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Bin {
    /// Items delivered in time.
    pub timely: u64,
    /// Items delivered late, or in an attempt that the client gave up.
    pub missed: u64,
    /// Attempts answered or given up.
    pub attempts: u32,
    /// Attempts refused by a rate limit.
    pub throttled: u32,
    /// Attempts that failed, those refused by a rate limit among them.
    pub failed: u32,
    /// Sum over the timely and the missed items of the latency that the target names, in seconds.
    pub latency_sum_s: f64,
    /// The longest of these latencies, in seconds.
    pub latency_max_s: f64,
    /// Batch size of the first lane's plan at its last answer in the bin; 0 if there was none.
    pub batch_size: u32,
    /// Concurrency of that plan.
    pub concurrency: f64,
}

impl Bin {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 items")]
    fn counted(&mut self, latency: Duration, items: u64, timely: bool) {
        *(if timely { &mut self.timely } else { &mut self.missed }) += items;
        self.latency_sum_s += latency.as_secs_f64() * items as f64;
        self.latency_max_s = self.latency_max_s.max(latency.as_secs_f64());
    }
}

/// What a run is made of, as it happens.
#[derive(Debug)]
pub struct Record {
    target: Duration,
    by_arrival: bool,
    bins: Vec<Bin>,
    latencies: Histogram<u64>,
    latency_sum: Duration,
}

/// Longest latency told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

impl Record {
    /// An empty record of a run of that length. `by_arrival`: the target is on delivery latency.
    #[must_use]
    pub fn new(duration_s: f64, target: Duration, by_arrival: bool) -> Self {
        let mut latencies = Histogram::new_from(&empty_histogram());
        latencies.auto(true);
        Self {
            target,
            by_arrival,
            bins: vec![Bin::default(); place(duration_s) + 1],
            latencies,
            latency_sum: Duration::ZERO,
        }
    }

    /// An attempt was answered or given up; returns how many items that delivered in time. `plan` is
    /// that of the lane whose plan is told.
    pub fn answered(
        &mut self,
        now: Moment,
        sent: Moment,
        outcome: Outcome,
        batch: &[Chunk],
        plan: Option<&Plan>,
    ) -> u64 {
        let latency = now.since(sent);
        self.latency_sum += latency;
        let place = place(now.as_secs_f64());
        let Some(bin) = self.bins.get_mut(place) else { return 0 };
        let before = bin.timely;
        bin.attempts += 1;
        if let Some(plan) = plan {
            (bin.batch_size, bin.concurrency) = (plan.batch_size, plan.concurrency);
        }
        bin.failed += u32::from(outcome != Outcome::Ok);
        if matches!(outcome, Outcome::Throttled { .. }) {
            bin.throttled += 1;
        }
        if !matches!(outcome, Outcome::Ok | Outcome::TimedOut) {
            return 0;
        }
        for chunk in batch {
            let latency = if self.by_arrival { now.since(chunk.arrived) } else { latency };
            bin.counted(latency, chunk.items, outcome == Outcome::Ok && latency <= self.target);
            if outcome == Outcome::Ok {
                let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                self.latencies.saturating_record_n(us.clamp(1, LONGEST_US), chunk.items);
            }
        }
        bin.timely - before
    }

    /// The sum of all attempts' latencies, in seconds.
    #[must_use]
    pub const fn latency_sum_s(&self) -> f64 {
        self.latency_sum.as_secs_f64()
    }

    /// The 99th percentile of the latency that the target names, by items, in seconds.
    #[must_use]
    pub fn p99_s(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "at most an hour in microseconds")]
        let quantile = |us: u64| us as f64 / 1e6;
        (!self.latencies.is_empty()).then(|| quantile(self.latencies.value_at_quantile(0.99)))
    }

    /// The bins.
    #[must_use]
    pub fn into_timeline(self) -> Timeline {
        Timeline { bins: self.bins }
    }
}

#[expect(clippy::expect_used, reason = "constant arguments that the type accepts")]
fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds and digits are valid")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an hour")]
fn place(seconds: f64) -> usize {
    (seconds / BIN_S + 1e-9) as usize
}

/// A run over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    bins: Vec<Bin>,
}

impl Timeline {
    /// The bins, [`BIN_S`] each.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    fn window(&self, from_s: f64, until_s: f64) -> &[Bin] {
        let until = place(until_s).min(self.bins.len());
        self.bins.get(place(from_s).min(until)..until).unwrap_or(&[])
    }

    /// Items delivered in time, a second, from one moment to another (in seconds).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 items")]
    pub fn goodput(&self, from_s: f64, until_s: f64) -> f64 {
        let items: u64 = self.window(from_s, until_s).iter().map(|bin| bin.timely).sum();
        items as f64 / (until_s - from_s).max(BIN_S)
    }

    /// Share of items that were late or given up among those delivered or given up.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 items")]
    pub fn miss_ratio(&self, from_s: f64, until_s: f64) -> f64 {
        let window = self.window(from_s, until_s);
        let timely: u64 = window.iter().map(|bin| bin.timely).sum();
        let missed: u64 = window.iter().map(|bin| bin.missed).sum();
        if timely + missed == 0 { 0.0 } else { missed as f64 / (timely + missed) as f64 }
    }

    /// Attempts in the run up to `until_s`.
    #[must_use]
    pub fn attempts(&self, from_s: f64, until_s: f64) -> u64 {
        self.window(from_s, until_s).iter().map(|bin| u64::from(bin.attempts)).sum()
    }

    /// Attempts that failed.
    #[must_use]
    pub fn failed(&self, from_s: f64, until_s: f64) -> u64 {
        self.window(from_s, until_s).iter().map(|bin| u64::from(bin.failed)).sum()
    }

    /// Mean over the items of the latency that the target names, in seconds; none without items.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 items")]
    pub fn latency_mean_s(&self, from_s: f64, until_s: f64) -> Option<f64> {
        let window = self.window(from_s, until_s);
        let items: u64 = window.iter().map(|bin| bin.timely + bin.missed).sum();
        let sum: f64 = window.iter().map(|bin| bin.latency_sum_s).sum();
        (items > 0).then(|| sum / items as f64)
    }

    /// Attempts refused by a rate limit.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.bins.iter().map(|bin| u64::from(bin.throttled)).sum()
    }

    /// Seconds from `from_s` to the first window of `window_s` before `until_s` with at least that
    /// timely goodput.
    #[must_use]
    pub fn settle_s(&self, from_s: f64, until_s: f64, window_s: f64, goodput: f64) -> Option<f64> {
        let mut begin = from_s;
        while begin + window_s <= until_s + 1e-9 {
            if self.goodput(begin, begin + window_s) >= goodput {
                return Some(begin - from_s);
            }
            begin += BIN_S;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_is_the_first_window_that_is_good_enough() {
        let bins = (0..40).map(|i| Bin { timely: if i < 10 { 1 } else { 5 }, ..Bin::default() });
        let timeline = Timeline { bins: bins.collect() };
        let settled = timeline.settle_s(0.0, 2.0, 0.25, 90.0).unwrap();
        assert!((settled - 0.5).abs() < 0.06, "{settled}");
        assert_eq!(timeline.settle_s(0.0, 2.0, 0.25, 101.0), None);
        assert!((timeline.goodput(1.0, 2.0) - 100.0).abs() < 1e-9);
    }
}
