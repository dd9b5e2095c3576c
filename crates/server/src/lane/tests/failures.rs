//! What a lane does about failures, with a sink that refuses what it is told to.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use tidegate::bisect;
use tidegate::retry::Limits as RetryLimits;
use tidegate_sinks::ItemFailure;

use super::*;
use crate::dead_letters::letter::Kind;
use crate::dead_letters::replay::{Replay, Target};
use crate::dead_letters::{Filter, Record};

/// Whether a sink says which item it means.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    None,
    First,
    /// Always an item that is not at fault, if there is one.
    Wrong,
}

/// Refuses a batch whole for one item whose text it does not like.
struct Picky {
    ledger: Ledger,
    dislikes: Mutex<BTreeSet<String>>,
    names: Names,
    guarantee: Guarantee,
    /// Attempts with items, and those that only commit a range.
    attempts: AtomicU64,
    empty: AtomicU64,
    /// Ranges committed in replay lanes.
    replayed: Mutex<Vec<Range<Position>>>,
}

impl Picky {
    fn new(poison: impl IntoIterator<Item = u64>, names: Names) -> Arc<Self> {
        Arc::new(Self {
            ledger: Ledger::default(),
            dislikes: Mutex::new(poison.into_iter().map(|at| format!("event {at}")).collect()),
            names,
            guarantee: Guarantee::ExactlyOnce,
            attempts: AtomicU64::new(0),
            empty: AtomicU64::new(0),
            replayed: Mutex::new(Vec::new()),
        })
    }

    fn items(batch: &Batch) -> Vec<(Position, String)> {
        let items = batch.slices.iter().flat_map(|slice| {
            (slice.first..).zip(&slice.rows).map(|(at, event)| match event.body {
                Body::Text(text) => (at, text.to_owned()),
                _ => panic!("no text"),
            })
        });
        items.collect()
    }

    fn answer(&self, batch: &Batch) -> (Outcome, Option<DeliveryFailure>) {
        let count = if batch.slices.is_empty() { &self.empty } else { &self.attempts };
        count.fetch_add(1, Ordering::Relaxed);
        let items = Self::items(batch);
        let dislikes = self.dislikes.lock().unwrap();
        let (bad, good): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|(_, text)| dislikes.contains(text));
        if let Some((first, text)) = bad.first() {
            let at = match self.names {
                Names::None => None,
                Names::First => Some(*first),
                Names::Wrong => good.first().map(|(at, _)| *at),
            };
            let why = format!("`{text}` is not liked");
            return (Outcome::Rejected, Some(DeliveryFailure::Refused { why, at }));
        }
        drop(dislikes);
        match self.ledger.take(batch) {
            Ok(()) => {
                if batch.lane.ends_with("~replay") {
                    self.replayed.lock().unwrap().push(batch.range.clone());
                }
                (Outcome::Ok, None)
            }
            Err((outcome, failure)) => (outcome, Some(failure)),
        }
    }
}

impl Sink for Picky {
    fn kind(&self) -> &'static str {
        "picky"
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { concurrency_max: None, guarantee: self.guarantee }
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivered<'a>(
        &'a self,
        lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        if lane.ends_with("~replay") {
            let ranges = self.replayed.lock().unwrap().clone();
            return Box::pin(async { Ok(ranges) });
        }
        self.ledger.delivered(lane, above)
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        let (outcome, failure) = self.answer(&batch);
        Box::pin(async move { Delivery { outcome, failure, feedback: None, retry_after: None } })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

async fn letters_of(letters: &DeadLetters) -> Vec<Record> {
    letters.page(Filter::default(), 0, 10_000).await.unwrap()
}

/// Delivers `frames` of 1,000 with these poison items; returns the attempts with items.
async fn deliver(poison: &[u64], names: Names, concurrency: f64) -> (Arc<Picky>, DeadLetters, u64) {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(1000, ""); 10]).await;
    let sink = Picky::new(poison.iter().copied(), names);
    let letters = DeadLetters::in_memory(ROOM);
    let failing = failing(&journal, &letters, Policy::default());
    let mut lane =
        lane_with(&journal, ClassFilter::all(), 1000, concurrency, sink.clone(), failing);
    (lane.bounds.queue_items, lane.bounds.queue_bytes) = (5000, 8 << 20);
    lane.run().await.unwrap();
    journal.close().await.unwrap();
    let attempts = sink.attempts.load(Ordering::Relaxed);
    (sink, letters, attempts)
}

const POISON: [u64; 7] = [0, 1, 1999, 2500, 7321, 7322, 9999];

/// The attempts that seven items in five batches of ten may take, hints apart.
fn bound(wrong_hints: bool) -> u64 {
    let batches = [2, 1, 1, 2, 1, 0, 0, 0, 0, 0];
    let most = |poison| bisect::attempts_max(1000, poison) - if wrong_hints { 0 } else { 3 };
    batches.into_iter().map(most).sum()
}

#[tokio::test]
async fn seven_poison_items_of_ten_thousand_die_alone_within_the_bound() {
    for names in [Names::None, Names::First, Names::Wrong] {
        let (sink, letters, attempts) = deliver(&POISON, names, 1.0).await;
        let kept = letters_of(&letters).await;
        let positions: Vec<_> = kept.iter().map(|letter| letter.position).collect();
        assert_eq!(positions, POISON);
        let stored = sink.ledger.stored.lock().unwrap().clone();
        assert_eq!(stored.len(), 10_000 - POISON.len());
        assert!(stored.iter().all(|(at, text)| *text == format!("event {at}")));
        let most = bound(names == Names::Wrong);
        assert!(attempts <= most, "{attempts} of {most}");
        if names == Names::First {
            assert!(attempts <= 10 + 3 * 7, "{attempts}");
        }
        // One empty batch for each letter commits its position.
        assert_eq!(sink.empty.load(Ordering::Relaxed), 7);
        for letter in &kept {
            assert_eq!(letter.kind, "refused");
            assert_eq!(letter.event, format!("{{\"body\":\"event {}\"}}", letter.position));
        }
        let groups = letters.groups(Filter::default()).await.unwrap();
        assert_eq!((groups.len(), groups[0].count), (1, 7));
    }
}

#[tokio::test]
async fn with_more_attempts_in_flight_the_others_go_on() {
    let (sink, letters, attempts) = deliver(&POISON, Names::None, 4.0).await;
    assert_eq!(letters_of(&letters).await.len(), 7);
    assert_eq!(sink.ledger.stored.lock().unwrap().len(), 9993);
    assert!(attempts <= bound(false), "{attempts}");
    // The first batch holds poison: others are delivered before it is searched through.
    let ranges = sink.ledger.ranges.lock().unwrap();
    let whole = ranges.iter().position(|range| range.end - range.start == 1000).unwrap();
    let last_part = ranges.iter().rposition(|range| range.end <= 1000).unwrap();
    assert!(whole < last_part, "{ranges:?}");
}

/// What delivers letters to this sink.
fn replay(journal: &Journal, letters: &DeadLetters, sink: &Arc<Picky>, lane: &Lane) -> Replay {
    let replay = Replay::new(letters.clone(), journal.identity().id, Clock::start());
    let cursors = BTreeMap::from([("default".to_owned(), lane.cursor.clone())]);
    let outage = Arc::clone(&lane.failing.outage);
    let target = Target { sink: sink.clone(), outage, timeout: PATIENCE, cursors };
    replay.set_targets(BTreeMap::from([("ledger".to_owned(), target)]));
    replay
}

#[tokio::test]
async fn mended_letters_arrive_under_their_own_names_and_a_repeat_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(100, "")]).await;
    let sink = Picky::new([3, 50], Names::None);
    let letters = DeadLetters::in_memory(ROOM);
    let failing = failing(&journal, &letters, Policy::default());
    let lane = lane_with(&journal, ClassFilter::all(), 100, 1.0, sink.clone(), failing);
    let replay = replay(&journal, &letters, &sink, &lane);
    let cursor = lane.cursor.clone();
    lane.run().await.unwrap();
    assert_eq!(cursor.backlog_items(), 0);

    // Unchanged they are refused again, and stay.
    let report = replay.run(Filter::default(), 0, 10).await.unwrap();
    assert_eq!((report.tried, report.refused), (2, 2));
    let kept = letters_of(&letters).await;
    assert!(kept.iter().all(|letter| letter.attempts > 1), "{kept:?}");

    let observed =
        crate::dead_letters::event::with(&kept[0].row.clone().into(), |event| event.observed);
    let row =
        crate::dead_letters::event::row(b"{\"body\":\"event three\"}", 1 << 20, observed.unwrap());
    let event = "{\"body\":\"event three\"}".to_owned();
    assert!(letters.mend(kept[0].id, event, row.unwrap()).await.unwrap());
    let report = replay.run(Filter::default(), 0, 10).await.unwrap();
    assert_eq!((report.delivered, report.refused), (1, 1));
    assert_eq!(sink.ledger.stored.lock().unwrap()[&3], "event three");

    // A letter whose delivery was not noted is removed without being sent again.
    sink.dislikes.lock().unwrap().clear();
    sink.replayed.lock().unwrap().push(50..51);
    sink.replayed.lock().unwrap().sort_by_key(|range| range.start);
    let before = sink.attempts.load(Ordering::Relaxed);
    let report = replay.run(Filter::default(), 0, 10).await.unwrap();
    assert_eq!((report.delivered, sink.attempts.load(Ordering::Relaxed)), (1, before));
    assert!(letters_of(&letters).await.is_empty());
    journal.close().await.unwrap();
}

#[tokio::test]
async fn after_a_crash_between_letter_and_commit_the_letter_counts() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let letters = DeadLetters::in_memory(ROOM);
    let row = {
        let mut bytes = Vec::new();
        let event = Event { body: Body::Text("event 4"), ..Event::default() };
        rows::encode(&event, &mut bytes).unwrap();
        bytes.into()
    };
    let why = crate::dead_letters::Why {
        kind: Kind::Refused,
        outcome: Outcome::Rejected,
        reason: "no".into(),
        at: 2,
    };
    let letter = crate::dead_letters::Letter {
        journal: journal.identity().id,
        position: 4,
        sink: "ledger".into(),
        lane: "default".into(),
        why,
        attempts: 1,
        first_at: 1,
        row,
    };
    letters.keep(vec![letter]).await.unwrap();
    // The sink would take it now: it must not, since there is a letter.
    let sink = Picky::new([], Names::None);
    let failing = failing(&journal, &letters, Policy::default());
    let lane = lane_with(&journal, ClassFilter::all(), 100, 1.0, sink.clone(), failing);
    let replay = replay(&journal, &letters, &sink, &lane);
    // Nor is it retried before its lane has passed it.
    let report = replay.run(Filter::default(), 0, 10).await.unwrap();
    assert_eq!((report.delivered, report.skipped.values().sum::<u64>()), (0, 1));
    let cursor = lane.cursor.clone();
    lane.run().await.unwrap();
    assert_eq!(cursor.backlog_items(), 0);
    let stored: Vec<_> = sink.ledger.stored.lock().unwrap().keys().copied().collect();
    assert_eq!(stored, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    assert!(sink.ledger.ranges.lock().unwrap().contains(&(4..5)));
    let report = replay.run(Filter::default(), 0, 10).await.unwrap();
    assert_eq!(report.delivered, 1);
    holds_all(&sink.ledger, 10);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn without_room_for_a_letter_the_lane_stands_still_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let sink = Picky::new([2, 5], Names::None);
    let letters = DeadLetters::in_memory(Limits { items_max: 1, bytes_max: 1 << 20 });
    let failing = failing(&journal, &letters, Policy::default());
    let mut lane = lane_with(&journal, ClassFilter::all(), 10, 1.0, sink.clone(), failing);
    let drain = watch::Sender::new(false);
    lane.signals.drain = drain.subscribe();
    let (shared, cursor) = (Arc::clone(&lane.shared), lane.cursor.clone());
    let running = tokio::spawn(lane.run());
    let blocked = async {
        loop {
            if let State::Blocked { why } = shared.state() {
                return why;
            }
            tokio::task::yield_now().await;
        }
    };
    let why = tokio::time::timeout(PATIENCE, blocked).await.unwrap();
    assert!(why.contains("1 of 1 items"), "{why}");
    assert_eq!(letters.purge(Filter::default()).await.unwrap(), 1);
    let passed = async {
        while cursor.backlog_items() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, passed).await.unwrap();
    assert_eq!(letters_of(&letters).await[0].position, 5);
    drain.send_replace(true);
    running.await.unwrap().unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn items_that_were_tried_as_often_as_allowed_die_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, "")]).await;
    let sink = Picky::new([], Names::None);
    let busy = || (Outcome::Overloaded, DeliveryFailure::Retry("busy".into()));
    sink.ledger.script.lock().unwrap().extend([busy(), busy()]);
    let letters = DeadLetters::in_memory(ROOM);
    let limits = RetryLimits { attempts_max: Some(2), age_max: None };
    let policy = Policy { limits, ..Policy::default() };
    let failing = failing(&journal, &letters, policy);
    lane_with(&journal, ClassFilter::all(), 10, 1.0, sink.clone(), failing).run().await.unwrap();
    let kept = letters_of(&letters).await;
    assert_eq!(kept.len(), 10);
    assert!(kept.iter().all(|letter| letter.kind == "attempts" && letter.attempts == 2));
    assert_eq!(sink.ledger.stored.lock().unwrap().len(), 20);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn what_may_have_been_stored_dies_only_if_the_record_says_that_it_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, "")]).await;
    let sink = Picky::new([], Names::None);
    let gone = || (Outcome::Unreachable, DeliveryFailure::Retry("gone".into()));
    sink.ledger.script.lock().unwrap().extend([gone(), gone()]);
    let letters = DeadLetters::in_memory(ROOM);
    let limits = RetryLimits { attempts_max: Some(2), age_max: None };
    let failing = failing(&journal, &letters, Policy { limits, ..Policy::default() });
    let lane = lane_with(&journal, ClassFilter::all(), 10, 1.0, sink.clone(), failing);
    lane.run().await.unwrap();
    let kept = letters_of(&letters).await;
    assert_eq!(
        kept.iter().map(|letter| letter.position).collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
    let stored: Vec<_> = sink.ledger.stored.lock().unwrap().keys().copied().collect();
    assert_eq!(stored, (10..30).collect::<Vec<_>>());
    journal.close().await.unwrap();
}

/// Answers item by item: takes what it likes, wants the rest later once, and some never.
struct ItemByItem {
    ledger: Ledger,
    later: Mutex<BTreeSet<Position>>,
    never: BTreeSet<Position>,
}

impl Sink for ItemByItem {
    fn kind(&self) -> &'static str {
        "item_by_item"
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { concurrency_max: None, guarantee: Guarantee::AtLeastOnce }
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        let mut failures = Vec::new();
        let mut stored = self.ledger.stored.lock().unwrap();
        for (position, text) in Picky::items(&batch) {
            let retryable = self.later.lock().unwrap().remove(&position);
            if retryable || self.never.contains(&position) {
                failures.push(ItemFailure { position, retryable, why: "not this".into() });
            } else {
                assert!(stored.insert(position, text).is_none(), "{position} came twice");
            }
        }
        drop(stored);
        let taken = u32::try_from(batch.items()).unwrap() - u32::try_from(failures.len()).unwrap();
        let (outcome, failure) = match failures.is_empty() {
            true => (Outcome::Ok, None),
            false => {
                let failure = DeliveryFailure::Items(failures);
                (Outcome::Partial { delivered: taken }, Some(failure))
            }
        };
        Box::pin(async move { Delivery { outcome, failure, feedback: None, retry_after: None } })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn of_a_batch_answered_item_by_item_only_what_was_not_taken_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(20, ""), (20, "")]).await;
    let sink = Arc::new(ItemByItem {
        ledger: Ledger::default(),
        later: Mutex::new([1, 2, 17, 30].into()),
        never: [2, 3, 39].into(),
    });
    let letters = DeadLetters::in_memory(ROOM);
    let failing = failing(&journal, &letters, Policy::default());
    let lane = lane_with(&journal, ClassFilter::all(), 25, 1.0, sink.clone(), failing);
    let cursor = lane.cursor.clone();
    lane.run().await.unwrap();
    assert_eq!(cursor.backlog_items(), 0);
    let died: Vec<_> = letters_of(&letters).await.iter().map(|letter| letter.position).collect();
    assert_eq!(died.into_iter().collect::<BTreeSet<_>>(), [2, 3, 39].into());
    let stored: BTreeSet<_> = sink.ledger.stored.lock().unwrap().keys().copied().collect();
    assert_eq!(stored, (0..40).filter(|at| ![2, 3, 39].contains(at)).collect());
    journal.close().await.unwrap();
}

/// A sink that is away while it is told to be, and counts who asks meanwhile.
struct Away {
    ledger: Ledger,
    away: std::sync::atomic::AtomicBool,
    asked: AtomicU64,
    sizes: Mutex<Vec<u64>>,
}

impl Sink for Away {
    fn kind(&self) -> &'static str {
        "away"
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { concurrency_max: None, guarantee: Guarantee::ExactlyOnce }
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivered<'a>(
        &'a self,
        lane: &'a str,
        above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        self.ledger.delivered(lane, above)
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        let failed = if self.away.load(Ordering::Relaxed) {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Some((Outcome::Overloaded, DeliveryFailure::Retry("away".into())))
        } else {
            self.sizes.lock().unwrap().push(batch.items());
            self.ledger.take(&batch).err()
        };
        Box::pin(async move {
            match failed {
                None => Delivery {
                    outcome: Outcome::Ok,
                    failure: None,
                    feedback: None,
                    retry_after: None,
                },
                Some((outcome, failure)) => {
                    Delivery { outcome, failure: Some(failure), feedback: None, retry_after: None }
                }
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_sink_that_dies_is_asked_by_few_small_probes_and_the_other_sinks_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(100, ""); 10]).await;
    let away = std::sync::atomic::AtomicBool::new(true);
    let (ledger, asked, sizes) = Default::default();
    let dead = Arc::new(Away { ledger, away, asked, sizes });
    let letters = DeadLetters::in_memory(ROOM);
    let mut of_dead = failing(&journal, &letters, Policy::default());
    let settings = breaker::Settings {
        open: Duration::from_millis(20),
        open_max: Duration::from_millis(40),
        ..breaker::Settings::default()
    };
    let breaker = Breaker::new(settings).unwrap();
    of_dead.outage = Arc::new(Outage::new("dead".into(), breaker, Budget::default(), 1));
    let outage = Arc::clone(&of_dead.outage);
    let mut lane = lane_with(&journal, ClassFilter::all(), 100, 1.0, dead.clone(), of_dead);
    let drain = watch::Sender::new(false);
    lane.signals.drain = drain.subscribe();
    let (clock, cursor, shared) =
        (lane.shared.clock, lane.cursor.clone(), Arc::clone(&lane.shared));
    let running = tokio::spawn(lane.run());
    let opened = async {
        while outage.seen(clock.now()).opened < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
    // Five failures opened it, and one probe each time since.
    let (asked, opened) = (dead.asked.load(Ordering::Relaxed), outage.seen(clock.now()).opened);
    assert!(asked <= 5 + opened, "{asked} asked, {opened} times open");
    assert!(matches!(shared.state(), State::Retrying { .. }), "{:?}", shared.state());

    // Another sink over the same journal is not held up.
    let other = Arc::new(Ledger::default());
    let of_other = failing(&journal, &letters, Policy::default());
    let name = ClassFilter::AllBut(vec!["none".into()]);
    lane_named(&journal, "other", name, 100, other.clone(), of_other).run().await.unwrap();
    holds_all(&other, 1000);

    dead.away.store(false, Ordering::Relaxed);
    let delivered = async {
        while cursor.backlog_items() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, delivered).await.unwrap();
    holds_all(&dead.ledger, 1000);
    let sizes = dead.sizes.lock().unwrap().clone();
    assert_eq!(sizes[..3], [10, 10, 10], "{sizes:?}");
    assert!(sizes.contains(&100));
    let reasons: Vec<_> = outage.seen(clock.now()).history;
    assert!(reasons[0].reason.starts_with("5 failures in a row"), "{reasons:?}");
    assert_eq!(reasons.last().unwrap().to, tidegate::breaker::Phase::Closed);
    assert!(letters_of(&letters).await.is_empty());
    drain.send_replace(true);
    running.await.unwrap().unwrap();
    journal.close().await.unwrap();
}
