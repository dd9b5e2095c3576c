//! Lanes between a real journal and a sink that keeps its record strictly.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use proptest::prelude::*;
use tidegate::breaker::{self, Breaker};
use tidegate::retry::Budget;
use tidegate::{Bounds as PlanBounds, ControllerSettings, Engine, Epoch, Outcome, Plan};
use tidegate_event::{Body, Event, rows};
use tidegate_journal::{ClassFilter, Durability, FileStorage, Group, Journal, LaneStart, Settings};
use tidegate_sinks::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, Limits as SinkLimits, OpenError, Origin,
};

mod failures;

use super::*;
use crate::clock::Clock;
use crate::dead_letters::Limits;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps every position that it was given, by its text, and refuses what would come twice.
#[derive(Default)]
struct Ledger {
    stored: Mutex<BTreeMap<Position, String>>,
    /// How the next attempts end, the first one last.
    script: Mutex<Vec<(Outcome, DeliveryFailure)>>,
    ranges: Mutex<Vec<Range<Position>>>,
}

impl Ledger {
    fn has(stored: Range<Position>) -> Self {
        let ledger = Self::default();
        ledger.stored.lock().unwrap().extend(stored.map(|at| (at, format!("event {at}"))));
        ledger
    }

    fn take(&self, batch: &Batch) -> Result<(), (Outcome, DeliveryFailure)> {
        if let Some(scripted) = self.script.lock().unwrap().pop() {
            return Err(scripted);
        }
        let mut stored = self.stored.lock().unwrap();
        if stored.range(batch.range.clone()).next().is_some() {
            let recut = DeliveryFailure::Recut(batch.range.clone());
            return Err((Outcome::Unreachable, recut));
        }
        self.ranges.lock().unwrap().push(batch.range.clone());
        for slice in &batch.slices {
            for (at, event) in (slice.first..).zip(&slice.rows) {
                let Body::Text(text) = event.body else { panic!("no text") };
                assert!(stored.insert(at, text.to_owned()).is_none(), "{at} came twice");
            }
        }
        Ok(())
    }
}

impl Sink for Ledger {
    fn kind(&self) -> &'static str {
        "ledger"
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { concurrency_max: None, guarantee: Guarantee::ExactlyOnce }
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        let mut ranges: Vec<Range<Position>> = Vec::new();
        for at in self.stored.lock().unwrap().range(above..).map(|(at, _)| *at) {
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = at + 1,
                _ => ranges.push(at..at + 1),
            }
        }
        Box::pin(async { Ok(ranges) })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        let (outcome, failure) = match self.take(&batch) {
            Ok(()) => (Outcome::Ok, None),
            Err((outcome, failure)) => (outcome, Some(failure)),
        };
        Box::pin(async move { Delivery { outcome, failure, feedback: None, retry_after: None } })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A journal with one frame of each of these sizes, every event saying its position. Each frame's
/// class is the one at the same place.
pub(super) async fn journal(dir: &std::path::Path, frames: &[(u32, &str)]) -> Journal {
    let settings = Settings {
        durability: Durability::Written,
        segment_bytes: 1 << 20,
        max_bytes: 8 << 20,
        ..Settings::default()
    };
    let (journal, _) = Journal::open(FileStorage::open(dir).unwrap(), settings).unwrap();
    let mut at = 0;
    for (items, class) in frames {
        let mut bytes = Vec::new();
        for _ in 0..*items {
            let text = format!("event {at}");
            let event = Event { body: Body::Text(&text), ..Event::default() };
            rows::encode(&event, &mut bytes).unwrap();
            at += 1;
        }
        let group = Group { class: (*class).into(), items: *items, rows: bytes.into() };
        journal.append(vec![group]).unwrap().await.unwrap();
    }
    journal
}

/// The same, one attempt at a time, with letters of its own.
fn draining_lane(
    journal: &Journal,
    filter: ClassFilter,
    batch_size: u32,
    sink: Arc<dyn Sink>,
) -> Lane {
    let letters = DeadLetters::in_memory(ROOM);
    lane_with(journal, filter, batch_size, 1.0, sink, failing(journal, &letters, Policy::default()))
}

pub(super) const ROOM: Limits = Limits { items_max: 1000, bytes_max: 1 << 20 };

/// What a lane needs when something fails, with a breaker of its own.
pub(super) fn failing(journal: &Journal, letters: &DeadLetters, policy: Policy) -> Failing {
    let breaker = Breaker::new(breaker::Settings::default()).unwrap();
    Failing {
        policy,
        outage: Arc::new(Outage::new("ledger".into(), breaker, Budget::default(), 1)),
        dead_letters: letters.clone(),
        journal: journal.identity().id,
    }
}

/// A lane over all that is in the journal; it ends when nothing is left.
fn lane_with(
    journal: &Journal,
    filter: ClassFilter,
    batch_size: u32,
    concurrency: f64,
    sink: Arc<dyn Sink>,
    failing: Failing,
) -> Lane {
    lane_of("ledger", journal, (filter, batch_size, concurrency), sink, failing)
}

/// A lane of another sink.
fn lane_named(
    journal: &Journal,
    name: &str,
    filter: ClassFilter,
    batch_size: u32,
    sink: Arc<dyn Sink>,
    failing: Failing,
) -> Lane {
    lane_of(name, journal, (filter, batch_size, 1.0), sink, failing)
}

fn lane_of(
    sink_name: &str,
    journal: &Journal,
    (filter, batch_size, concurrency): (ClassFilter, u32, f64),
    sink: Arc<dyn Sink>,
    failing: Failing,
) -> Lane {
    let bounds = PlanBounds::default();
    let first = Plan {
        batch_size,
        concurrency,
        pace: None,
        linger: Duration::ZERO,
        epoch: Epoch::default(),
    };
    let controller = ControllerSettings::Fixed.build(first, &bounds).unwrap();
    let clock = Clock::start();
    let engine = Engine::new(clock.now(), controller, bounds, 8);
    let name: Arc<str> = match &filter {
        ClassFilter::Only(class) => Arc::clone(class),
        ClassFilter::AllBut(_) => "default".into(),
    };
    let shared = Shared::new(sink_name.into(), name, clock, Duration::from_millis(100), engine);
    let handles = journal.lane(&shared.key(), filter, LaneStart::Oldest).unwrap().split();
    let bounds = Bounds { queue_items: 50, queue_bytes: 1 << 16, timeout: PATIENCE, skipped_to: 0 };
    let drain = watch::Sender::new(true).subscribe();
    let host = watch::Sender::new(Reading::default()).subscribe();
    let detach = watch::Sender::new(false).subscribe();
    let signals = Signals { drain, host, detach };
    Lane::new(Arc::new(shared), sink, bounds, handles, signals, failing)
}

/// Holds the sink's record against what the journal has.
fn holds_all(sink: &Ledger, events: u64) {
    let stored = sink.stored.lock().unwrap();
    assert_eq!(stored.len() as u64, events);
    for (at, (position, text)) in (0..).zip(stored.iter()) {
        assert_eq!((*position, text.as_str()), (at, format!("event {at}").as_str()));
    }
}

#[tokio::test]
async fn a_frame_that_was_delivered_in_part_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, ""), (10, "")]).await;
    let sink = Arc::new(Ledger::has(5..8));
    draining_lane(&journal, ClassFilter::all(), 100, sink.clone()).run().await.unwrap();
    holds_all(&sink, 20);
    assert_eq!(*sink.ranges.lock().unwrap(), [0..5, 8..20]);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_refused_batch_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, "")]).await;
    let sink = Arc::new(Ledger::default());
    let busy = || (Outcome::Overloaded, DeliveryFailure::Retry("busy".into()));
    sink.script.lock().unwrap().extend([busy(), busy()]);
    draining_lane(&journal, ClassFilter::all(), 10, sink.clone()).run().await.unwrap();
    holds_all(&sink, 30);
    assert_eq!(*sink.ranges.lock().unwrap(), [0..10, 10..20, 20..30]);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_dead_sink_does_not_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, "")]).await;
    let sink = Arc::new(Ledger::default());
    let dead = || (Outcome::Overloaded, DeliveryFailure::Retry("dead".into()));
    sink.script.lock().unwrap().extend((0..100).map(|_| dead()));
    draining_lane(&journal, ClassFilter::all(), 10, sink.clone()).run().await.unwrap();
    assert_eq!(sink.script.lock().unwrap().len() as u32, 100 - DRAIN_ATTEMPTS);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_sink_that_belongs_to_another_opening_ends_the_lane() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, "")]).await;
    let sink = Arc::new(Ledger::default());
    let fenced = DeliveryFailure::Fenced { journal: journal.identity().id, theirs: 2, ours: 1 };
    sink.script.lock().unwrap().push((Outcome::Unreachable, fenced));
    let lane = draining_lane(&journal, ClassFilter::all(), 10, sink.clone());
    let error = lane.run().await.unwrap_err();
    assert!(error.to_string().contains("a copy of the data directory is delivering too"));
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_sink_that_is_suddenly_ahead_of_the_journal_ends_the_lane() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let sink = Arc::new(Ledger::has(0..50));
    let lane = draining_lane(&journal, ClassFilter::all(), 10, sink.clone());
    let error = lane.run().await.unwrap_err();
    assert!(error.to_string().contains("up to position 50, but the journal ends at 10"), "{error}");
    journal.close().await.unwrap();
}

#[tokio::test]
async fn positions_that_the_journal_skips_are_passed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let sink = Arc::new(Ledger::has(5..50));
    journal.skip_to(50);
    let mut bytes = Vec::new();
    rows::encode(&Event { body: Body::Text("event 50"), ..Event::default() }, &mut bytes).unwrap();
    let group = Group { class: "".into(), items: 1, rows: bytes.into() };
    assert_eq!(journal.append(vec![group]).unwrap().await.unwrap(), 50..51);
    let mut lane = draining_lane(&journal, ClassFilter::all(), 100, sink.clone());
    lane.bounds.skipped_to = 50;
    lane.run().await.unwrap();
    holds_all(&sink, 51);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn each_class_goes_its_own_way() {
    let dir = tempfile::tempdir().unwrap();
    let frames = [(5, "read"), (5, ""), (5, "read"), (5, "other")];
    let journal = journal(dir.path(), &frames).await;
    let sink = Arc::new(Ledger::default());
    let read = ClassFilter::Only("read".into());
    draining_lane(&journal, read, 100, sink.clone()).run().await.unwrap();
    let stored: Vec<_> = sink.stored.lock().unwrap().keys().copied().collect();
    assert_eq!(stored, (0..5).chain(10..15).collect::<Vec<_>>());
    // Another sink: in this one record the ranges of two lanes would overlap.
    let rest = Arc::new(Ledger::default());
    let others = ClassFilter::AllBut(vec!["read".into()]);
    draining_lane(&journal, others, 100, rest.clone()).run().await.unwrap();
    assert_eq!(rest.stored.lock().unwrap().len(), 10);
    journal.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Invariant: whatever the sink has already, and in whatever way some attempts fail, every event
    /// ends there once, and no batch covers a position that the sink had.
    #[test]
    fn every_event_ends_in_the_sink_once(
        frames in proptest::collection::vec(1..30u32, 1..12),
        had in proptest::collection::vec((0..200u64, 1..20u64), 0..6),
        batch_size in 1..60u32,
        // Fewer in a row than make a draining lane give up.
        failures in proptest::collection::vec(any::<bool>(), 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let sizes: Vec<_> = frames.iter().map(|items| (*items, "")).collect();
            let journal = journal(dir.path(), &sizes).await;
            let events = u64::from(frames.iter().sum::<u32>());
            let sink = Arc::new(Ledger::default());
            for (from, count) in had {
                let range = from.min(events)..(from + count).min(events);
                sink.stored.lock().unwrap().extend(range.map(|at| (at, format!("event {at}"))));
            }
            sink.script.lock().unwrap().extend(failures.into_iter().take(2).map(|reachable| {
                let outcome = if reachable { Outcome::Overloaded } else { Outcome::Unreachable };
                (outcome, DeliveryFailure::Retry("now and then".into()))
            }));
            let lane = draining_lane(&journal, ClassFilter::all(), batch_size, sink.clone());
            lane.run().await.unwrap();
            holds_all(&sink, events);
            journal.close().await.unwrap();
        });
    }
}
