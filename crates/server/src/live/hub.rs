//! Who makes what watchers see, and where is it kept? One task makes every tick; all share it.
//!
//! A tick is serialized once, into the bytes that go over the wire, and kept for those who were
//! away. A watcher costs a place and a few messages in hand; what it reads is shared.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use super::contract::{Decision, History, Settings, Snapshot, Tick};
use super::facts::Facts;
use super::maker::{self, Maker};
use super::past::Past;
use super::ring::{Lost, Ring};
use super::series::{LANE, TOTALS, folds, row};
use super::translate::decision;
use crate::status::Status;

/// Time between two ticks.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);
/// Decisions in a snapshot.
const DECISIONS_SHOWN: usize = 200;

/// What watchers share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) facts: Facts,
    pub(crate) settings: Settings,
    held: Mutex<Held>,
    /// The number of the newest tick.
    newest: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    pub(crate) places: Arc<Semaphore>,
    /// Watchers that were dropped because they read too slowly.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Held {
    ring: Ring,
    past: Past,
    last: Option<Arc<Tick>>,
}

/// Where a watcher goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// After this tick.
    After(u64),
    /// It cannot: so many are missing, if that is known.
    TooOld(u64),
    /// The id is of another run.
    Restarted,
    /// It is no id.
    Unknown,
}

impl Hub {
    pub(super) fn new(facts: Facts, settings: Settings) -> Self {
        let places = usize::try_from(facts.server.watchers_max).unwrap_or(usize::MAX);
        let past = Past::new(folds(facts.lanes.len()));
        Self {
            held: Mutex::new(Held { ring: Ring::default(), past, last: None }),
            newest: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            dropped: AtomicU64::new(0),
            facts,
            settings,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every watcher that the server stops.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Told when the server stops.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// The number of the newest tick, and every later one.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The fields that are masked in payloads.
    pub(crate) fn masked_fields(&self) -> &[String] {
        &self.facts.server.masked_fields
    }

    /// Watchers now.
    pub(crate) fn watchers(&self) -> u64 {
        let places = u64::from(self.facts.server.watchers_max);
        places.saturating_sub(self.places.available_permits() as u64)
    }

    /// Most watchers at once.
    pub(crate) fn watchers_max(&self) -> u32 {
        self.facts.server.watchers_max
    }

    /// The id of a tick.
    pub(crate) fn id(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.facts.server.run)
    }

    fn publish(&self, tick: Tick) {
        let message = message(&self.id(tick.sequence), "tick", &tick);
        let values = row(&tick, &self.facts.sink_of_lane);
        let (sequence, at) = (tick.sequence, tick.at_unix_ms);
        let mut held = self.held();
        held.ring.push(message);
        held.past.push(at, &values);
        held.last = Some(Arc::new(tick));
        drop(held);
        self.newest.send_replace(sequence);
    }

    /// Where a watcher with this id goes on.
    pub(crate) fn resume(&self, id: &str) -> Resumed {
        let Some((run, sequence)) = id.trim().rsplit_once('-') else { return Resumed::Unknown };
        let Ok(sequence) = sequence.parse() else { return Resumed::Unknown };
        if run != self.facts.server.run {
            return Resumed::Restarted;
        }
        match self.held().ring.after(sequence, 0) {
            Ok(_) => Resumed::After(sequence),
            Err(Lost::Gone(missed)) => Resumed::TooOld(missed),
            Err(Lost::Never) => Resumed::Unknown,
        }
    }

    /// At most `most` ticks after this one, as they go over the wire; none if the next one is gone.
    pub(crate) fn after(&self, sequence: u64, most: usize) -> Option<Vec<Bytes>> {
        self.held().ring.after(sequence, most).ok()
    }

    /// The last tick, as soon as there is one.
    pub(crate) async fn last(&self) -> Option<Arc<Tick>> {
        self.newest().wait_for(|sequence| *sequence > 0).await.ok()?;
        self.held().last.clone()
    }

    /// The whole state.
    pub(crate) async fn snapshot(&self, status: &Status) -> Option<Snapshot> {
        let tick = self.last().await?;
        let now = status.clock.now();
        let mut transitions = Vec::new();
        for outage in &status.outages {
            let seen = outage.seen(now);
            transitions.extend(maker::transitions(status, &outage.sink, &seen, 0));
        }
        // What a tick has not told yet comes with the next one.
        transitions.retain(|change| change.at_unix_ms <= tick.at_unix_ms);
        transitions.sort_by_key(|change| change.at_unix_ms);
        Some(Snapshot {
            id: self.id(tick.sequence),
            server: self.facts.server.clone(),
            sinks: self.facts.sinks.clone(),
            lanes: self.facts.lanes.clone(),
            decisions: self.decisions(status, &tick),
            transitions,
            tick: Tick::clone(&tick),
        })
    }

    /// The last decisions up to a tick, the oldest first.
    fn decisions(&self, status: &Status, tick: &Tick) -> Vec<Decision> {
        let mut all = Vec::new();
        for (lane, told) in status.lanes.iter().zip(&tick.lanes) {
            let from = told.decisions_total.saturating_sub(DECISIONS_SHOWN as u64);
            let engine = lane.engine();
            let first = from.max(engine.history().total() - engine.history().iter().len() as u64);
            let numbered = (first..told.decisions_total).zip(engine.history().since(first));
            all.extend(numbered.map(|(number, made)| decision(lane, number, made)));
        }
        all.sort_by_key(|one| one.at_unix_ms);
        all.split_off(all.len().saturating_sub(DECISIONS_SHOWN))
    }

    /// The last hour: of these lanes, by their places, only these series and this long, if asked.
    pub(crate) fn history(
        &self,
        lanes: &[usize],
        series: Option<&[&str]>,
        reach_ms: Option<i64>,
    ) -> History {
        let held = self.held();
        let rows = held.past.rows();
        let id = self.id(held.ring.newest());
        drop(held);
        let newest = rows.last().map_or(0, |row| row.at);
        let from = reach_ms.map_or(i64::MIN, |reach| newest.saturating_sub(reach));
        let rows = rows.get(rows.partition_point(|row| row.at < from)..).unwrap_or_default();
        let column = |place: usize| {
            let value = |row: &super::past::Row| row.values.get(place).copied();
            rows.iter().map(|row| value(row).filter(|value| !value.is_nan())).collect()
        };
        let wanted = |name: &str| series.is_none_or(|series| series.contains(&name));
        let totals = TOTALS.iter().map(|(name, ..)| *name).zip(0..);
        let totals = totals.filter(|(name, _)| wanted(name));
        let of_lane = |lane: usize| -> BTreeMap<_, _> {
            let first = TOTALS.len() + lane * LANE.len();
            let names = LANE.iter().map(|(name, ..)| *name).zip(first..);
            let names = names.filter(|(name, _)| wanted(name));
            names.map(|(name, place)| (name.to_owned(), column(place))).collect()
        };
        let named = lanes.iter().filter_map(|lane| Some((*lane, self.facts.lanes.get(*lane)?)));
        History {
            id,
            at_unix_ms: rows.iter().map(|row| row.at).collect(),
            totals: totals.map(|(name, place)| (name.to_owned(), column(place))).collect(),
            lanes: named.map(|(lane, facts)| (facts.key.clone(), of_lane(lane))).collect(),
        }
    }

    /// Watchers that were dropped because they read too slowly.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A watcher was dropped because it read too slowly.
    pub(crate) fn note_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A message of the stream.
pub(crate) fn message(id: &str, event: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("id: {id}\nevent: {event}\ndata: ").into_bytes();
    // Maps with text keys and finite numbers: this cannot fail.
    let _ = serde_json::to_writer(&mut text, data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// Makes ticks until the task is aborted.
pub(crate) async fn watch(status: Arc<Status>) {
    let mut maker = Maker::default();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        status.live.publish(maker.make(&status));
    }
}
