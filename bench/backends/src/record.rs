//! What came of a run? Every attempt, from which every figure is made afterwards.
//!
//! An item is *timely* when the latency that the target names is within the target. Items are
//! *missed* when they were delivered late, or when the client gave their attempt up. Refusals
//! (429, 413, no connection) are quick and are not misses; they cost goodput.

use std::time::Duration;

use hdrhistogram::Histogram;
use tidegate::{Decision, Moment, Outcome, Plan, Sample, Sent};

use crate::source::Chunk;

/// Which latency the target is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Latency {
    /// Send to answer, of an attempt.
    Attempt,
    /// Arrival to answer, of an item.
    Delivery,
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    /// This long.
    pub latency: Duration,
    /// Of this.
    pub of: Latency,
}

/// One sending of a batch, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attempt {
    /// The attempt as it left.
    pub sent: Sent,
    /// Send to answer.
    pub latency: Duration,
    /// What the backend said.
    pub outcome: Outcome,
    /// Items delivered in time.
    pub timely: u64,
    /// Items delivered late or given up.
    pub missed: u64,
}

impl Attempt {
    /// When the answer came.
    pub(crate) fn answered(&self) -> Moment {
        self.sent.at + self.latency
    }

    /// Whether the backend took it.
    pub(crate) const fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Partial { .. })
    }
}

/// What a run is made of.
#[derive(Debug)]
pub(crate) struct Run {
    /// Every attempt, in the order of answers.
    pub attempts: Vec<Attempt>,
    /// Every change of plan.
    pub decisions: Vec<Decision>,
    /// Arrival to answer in microseconds, one count an item; empty for a saturated source.
    pub delivery: Histogram<u64>,
    /// Items that had arrived and still waited at the end.
    pub queued: u64,
    /// The plan at the beginning.
    pub first: Plan,
    /// The plan at the end.
    pub last: Plan,
}

/// Longest delivery latency told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// An empty histogram of microseconds.
#[expect(clippy::expect_used, reason = "constant arguments that the constructor accepts")]
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("1 is below half an hour, and 3 digits fit")
}

/// Judges an answer, and counts how long its items had waited.
pub(crate) fn judge(
    sample: &Sample,
    batch: &[Chunk],
    target: Target,
    delivery: &mut Histogram<u64>,
) -> Attempt {
    let delivered = u64::from(sample.outcome.delivered(sample.sent.items));
    let (mut timely, mut missed, mut left) = (0, 0, delivered);
    for (arrived, items) in batch {
        let items = left.min(*items);
        left -= items;
        let since_arrival = sample.at.since(*arrived);
        let latency = match target.of {
            Latency::Attempt => sample.latency,
            Latency::Delivery => since_arrival,
        };
        if latency <= target.latency {
            timely += items;
        } else {
            missed += items;
        }
        if target.of == Latency::Delivery {
            let micros = u64::try_from(since_arrival.as_micros()).unwrap_or(LONGEST_US);
            delivery.saturating_record_n(micros.clamp(1, LONGEST_US), items);
        }
    }
    if sample.outcome == Outcome::TimedOut {
        missed += u64::from(sample.sent.items);
    }
    Attempt { sent: sample.sent, latency: sample.latency, outcome: sample.outcome, timely, missed }
}
