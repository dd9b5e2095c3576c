//! What does `/api/metrics` say? Everything at one moment, with units in the names.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tidegate::engine::Counters;
use tidegate::{Decision, FlushReason, Outcome, Plan};

use super::failures::{DeadLetterFigures, SinkFigures, letters, sink};
use super::latency::Percentiles;
use super::sampler::Resources;
use crate::clock::Clock;
use crate::http::Door;
use crate::lane::shared::{Shared as Lane, State};
use crate::status::Status;

/// Everything at one moment.
#[derive(Debug, Serialize)]
pub struct Snapshot {
    /// Version of the server.
    pub version: &'static str,
    /// Since the server began.
    pub uptime_seconds: f64,
    /// What came in.
    pub ingest: Ingest,
    /// The journal.
    pub journal: Journal,
    /// Each lane of each sink.
    pub lanes: Vec<LaneFigures>,
    /// Each sink.
    pub sinks: Vec<SinkFigures>,
    /// The items that were given up.
    pub dead_letters: DeadLetterFigures,
    /// The host and the process.
    pub resources: Resources,
}

/// What came in.
#[derive(Debug, Serialize)]
pub struct Ingest {
    /// Requests so far.
    pub requests: u64,
    /// Events acknowledged so far.
    pub accepted: u64,
    /// Events left out of requests that asked for partial acceptance.
    pub rejected: u64,
    /// Requests refused because of what they were (4xx).
    pub refused_client: u64,
    /// Requests refused for now (429, 503).
    pub refused_server: u64,
    /// Requests that were accepted before, by their `Idempotency-Key`, and answered again.
    pub repeated: u64,
    /// Bytes of bodies so far, as sent.
    pub body_bytes: u64,
    /// Characters that no sink could store and that became U+FFFD.
    pub replaced_characters: u64,
    /// Events acknowledged a second, over the last five seconds.
    pub accepted_per_second: f64,
    /// Memory that bodies could still take.
    pub body_bytes_free: usize,
}

/// The journal.
#[derive(Debug, Serialize)]
pub struct Journal {
    /// The journal's id.
    pub id: String,
    /// Which opening of the journal this is.
    pub epoch: u64,
    /// What an acknowledgement means: `fsync`, `written` or `memory`.
    pub durability: String,
    /// Oldest position kept.
    pub first: u64,
    /// Position after the last durable event.
    pub durable: u64,
    /// Segment files.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub bytes_max: u64,
    /// Commits so far: one write, and with `fsync` one sync, for all requests that waited.
    pub commits: u64,
    /// Requests so far.
    pub frames: u64,
    /// How long a sync took, since the beginning.
    pub sync_ms: Option<Percentiles>,
    /// Bytes of fresh events in memory.
    pub tail_bytes: usize,
    /// The bound of `tail_bytes`.
    pub tail_bytes_max: usize,
    /// Reads of a backlog from the disk.
    pub disk_reads: u64,
    /// Places of the journal that cannot be read; the log says where and why.
    pub unreadable: usize,
    /// The last trouble that was no request's: making a segment, freeing one, noting a cursor.
    pub trouble: Option<String>,
}

/// A lane of a sink.
#[derive(Debug, Serialize)]
pub struct LaneFigures {
    /// The sink's name.
    pub sink: String,
    /// The lane's name: the class, or `default`.
    pub lane: String,
    /// What it is doing.
    #[serde(flatten)]
    pub state: State,
    /// Who finds the plan.
    pub controller: &'static str,
    /// The plan in force.
    pub plan: PlanFigures,
    /// Events in the journal that the sink does not have yet.
    pub backlog: u64,
    /// Everything below this position is delivered.
    pub low_water: u64,
    /// Bytes of the journal that are kept for this lane.
    pub held_bytes: u64,
    /// Events that the sink's condition kept from it.
    pub filtered: u64,
    /// Events that were not kept for the sink while it was detached.
    pub missed: u64,
    /// Events in the lane's queue.
    pub queue_items: u64,
    /// Their bytes.
    pub queue_bytes: u64,
    /// Attempts in flight.
    pub in_flight: u32,
    /// Events delivered so far.
    pub delivered: u64,
    /// Events delivered a second, over the last five seconds.
    pub delivered_per_second: f64,
    /// Attempts a second, over the last five seconds.
    pub attempts_per_second: f64,
    /// Attempts so far.
    pub attempts: u64,
    /// Of these, attempts with a batch, or a part of one, that had failed before.
    pub retries: u64,
    /// The same by what it had failed with.
    pub retries_after: BTreeMap<&'static str, u64>,
    /// Attempt latency the controller aims to stay under.
    pub target_ms: f64,
    /// Attempts that took longer.
    pub misses: u64,
    /// Send to answer, of one attempt; the last 10 to 20 seconds.
    pub attempt_latency_ms: Option<Percentiles>,
    /// Accepted to delivered, of an event; the last 10 to 20 seconds.
    pub delivery_latency_ms: Option<Percentiles>,
    /// Attempts by the reason for which the batch left.
    pub flushes: BTreeMap<&'static str, u64>,
    /// Attempts by what the backend answered.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Changes of plan so far.
    pub decisions_total: u64,
    /// The last changes of plan, the oldest first.
    pub decisions: Vec<DecisionFigures>,
}

/// A plan.
#[derive(Debug, Serialize)]
pub struct PlanFigures {
    /// Events in a full batch.
    pub batch_size: u32,
    /// Attempts in flight.
    pub concurrency: f64,
    /// Attempts a second at most, if there is a limit.
    pub pace: Option<f64>,
    /// How long the oldest event may wait for company while an attempt could leave.
    pub linger_ms: f64,
}

/// A change of plan.
#[derive(Debug, Serialize)]
pub struct DecisionFigures {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_unix_ms: i64,
    /// Who decided.
    pub by: &'static str,
    /// Why.
    pub reason: String,
    /// The plan before.
    pub from: PlanFigures,
    /// The plan from then on.
    pub to: PlanFigures,
}

/// How many decisions of a lane are shown.
const DECISIONS_SHOWN: usize = 20;

impl Snapshot {
    pub(crate) fn take(status: &Status) -> Self {
        let rates = status.sampled.rates();
        let journal = status.journal.stats();
        let lanes = status.lanes.iter().enumerate().map(|(at, lane)| {
            let rate = rates.lanes.get(at).copied().unwrap_or_default();
            let cursor = journal.lanes.iter().find(|cursor| cursor.name == lane.key());
            let (backlog, low) = cursor.map_or((0, 0), |at| (at.backlog, at.low_water));
            lane_figures(lane, rate, backlog, low)
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: status.uptime().as_secs_f64(),
            ingest: ingest(&status.door, rates.accepted),
            lanes: lanes.collect(),
            sinks: status.outages.iter().map(|outage| sink(outage, status.clock)).collect(),
            dead_letters: letters(&status.replay.letters),
            journal: journal_figures(&status.journal, &journal),
            resources: status.sampled.resources(),
        }
    }
}

fn ingest(door: &Door, accepted_per_second: f64) -> Ingest {
    let counts = &door.counts;
    Ingest {
        requests: counts.requests.load(Ordering::Relaxed),
        accepted: counts.accepted.load(Ordering::Relaxed),
        rejected: counts.rejected.load(Ordering::Relaxed),
        refused_client: counts.refused_client.load(Ordering::Relaxed),
        refused_server: counts.refused_server.load(Ordering::Relaxed),
        body_bytes: counts.bytes.load(Ordering::Relaxed),
        repeated: counts.repeated.load(Ordering::Relaxed),
        replaced_characters: counts.replaced_characters.load(Ordering::Relaxed),
        accepted_per_second,
        body_bytes_free: door.free_bytes(),
    }
}

fn journal_figures(
    journal: &tidegate_journal::Journal,
    stats: &tidegate_journal::Stats,
) -> Journal {
    let identity = journal.identity();
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    let at = |share| ms(stats.syncs.quantile(share));
    Journal {
        id: identity.id.to_string(),
        epoch: identity.epoch,
        durability: format!("{:?}", stats.durability).to_lowercase(),
        first: stats.first,
        durable: stats.durable,
        segments: stats.segments,
        bytes: stats.bytes,
        bytes_max: stats.bytes_max,
        commits: stats.commits,
        frames: stats.frames,
        sync_ms: (stats.syncs.count() > 0).then(|| Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: ms(stats.syncs.max()),
        }),
        tail_bytes: stats.tail_bytes,
        tail_bytes_max: stats.tail_bytes_max,
        disk_reads: stats.disk_reads,
        unreadable: stats.missing.len(),
        trouble: stats.trouble.as_deref().map(str::to_owned),
    }
}

fn lane_figures(lane: &Lane, rate: (f64, f64), backlog: u64, low_water: u64) -> LaneFigures {
    let now = lane.clock.now();
    let attempt_latency_ms = lane.attempt_latency().percentiles(now);
    let delivery_latency_ms = lane.delivery_latency().percentiles(now);
    let engine = lane.engine();
    let counters = engine.counters();
    let history = engine.history();
    let shown = history.iter().rev().take(DECISIONS_SHOWN);
    let mut decisions: Vec<_> = shown.map(|made| decision(lane.clock, made)).collect();
    decisions.reverse();
    LaneFigures {
        sink: lane.sink.to_string(),
        lane: lane.lane.to_string(),
        state: lane.state(),
        controller: engine.controller(),
        plan: plan(engine.plan()),
        backlog,
        low_water,
        held_bytes: lane.held_bytes.load(Ordering::Relaxed),
        filtered: lane.filtered.load(Ordering::Relaxed),
        missed: lane.missed.load(Ordering::Relaxed),
        queue_items: lane.queue_items.load(Ordering::Relaxed),
        queue_bytes: lane.queue_bytes.load(Ordering::Relaxed),
        in_flight: engine.in_flight(),
        delivered: counters.items_delivered,
        delivered_per_second: rate.0,
        attempts_per_second: rate.1,
        attempts: counters.attempts,
        retries: lane.retried(),
        retries_after: retries(lane),
        target_ms: lane.target.as_secs_f64() * 1e3,
        misses: lane.misses.load(Ordering::Relaxed),
        attempt_latency_ms,
        delivery_latency_ms,
        flushes: flushes(counters),
        outcomes: Outcome::LABELS.into_iter().zip(counters.by_outcome).collect(),
        decisions_total: history.total(),
        decisions,
    }
}

fn retries(lane: &Lane) -> BTreeMap<&'static str, u64> {
    let counts = lane.retries.iter().map(|count| count.load(Ordering::Relaxed));
    Outcome::LABELS.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
}

fn flushes(counters: &Counters) -> BTreeMap<&'static str, u64> {
    let flushes =
        FlushReason::ALL.into_iter().map(|reason| (reason.label(), counters.left_for(reason)));
    flushes.collect()
}

fn plan(plan: &Plan) -> PlanFigures {
    PlanFigures {
        batch_size: plan.batch_size,
        concurrency: plan.concurrency,
        pace: plan.pace,
        linger_ms: plan.linger.as_secs_f64() * 1e3,
    }
}

fn decision(clock: Clock, made: &Decision) -> DecisionFigures {
    DecisionFigures {
        at_unix_ms: clock.unix_millis(made.at),
        by: made.by,
        reason: made.reason.to_string(),
        from: plan(&made.from),
        to: plan(&made.to),
    }
}
