//! What is in a tick? Everything at one moment, and what happened since the tick before.
//!
//! Whoever watches gets the same tick, so it is made once, whether one watches or a hundred. Locks
//! are those of the figures, each held for a few instructions.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

use tidegate::breaker::{Phase, Transition as Changed};
use tidegate::engine::Counters;
use tidegate::{FlushReason, Moment, Outcome};

use super::contract::{
    BreakerState, Decision, LaneState, LaneTick, LetterTotals, Plan, SinkTick, Tick, Totals,
    Transition,
};
use super::say;
use super::translate::{breaker, decision, percentiles, plan, point, rounded};
use crate::lane::outage::Seen as Outage;
use crate::lane::shared::{Shared as Lane, State};
use crate::status::Status;

mod counts;
mod figures;

use counts::{Counts, LaneCounts, Rates};

/// Ticks that rates are taken over.
const RATE_TICKS: usize = 4;
/// Decisions of one lane in a tick.
const DECISIONS_MAX: usize = 20;

/// Makes ticks.
#[derive(Debug, Default)]
pub(super) struct Maker {
    sequence: u64,
    counts: VecDeque<Counts>,
    /// Decisions of each lane, and changes of each breaker, that are told already.
    decided: Vec<u64>,
    changed: Vec<u64>,
}

impl Maker {
    /// The next tick.
    pub(super) fn make(&mut self, status: &Status) -> Tick {
        self.sequence += 1;
        let now = status.clock.now();
        let journal = status.journal.stats();
        let counts = Counts::take(now, status, &journal);
        let before = self.counts.front().unwrap_or(&counts);
        let rates = Rates::between(before, &counts);
        let outages: Vec<Outage> = status.outages.iter().map(|one| one.seen(now)).collect();
        self.decided.resize(status.lanes.len(), 0);
        self.changed.resize(outages.len(), 0);
        let mut decisions = Vec::new();
        let mut lanes = Vec::new();
        for ((lane, told), at) in status.lanes.iter().zip(&mut self.decided).zip(0..) {
            let outage = status.outages.iter().position(|one| one.sink == lane.sink);
            let seen = LaneSeen {
                lane,
                now,
                outage: outage.and_then(|at| outages.get(at)),
                counts: counts.lanes.get(at).copied().unwrap_or_default(),
                rates: rates.lanes.get(at).copied().unwrap_or_default(),
            };
            lanes.push(seen.tick(told, &mut decisions));
        }
        decisions.sort_by_key(|decision: &Decision| decision.at_unix_ms);
        let transitions = self.transitions(status, &outages);
        let sinks = sinks(status, &outages, now);
        let troubles = status.troubles();
        let totals = totals(&lanes, &rates);
        let tick = Tick {
            sequence: self.sequence,
            at_unix_ms: status.clock.unix_millis(now),
            uptime_seconds: rounded(now.as_secs_f64()),
            says: says(status, &lanes, &totals, &troubles),
            troubles,
            ingest: figures::ingest(&status.door, &rates),
            journal: figures::journal(&journal, &rates),
            resources: figures::resources(&status.sampled, &journal),
            dead_letters: letters(status),
            totals,
            sinks,
            lanes,
            decisions,
            transitions,
        };
        self.counts.push_back(counts);
        if self.counts.len() > RATE_TICKS {
            self.counts.pop_front();
        }
        tick
    }

    fn transitions(&mut self, status: &Status, outages: &[Outage]) -> Vec<Transition> {
        let mut fresh = Vec::new();
        let sinks = status.outages.iter().zip(outages).zip(&mut self.changed);
        for ((outage, seen), told) in sinks {
            fresh.extend(transitions(status, &outage.sink, seen, *told));
            *told = seen.transitions;
        }
        fresh
    }
}

/// The changes of a breaker from the `from`-th on, as far as they are kept.
pub(super) fn transitions(
    status: &Status,
    sink: &str,
    seen: &Outage,
    from: u64,
) -> Vec<Transition> {
    let first_kept = seen.transitions - seen.history.len() as u64;
    let numbered = (first_kept..).zip(&seen.history).filter(|(number, _)| *number >= from);
    let told = |(number, change): (u64, &Changed)| Transition {
        sink: sink.to_owned(),
        number,
        at_unix_ms: status.clock.unix_millis(change.at),
        from: breaker(change.from),
        to: breaker(change.to),
        reason: change.reason.clone(),
    };
    numbered.map(told).collect()
}

fn sinks(status: &Status, outages: &[Outage], now: Moment) -> Vec<SinkTick> {
    let sinks = status.outages.iter().zip(outages).map(|(outage, seen)| {
        let lanes = status.lanes.iter().filter(|lane| lane.sink == outage.sink);
        let open_until_unix_ms = match seen.phase {
            Phase::Open { until } if until > now => Some(status.clock.unix_millis(until)),
            _ => None,
        };
        SinkTick {
            breaker: breaker(seen.phase),
            open_until_unix_ms,
            opened: seen.opened,
            threshold: seen.threshold,
            usual_error_rate: rounded(seen.usual_error_rate),
            retry_budget_left: rounded(seen.budget_left),
            held_bytes: lanes
                .map(|lane| lane.held_bytes.load(Ordering::Relaxed))
                .max()
                .unwrap_or(0),
        }
    });
    sinks.collect()
}

fn letters(status: &Status) -> LetterTotals {
    let letters = &status.replay.letters;
    let (items, bytes) = letters.total();
    let (items_max, bytes_max) = (letters.limits.items_max, letters.limits.bytes_max);
    LetterTotals { items, items_max, bytes, bytes_max }
}

fn totals(lanes: &[LaneTick], rates: &Rates) -> Totals {
    let sum = |of: fn(&LaneTick) -> f64| rounded(lanes.iter().map(of).sum());
    let most = |values: &mut dyn Iterator<Item = f64>| values.max_by(f64::total_cmp);
    Totals {
        accepted_per_second: rounded(rates.accepted),
        delivered_per_second: sum(|lane| lane.out_per_second),
        sent_bytes_per_second: sum(|lane| lane.out_bytes_per_second),
        attempts_per_second: sum(|lane| lane.attempts_per_second),
        errors_per_second: sum(|lane| lane.errors_per_second),
        retries_per_second: sum(|lane| lane.retries_per_second),
        backlog: lanes.iter().map(|lane| lane.backlog).sum(),
        queue_items: lanes.iter().map(|lane| lane.queue_items).sum(),
        queue_bytes: lanes.iter().map(|lane| lane.queue_bytes).sum(),
        oldest_seconds: most(&mut lanes.iter().filter_map(|lane| lane.oldest_seconds)),
        in_flight: lanes.iter().map(|lane| lane.in_flight).sum(),
        attempt_p99_ms: most(&mut lanes.iter().filter_map(|lane| Some(lane.attempt_ms?.p99))),
        delivery_p99_ms: most(&mut lanes.iter().filter_map(|lane| Some(lane.delivery_ms?.p99))),
    }
}

/// A lane whose oldest event has waited for longer is behind, in seconds; the pages know it too.
const LONG: f64 = 10.0;

fn says(status: &Status, lanes: &[LaneTick], totals: &Totals, troubles: &[String]) -> String {
    let named = status.lanes.iter().zip(lanes).map(|(lane, tick)| {
        let delivers = matches!(tick.state, LaneState::Running | LaneState::Draining);
        // Where there is only one, its sentence says how far behind it is in any case.
        let is_behind = lanes.len() > 1 && tick.oldest_seconds > Some(LONG);
        say::Told {
            name: lane.key().to_string(),
            says: tick.says.clone(),
            is_well: delivers && !is_behind,
            out_per_second: tick.out_per_second,
            late: share(tick.misses_per_second, tick.attempts_per_second),
        }
    });
    say::all(&say::All {
        troubles,
        lanes: &named.collect::<Vec<_>>(),
        accepted_per_second: totals.accepted_per_second,
        delivered_per_second: totals.delivered_per_second,
        backlog: totals.backlog,
    })
}

/// What part of a whole; nothing of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A lane at one moment.
struct LaneSeen<'a> {
    lane: &'a Lane,
    now: Moment,
    outage: Option<&'a Outage>,
    counts: LaneCounts,
    rates: counts::LaneRates,
}

/// What the engine of a lane says at one moment.
struct Engine {
    own: Counters,
    plan: Plan,
    braking: bool,
    controller: &'static str,
    in_flight: u32,
    load_score: Option<f64>,
    /// The last decision: by whom, why, and how many seconds ago.
    last: Option<(&'static str, Cow<'static, str>, f64)>,
}

impl LaneSeen<'_> {
    /// Asks the engine, and adds the decisions that are not told yet.
    fn engine(&self, told: &mut u64, decisions: &mut Vec<Decision>) -> Engine {
        let engine = self.lane.engine();
        let history = engine.history();
        let first = (*told).max(history.total().saturating_sub(DECISIONS_MAX as u64));
        let fresh = (first..).zip(history.since(first));
        decisions.extend(fresh.map(|(number, made)| decision(self.lane, number, made)));
        *told = history.total();
        let last = history.iter().next_back();
        let ago = |made: &tidegate::Decision| self.now.since(made.at).as_secs_f64();
        Engine {
            own: *engine.counters(),
            plan: plan(engine.plan()),
            braking: engine.is_braking(),
            controller: engine.controller(),
            in_flight: engine.in_flight(),
            load_score: engine.learnt().load_score.map(|score| rounded(score.mean)),
            last: last.map(|made| (made.by, made.reason.clone(), ago(made))),
        }
    }

    fn says(&self, state: LaneState, why: Option<&str>, engine: &Engine) -> String {
        let phase = self.outage.map_or(Phase::Closed, |outage| outage.phase);
        say::lane(&say::Seen {
            state,
            why,
            breaker: breaker(phase),
            open_for: match phase {
                Phase::Open { until } => until.since(self.now).as_secs_f64(),
                _ => 0.0,
            },
            breaker_reason: self.outage.and_then(|seen| Some(&*seen.history.last()?.reason)),
            controller: engine.controller,
            plan: engine.plan,
            braking: engine.braking,
            last: engine.last.as_ref().map(|(by, reason, ago)| (*by, &**reason, *ago)),
            backlog: self.counts.backlog,
            in_per_second: self.rates.arrived,
            out_per_second: self.rates.delivered,
            items_per_attempt: self.rates.items_per_attempt,
            late: share(self.rates.misses, self.rates.answered),
        })
    }

    fn tick(&self, told: &mut u64, decisions: &mut Vec<Decision>) -> LaneTick {
        let Self { lane, now, counts, rates, .. } = *self;
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let (state, why) = state(&lane.state());
        let (points, flushed) = self.tapped();
        let oldest = lane.oldest.load(Ordering::Relaxed);
        let oldest = (oldest != 0).then(|| crate::clock::unix_nanos().saturating_sub(oldest));
        let engine = self.engine(told, decisions);
        let own = &engine.own;
        LaneTick {
            state,
            says: self.says(state, why.as_deref(), &engine),
            why,
            plan: engine.plan,
            braking: engine.braking,
            in_flight: engine.in_flight,
            in_per_second: rounded(rates.arrived),
            out_per_second: rounded(rates.delivered),
            out_bytes_per_second: rounded(rates.bytes),
            attempts_per_second: rounded(rates.answered),
            errors_per_second: rounded(rates.errors),
            retries_per_second: rounded(rates.retries),
            misses_per_second: rounded(rates.misses),
            items_per_attempt: rates.items_per_attempt.map(rounded),
            delivered: counts.delivered,
            attempts: own.attempts,
            retries: counts.retries,
            misses: counts.misses,
            backlog: counts.backlog,
            low_water: counts.low_water,
            held_bytes: load(&lane.held_bytes),
            queue_items: load(&lane.queue_items),
            queue_bytes: load(&lane.queue_bytes),
            oldest_seconds: oldest.map(nanos_as_seconds),
            attempt_ms: lane.attempt_latency().watched(now).map(percentiles),
            delivery_ms: lane.delivery_latency().watched(now).map(percentiles),
            outcomes: kinds(Outcome::LABELS.into_iter().zip(own.by_outcome)),
            retries_after: kinds(Outcome::LABELS.into_iter().zip(lane.retries.iter().map(load))),
            flushes: kinds(
                FlushReason::ALL.into_iter().map(|why| (why.label(), own.left_for(why))),
            ),
            flushed,
            load_score: engine.load_score,
            decisions_total: *told,
            filtered: counts.filtered,
            missed: counts.missed,
            points,
        }
    }

    fn tapped(&self) -> (Vec<super::contract::AttemptPoint>, Vec<String>) {
        let mut tap = self.lane.tap();
        let points = tap.look();
        let flushed = tap.flushed().map(|why| why.map_or("again", FlushReason::label).to_owned());
        let flushed = flushed.collect();
        drop(tap);
        (points.iter().map(|one| point(self.lane.clock, one)).collect(), flushed)
    }
}

#[expect(clippy::cast_precision_loss, reason = "an age for people")]
fn nanos_as_seconds(nanos: i64) -> f64 {
    rounded(nanos.max(0) as f64 / 1e9)
}

/// Counts by their names, without those that are zero.
fn kinds(counts: impl Iterator<Item = (&'static str, u64)>) -> BTreeMap<String, u64> {
    let some = counts.filter(|(_, count)| *count > 0);
    some.map(|(name, count)| (name.to_owned(), count)).collect()
}

fn state(state: &State) -> (LaneState, Option<String>) {
    match state {
        State::Starting => (LaneState::Starting, None),
        State::Running => (LaneState::Running, None),
        State::Retrying { why, .. } => (LaneState::Retrying, Some(why.clone())),
        State::Blocked { why } => (LaneState::Blocked, Some(why.clone())),
        State::Detached => (LaneState::Detached, None),
        State::Draining => (LaneState::Draining, None),
        State::Stopped => (LaneState::Stopped, None),
    }
}

impl BreakerState {
    /// Its label in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}
