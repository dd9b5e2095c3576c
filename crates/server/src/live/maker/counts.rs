//! How fast is it going? Counts now, against those of a second ago.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate::Moment;
use tidegate_journal::Stats;

use crate::status::Status;

/// What is counted, at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    at: Moment,
    accepted: u64,
    requests: u64,
    body_bytes: u64,
    commits: u64,
    syncs: u64,
    synced: Duration,
    pub(super) lanes: Vec<LaneCounts>,
}

/// What is counted of a lane.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LaneCounts {
    pub(super) delivered: u64,
    bytes: u64,
    answered: u64,
    sent: u64,
    items: u64,
    errors: u64,
    pub(super) retries: u64,
    pub(super) misses: u64,
    pub(super) backlog: u64,
    pub(super) low_water: u64,
    pub(super) filtered: u64,
    pub(super) missed: u64,
}

impl Counts {
    pub(super) fn take(at: Moment, status: &Status, journal: &Stats) -> Self {
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let lanes = status.lanes.iter().map(|lane| {
            let key = lane.key();
            let cursor = journal.lanes.iter().find(|cursor| cursor.name == key);
            let counters = *lane.engine().counters();
            let answered = counters.answered();
            LaneCounts {
                delivered: counters.items_delivered,
                bytes: counters.bytes_sent,
                answered,
                sent: counters.attempts,
                items: counters.items_sent,
                errors: answered - counters.ended(tidegate::Outcome::Ok),
                retries: lane.retried(),
                misses: load(&lane.misses),
                backlog: cursor.map_or(0, |cursor| cursor.backlog),
                low_water: cursor.map_or(0, |cursor| cursor.low_water),
                filtered: load(&lane.filtered),
                missed: load(&lane.missed),
            }
        });
        let door = &status.door.counts;
        Self {
            at,
            accepted: load(&door.accepted),
            requests: load(&door.requests),
            body_bytes: load(&door.bytes),
            commits: journal.commits,
            syncs: journal.syncs.count(),
            synced: journal.syncs.total(),
            lanes: lanes.collect(),
        }
    }
}

/// Means over the time between two counts, a second.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates {
    pub(super) accepted: f64,
    pub(super) requests: f64,
    pub(super) body_bytes: f64,
    pub(super) commits: f64,
    /// Seconds of one sync; none if there was none.
    pub(super) sync: Option<f64>,
    pub(super) lanes: Vec<LaneRates>,
}

/// The same of a lane.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LaneRates {
    pub(super) arrived: f64,
    pub(super) delivered: f64,
    pub(super) bytes: f64,
    pub(super) answered: f64,
    pub(super) errors: f64,
    pub(super) retries: f64,
    pub(super) misses: f64,
    pub(super) items_per_attempt: Option<f64>,
}

impl Rates {
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    pub(super) fn between(from: &Counts, to: &Counts) -> Self {
        let seconds = to.at.since(from.at).as_secs_f64();
        let rate = |from: u64, to: u64| per_second(from, to, seconds);
        let syncs = to.syncs.saturating_sub(from.syncs);
        let synced = to.synced.saturating_sub(from.synced).as_secs_f64();
        Self {
            accepted: rate(from.accepted, to.accepted),
            requests: rate(from.requests, to.requests),
            body_bytes: rate(from.body_bytes, to.body_bytes),
            commits: rate(from.commits, to.commits),
            sync: (syncs > 0).then(|| synced / syncs as f64),
            lanes: from.lanes.iter().zip(&to.lanes).map(|two| of_lane(two, seconds)).collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn of_lane((from, to): (&LaneCounts, &LaneCounts), seconds: f64) -> LaneRates {
    let rate = |of: fn(&LaneCounts) -> u64| per_second(of(from), of(to), seconds);
    let sent = to.sent.saturating_sub(from.sent);
    let items = to.items.saturating_sub(from.items);
    LaneRates {
        // What arrived waits now, or has left in one way or another.
        arrived: rate(|lane| lane.backlog + lane.delivered + lane.filtered + lane.missed),
        delivered: rate(|lane| lane.delivered),
        bytes: rate(|lane| lane.bytes),
        answered: rate(|lane| lane.answered),
        errors: rate(|lane| lane.errors),
        retries: rate(|lane| lane.retries),
        misses: rate(|lane| lane.misses),
        items_per_attempt: (sent > 0).then(|| items as f64 / sent as f64),
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn per_second(from: u64, to: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { to.saturating_sub(from) as f64 / seconds } else { 0.0 }
}
