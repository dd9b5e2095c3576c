//! How do the server's own values become those of the contract?

use tidegate::breaker::Phase;
use tidegate::{Bounds, FlushReason};

use super::contract::{
    AttemptPoint, BreakerState, Decision, Learnt, LoadScore, LoadScorePart, Percentiles, Plan,
    PlanBounds,
};
use crate::clock::Clock;
use crate::lane::shared::Shared as Lane;
use crate::lane::tap::Point;
use crate::telemetry::latency;

/// Three decimals: what more there is nobody sees, and it would be sent four times a second.
pub(super) fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1e3).round() / 1e3 } else { 0.0 }
}

pub(super) fn plan(plan: &tidegate::Plan) -> Plan {
    Plan {
        batch_size: plan.batch_size,
        concurrency: rounded(plan.concurrency),
        pace: plan.pace.map(rounded),
        linger_ms: rounded(plan.linger.as_secs_f64() * 1e3),
    }
}

pub(super) fn bounds(bounds: &Bounds) -> PlanBounds {
    PlanBounds {
        batch_size_min: bounds.batch_size_min,
        batch_size_max: bounds.batch_size_max,
        batch_bytes_max: bounds.batch_bytes_max,
        concurrency_max: bounds.concurrency_max,
        linger_ms_max: bounds.linger_max.as_secs_f64() * 1e3,
    }
}

pub(super) fn decision(lane: &Lane, number: u64, made: &tidegate::Decision) -> Decision {
    let key = lane.key();
    Decision {
        id: format!("{key}/{number}"),
        lane: key.to_string(),
        number,
        at_unix_ms: lane.clock.unix_millis(made.at),
        by: made.by.to_owned(),
        reason: made.reason.to_string(),
        from: plan(&made.from),
        to: plan(&made.to),
    }
}

pub(super) fn breaker(phase: Phase) -> BreakerState {
    match phase {
        Phase::Closed => BreakerState::Closed,
        Phase::Open { .. } => BreakerState::Open,
        Phase::HalfOpen => BreakerState::HalfOpen,
    }
}

pub(super) fn percentiles(of: latency::Percentiles) -> Percentiles {
    let [p50, p95, p99, max] = [of.p50, of.p95, of.p99, of.max].map(rounded);
    Percentiles { p50, p95, p99, max }
}

pub(super) fn point(clock: Clock, of: &Point) -> AttemptPoint {
    AttemptPoint {
        at_unix_ms: clock.unix_millis(of.at),
        items: of.items,
        bytes: of.bytes,
        latency_ms: rounded(of.latency.as_secs_f64() * 1e3),
        in_flight: of.in_flight,
        full: of.full,
        flush: of.reason.map(FlushReason::label).map(str::to_owned),
        outcome: of.outcome.label().to_owned(),
    }
}

pub(super) fn learnt(of: tidegate::control::Learnt) -> Learnt {
    let part = |part: tidegate::control::Part| LoadScorePart {
        adds: rounded(part.adds()),
        name: part.name,
        value: part.value.map(rounded),
        full: part.full,
        weight: part.weight,
    };
    Learnt {
        latency_allowed_ms: of.latency_allowed.map(|time| rounded(time.as_secs_f64() * 1e3)),
        batch_size: of.batch_size.map(rounded),
        batch_size_max: of.batch_size_max.map(rounded),
        phase: of.phase.map(str::to_owned),
        load_score: of.load_score.map(|score| LoadScore {
            mean: rounded(score.mean),
            last: rounded(score.last),
            grow_below: score.grow_below,
            shrink_above: score.shrink_above,
            parts: score.parts.into_iter().map(part).collect(),
        }),
    }
}
