//! Which figures are kept over time, and what becomes of them where the resolution falls?

use super::contract::{BreakerState, LaneTick, SinkTick, Tick};

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Their mean: rates.
    Mean,
    /// The last one: plans and levels.
    Last,
    /// The largest: latencies, queues and ages, so that a spike is not smoothed away.
    Worst,
}

use Fold::{Last, Mean, Worst};

/// Series of the whole server: the name, the fold, and where the value comes from.
type OfAll = (&'static str, Fold, fn(&Tick) -> Option<f64>);
/// Series of a lane.
type OfLane = (&'static str, Fold, fn(&LaneTick, Option<&SinkTick>) -> Option<f64>);

#[expect(clippy::cast_precision_loss, reason = "counts for charts")]
const fn count(value: u64) -> Option<f64> {
    Some(value as f64)
}

/// Series of the server and of all lanes together.
pub(super) const TOTALS: [OfAll; 23] = [
    ("accepted_per_second", Mean, |tick| Some(tick.totals.accepted_per_second)),
    ("delivered_per_second", Mean, |tick| Some(tick.totals.delivered_per_second)),
    ("sent_bytes_per_second", Mean, |tick| Some(tick.totals.sent_bytes_per_second)),
    ("attempts_per_second", Mean, |tick| Some(tick.totals.attempts_per_second)),
    ("errors_per_second", Mean, |tick| Some(tick.totals.errors_per_second)),
    ("retries_per_second", Mean, |tick| Some(tick.totals.retries_per_second)),
    ("backlog", Worst, |tick| count(tick.totals.backlog)),
    ("queue_items", Worst, |tick| count(tick.totals.queue_items)),
    ("queue_bytes", Worst, |tick| count(tick.totals.queue_bytes)),
    ("oldest_seconds", Worst, |tick| tick.totals.oldest_seconds),
    ("in_flight", Worst, |tick| Some(f64::from(tick.totals.in_flight))),
    ("attempt_p99_ms", Worst, |tick| tick.totals.attempt_p99_ms),
    ("delivery_p99_ms", Worst, |tick| tick.totals.delivery_p99_ms),
    ("journal_bytes", Last, |tick| count(tick.journal.bytes)),
    ("commits_per_second", Mean, |tick| Some(tick.journal.commits_per_second)),
    ("sync_mean_ms", Worst, |tick| tick.journal.sync_mean_ms),
    ("host_cpu", Mean, |tick| Some(tick.resources.host_cpu.share)),
    ("host_memory", Last, |tick| Some(tick.resources.host_memory.share)),
    ("process_cpu_cores", Mean, |tick| Some(tick.resources.process_cpu_cores)),
    ("process_memory_bytes", Last, |tick| count(tick.resources.process_memory_bytes)),
    ("disk", Last, |tick| Some(tick.resources.disk.share)),
    ("network_received_bytes_per_second", Mean, |tick| {
        Some(tick.resources.network.received_bytes_per_second)
    }),
    ("network_sent_bytes_per_second", Mean, |tick| {
        Some(tick.resources.network.sent_bytes_per_second)
    }),
];

/// Series of each lane.
pub(super) const LANE: [OfLane; 24] = [
    ("in_per_second", Mean, |lane, _| Some(lane.in_per_second)),
    ("out_per_second", Mean, |lane, _| Some(lane.out_per_second)),
    ("attempts_per_second", Mean, |lane, _| Some(lane.attempts_per_second)),
    ("errors_per_second", Mean, |lane, _| Some(lane.errors_per_second)),
    ("retries_per_second", Mean, |lane, _| Some(lane.retries_per_second)),
    ("misses_per_second", Mean, |lane, _| Some(lane.misses_per_second)),
    ("items_per_attempt", Mean, |lane, _| lane.items_per_attempt),
    ("backlog", Worst, |lane, _| count(lane.backlog)),
    ("queue_items", Worst, |lane, _| count(lane.queue_items)),
    ("queue_bytes", Worst, |lane, _| count(lane.queue_bytes)),
    ("oldest_seconds", Worst, |lane, _| lane.oldest_seconds),
    ("in_flight", Worst, |lane, _| Some(f64::from(lane.in_flight))),
    ("attempt_p50_ms", Worst, |lane, _| lane.attempt_ms.map(|of| of.p50)),
    ("attempt_p95_ms", Worst, |lane, _| lane.attempt_ms.map(|of| of.p95)),
    ("attempt_p99_ms", Worst, |lane, _| lane.attempt_ms.map(|of| of.p99)),
    ("delivery_p50_ms", Worst, |lane, _| lane.delivery_ms.map(|of| of.p50)),
    ("delivery_p95_ms", Worst, |lane, _| lane.delivery_ms.map(|of| of.p95)),
    ("delivery_p99_ms", Worst, |lane, _| lane.delivery_ms.map(|of| of.p99)),
    ("batch_size", Last, |lane, _| Some(f64::from(lane.plan.batch_size))),
    ("concurrency", Last, |lane, _| Some(lane.plan.concurrency)),
    ("pace", Last, |lane, _| lane.plan.pace),
    ("linger_ms", Last, |lane, _| Some(lane.plan.linger_ms)),
    ("load_score", Last, |lane, _| lane.load_score),
    ("breaker", Worst, |_, sink| {
        sink.map(|sink| match sink.breaker {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        })
    }),
];

/// The folds of a row: the totals, then those of each lane.
pub(super) fn folds(lanes: usize) -> Vec<Fold> {
    let of_lane = || LANE.iter().map(|(_, fold, _)| *fold);
    let all = TOTALS.iter().map(|(_, fold, _)| *fold);
    all.chain((0..lanes).flat_map(|_| of_lane())).collect()
}

/// The values of a tick as a row; what is not there is not a number. `sinks` says which sink each
/// lane belongs to.
pub(super) fn row(tick: &Tick, sinks: &[usize]) -> Vec<f32> {
    let lanes = tick.lanes.iter().zip(sinks).flat_map(|(lane, sink)| {
        let sink = tick.sinks.get(*sink);
        LANE.iter().map(move |(.., value)| value(lane, sink))
    });
    let all = TOTALS.iter().map(|(.., value)| value(tick)).chain(lanes);
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a chart")]
    all.map(|value| value.map_or(f32::NAN, |value| value as f32)).collect()
}
