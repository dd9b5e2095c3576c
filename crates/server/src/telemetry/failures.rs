//! What do the figures say of outages and of items that were given up?

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate::breaker::{Phase, Transition};

use crate::clock::Clock;
use crate::dead_letters::DeadLetters;
use crate::lane::outage::{Outage, Seen};

/// A sink: what its lanes share.
#[derive(Debug, Serialize)]
pub struct SinkFigures {
    /// Its name.
    pub sink: String,
    /// Its breaker.
    pub breaker: BreakerFigures,
    /// Retries that could leave at once.
    pub retry_budget_left: f64,
}

/// A breaker.
#[derive(Debug, Serialize)]
pub struct BreakerFigures {
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// Until when it is open, in milliseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_until_unix_ms: Option<i64>,
    /// How many times it has opened.
    pub opened: u64,
    /// Failures in a row that would open it now.
    pub threshold: u32,
    /// Share of attempts that usually fail, 0 to 1.
    pub usual_error_rate: f64,
    /// Changes of state so far.
    pub transitions_total: u64,
    /// The last of them, the oldest first.
    pub transitions: Vec<TransitionFigures>,
}

/// A change of a breaker's state.
#[derive(Debug, Serialize)]
pub struct TransitionFigures {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// The state before.
    pub from: &'static str,
    /// The state from then on.
    pub to: &'static str,
    /// Why.
    pub reason: String,
}

/// The items that were given up.
#[derive(Debug, Serialize)]
pub struct DeadLetterFigures {
    /// How many there are.
    pub items: u64,
    /// How many there may be.
    pub items_max: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
    /// How many there are by sink and by why they were given up.
    pub by_sink: BTreeMap<String, BTreeMap<String, u64>>,
}

pub(super) fn sink(outage: &Outage, clock: Clock) -> SinkFigures {
    let Seen { phase, opened, transitions, threshold, usual_error_rate, budget_left, history } =
        outage.seen(clock.now());
    let open_until_unix_ms = match phase {
        Phase::Open { until } => Some(clock.unix_millis(until)),
        _ => None,
    };
    let told = |change: Transition| TransitionFigures {
        at_unix_ms: clock.unix_millis(change.at),
        from: change.from.label(),
        to: change.to.label(),
        reason: change.reason,
    };
    SinkFigures {
        sink: outage.sink.to_string(),
        breaker: BreakerFigures {
            state: phase.label(),
            open_until_unix_ms,
            opened,
            threshold,
            usual_error_rate,
            transitions_total: transitions,
            transitions: history.into_iter().map(told).collect(),
        },
        retry_budget_left: budget_left,
    }
}

pub(super) fn letters(letters: &DeadLetters) -> DeadLetterFigures {
    let (items, bytes) = letters.total();
    let mut by_sink: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for total in letters.totals() {
        by_sink.entry(total.sink).or_default().insert(total.kind, total.items);
    }
    let limits = letters.limits;
    DeadLetterFigures {
        items,
        items_max: limits.items_max,
        bytes,
        bytes_max: limits.bytes_max,
        by_sink,
    }
}
