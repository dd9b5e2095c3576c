//! Lanes to a sink without a record: batches in doubt, routes, and a sink that is let go of.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use tidegate::breaker::{self, Breaker};
use tidegate::retry::{Backoff, Budget};
use tidegate::{Bounds as PlanBounds, ControllerSettings, Engine, Epoch, Outcome, Plan};
use tidegate_event::{Body, Event, rows};
use tidegate_journal::{ClassFilter, Durability, FileStorage, Group, Journal, LaneStart, Settings};
use tidegate_sinks::{
    Batch, BoxFuture, Delivery, DeliveryFailure, Guarantee, ItemFailure, Limits, OpenError, Origin,
};

use super::tests::{PATIENCE, ROOM, failing, journal};
use super::*;
use crate::clock::Clock;
use crate::dead_letters::letter::Kind;
use crate::dead_letters::{Letter, Why};
use crate::route::{Check, Field, Test};

/// What the sink does with an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Ok,
    Busy,
    /// It takes the batch and never answers.
    Silent,
    /// It takes all but the item at this position.
    Refuses(Position),
}

/// Remembers every attempt, and answers the first ones by a script.
struct Api {
    script: Mutex<Vec<Answer>>,
    /// Batches that begin here are taken, whatever the script says.
    takes: Option<Position>,
    attempts: watch::Sender<Vec<Batch>>,
    rest: Mutex<Answer>,
    /// Whether it cannot be asked anything.
    is_away: AtomicBool,
}

impl Api {
    fn new(script: &[Answer], rest: Answer) -> Arc<Self> {
        let script = Mutex::new(script.iter().rev().copied().collect());
        let (attempts, rest) = (watch::Sender::default(), Mutex::new(rest));
        Arc::new(Self { script, takes: None, attempts, rest, is_away: AtomicBool::new(false) })
    }

    fn ranges(&self) -> Vec<Range<Position>> {
        self.attempts.borrow().iter().map(|batch| batch.range.clone()).collect()
    }

    /// Every position that came, with how often.
    fn came(&self) -> BTreeMap<Position, usize> {
        let mut came = BTreeMap::new();
        for batch in self.attempts.borrow().iter() {
            for slice in &batch.slices {
                for (at, event) in (slice.first..).zip(&slice.rows) {
                    assert_eq!(event.body, Body::Text(&format!("event {at}")));
                    *came.entry(at).or_default() += 1;
                }
            }
        }
        came
    }

    async fn attempted(&self, attempts: usize) {
        let mut seen = self.attempts.subscribe();
        let enough = seen.wait_for(|seen| seen.len() >= attempts);
        tokio::time::timeout(PATIENCE, enough).await.unwrap().unwrap();
    }
}

impl Sink for Api {
    fn kind(&self) -> &'static str {
        "api"
    }

    fn limits(&self) -> Limits {
        Limits { concurrency_max: None, guarantee: Guarantee::AtLeastOnce }
    }

    fn open(&self, _origin: Origin) -> BoxFuture<'_, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivered<'a>(
        &'a self,
        _lane: &'a str,
        _above: Position,
    ) -> BoxFuture<'a, Result<Vec<Range<Position>>, DeliveryFailure>> {
        let away = self.is_away.load(Ordering::Relaxed);
        let answer = if away { Err(DeliveryFailure::Retry("away".into())) } else { Ok(Vec::new()) };
        Box::pin(async { answer })
    }

    fn deliver(&self, batch: Batch) -> BoxFuture<'_, Delivery> {
        let scripted = self.script.lock().unwrap().pop();
        let takes = (self.takes == Some(batch.range.start)).then_some(Answer::Ok);
        let answer = takes.or(scripted).unwrap_or(*self.rest.lock().unwrap());
        let items = batch.items();
        self.attempts.send_modify(|attempts| attempts.push(batch));
        Box::pin(async move {
            let (outcome, failure) = match answer {
                Answer::Ok => (Outcome::Ok, None),
                Answer::Busy => (Outcome::Overloaded, Some(DeliveryFailure::Retry("busy".into()))),
                Answer::Silent => std::future::pending().await,
                Answer::Refuses(position) => {
                    let why = "no".into();
                    let item = ItemFailure { position, retryable: false, why };
                    let outcome = Outcome::Partial { delivered: u32::try_from(items).unwrap() - 1 };
                    (outcome, Some(DeliveryFailure::Items(vec![item])))
                }
            };
            Delivery { outcome, failure, feedback: None, retry_after: None }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A lane to the API, and what it is told by.
struct Bench {
    lane: Lane,
    shared: Arc<Shared>,
    drain: watch::Sender<bool>,
    detach: watch::Sender<bool>,
    _host: watch::Sender<Reading>,
}

fn bench(journal: &Journal, sink: &Arc<Api>, batch_size: u32, concurrency: f64) -> Bench {
    bench_with(journal, sink, batch_size, concurrency, &DeadLetters::in_memory(ROOM))
}

fn bench_with(
    journal: &Journal,
    sink: &Arc<Api>,
    batch_size: u32,
    concurrency: f64,
    letters: &DeadLetters,
) -> Bench {
    let plan = Plan {
        batch_size,
        concurrency,
        pace: None,
        linger: Duration::ZERO,
        epoch: Epoch::default(),
    };
    let bounds = PlanBounds::default();
    let controller = ControllerSettings::Fixed.build(plan, &bounds).unwrap();
    let clock = Clock::start();
    let engine = Engine::new(clock.now(), controller, bounds, 8);
    let target = Duration::from_millis(100);
    let shared = Arc::new(Shared::new("api".into(), "default".into(), clock, target, engine));
    let lane = journal.lane(&shared.key(), ClassFilter::all(), LaneStart::Oldest).unwrap();
    journal.begin_retention();
    let bounds = Bounds { queue_items: 50, queue_bytes: 1 << 16, timeout: PATIENCE, skipped_to: 0 };
    let (drain, detach) = (watch::Sender::new(false), watch::Sender::new(false));
    let host = watch::Sender::new(Reading::default());
    let signals =
        Signals { drain: drain.subscribe(), host: host.subscribe(), detach: detach.subscribe() };
    let sink: Arc<dyn Sink> = Arc::<Api>::clone(sink);
    let failing = failing(journal, letters, Policy::default());
    let lane = Lane::new(Arc::clone(&shared), sink, bounds, lane.split(), signals, failing);
    Bench { lane, shared, drain, detach, _host: host }
}

/// Runs a lane that ends by itself.
async fn ends(lane: Lane) {
    tokio::time::timeout(PATIENCE, lane.run()).await.unwrap().unwrap();
}

fn reopened(dir: &std::path::Path) -> Journal {
    let settings = Settings {
        durability: Durability::Written,
        segment_bytes: 1 << 20,
        max_bytes: 8 << 20,
        ..Settings::default()
    };
    Journal::open(FileStorage::open(dir).unwrap(), settings).unwrap().0
}

/// Only events whose text is in the list.
fn only(texts: Vec<String>) -> Arc<Route> {
    let test = Test { field: Field::Body, check: Check::In(texts) };
    let mut route = Route::default();
    route.when.all.push(test);
    Arc::new(route)
}

#[tokio::test]
async fn a_batch_in_doubt_is_cut_again_as_it_was_and_what_was_delivered_is_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = journal(dir.path(), &[(10, ""), (10, ""), (20, "")]).await;
    // Batches of 7, three at once: the second of them is answered.
    let mut sink = Api::new(&[], Answer::Silent);
    Arc::get_mut(&mut sink).unwrap().takes = Some(7);
    let Bench { lane, .. } = bench(&first, &sink, 7, 3.0);
    let running = tokio::spawn(lane.run());
    sink.attempted(4).await;
    let mut ranges = sink.ranges();
    // Attempts that leave together arrive in any order.
    ranges.sort_by_key(|range| range.start);
    assert_eq!(ranges, [0..7, 7..14, 14..21, 21..28]);
    running.abort();
    let _ = running.await;
    first.close().await.unwrap();
    drop(first);

    let second = reopened(dir.path());
    let sink = Api::new(&[], Answer::Ok);
    // Another plan: whatever is not in doubt is cut by it.
    let Bench { lane, drain, .. } = bench(&second, &sink, 5, 1.0);
    drain.send_replace(true);
    ends(lane).await;
    assert_eq!(sink.ranges(), [0..7, 14..21, 21..28, 28..33, 33..38, 38..40]);
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_batch_larger_than_the_queue_is_cut_again_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(100, ""), (100, ""), (100, "")]).await;
    let cursor = journal.lane("api/default", ClassFilter::all(), LaneStart::Oldest).unwrap();
    let cursor = cursor.split().1;
    cursor.notes().begin(20..270).await.unwrap();
    let sink = Api::new(&[], Answer::Ok);
    let Bench { lane, drain, .. } = bench(&journal, &sink, 30, 1.0);
    drain.send_replace(true);
    ends(lane).await;
    assert_eq!(sink.ranges(), [0..20, 20..270, 270..300]);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_batch_in_doubt_of_which_the_sink_gets_nothing_any_more_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let cursor = journal.lane("api/default", ClassFilter::all(), LaneStart::Oldest).unwrap();
    let cursor = cursor.split().1;
    cursor.notes().begin(2..5).await.unwrap();
    let sink = Api::new(&[], Answer::Ok);
    let Bench { lane, drain, .. } = bench(&journal, &sink, 30, 1.0);
    drain.send_replace(true);
    ends(lane.routed(only(vec!["event 0".into(), "event 7".into()]))).await;
    assert_eq!(cursor.low_water(), 10);
    assert_eq!(sink.came().into_keys().collect::<Vec<_>>(), [0, 7]);
    journal.close().await.unwrap();
}

/// The backend knows a repeat by its key, which a batch without one of its items would not have. So
/// a crash between the letter of an item and the note that the others were taken costs a repeat, and
/// brings nothing twice.
#[tokio::test]
async fn a_batch_in_doubt_is_repeated_whole_though_an_item_of_it_was_given_up() {
    // An item among others, and one that was alone in its batch.
    let cases: [(u32, Position, Vec<Range<Position>>); 2] =
        [(10, 3, std::iter::once(0..10).collect()), (1, 0, (1..10).map(|at| at..at + 1).collect())];
    for (batch_size, given_up, repeated) in cases {
        let dir = tempfile::tempdir().unwrap();
        let first = journal(dir.path(), &[(10, "")]).await;
        let sink = Api::new(&[], Answer::Silent);
        let Bench { lane, .. } = bench(&first, &sink, batch_size, 1.0);
        let running = tokio::spawn(lane.run());
        sink.attempted(1).await;
        running.abort();
        let _ = running.await;
        first.close().await.unwrap();
        drop(first);

        let second = reopened(dir.path());
        let letters = DeadLetters::in_memory(ROOM);
        letters.keep(vec![letter(&second, given_up)]).await.unwrap();
        let script: &[_] = if batch_size == 1 { &[] } else { &[Answer::Refuses(given_up)] };
        let sink = Api::new(script, Answer::Ok);
        let Bench { lane, drain, .. } = bench_with(&second, &sink, batch_size, 1.0, &letters);
        drain.send_replace(true);
        ends(lane).await;
        assert_eq!(sink.ranges(), repeated);
        let positions: Vec<_> = repeated.into_iter().flatten().collect();
        assert_eq!(sink.came().into_keys().collect::<Vec<_>>(), positions);
        assert_eq!(second.stats().lanes[0].low_water, 10);
        second.close().await.unwrap();
    }
}

/// The breaker alone owns an outage: who asks a sink that is away waits as long as that says, and no
/// longer, whatever the lane's own waits are.
#[tokio::test]
async fn a_lane_asks_again_when_the_breaker_lets_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(10, "")]).await;
    let sink = Api::new(&[], Answer::Ok);
    sink.is_away.store(true, Ordering::Relaxed);
    let Bench { mut lane, drain, .. } = bench(&journal, &sink, 10, 1.0);
    let (hour, open) = (Duration::from_secs(3600), Duration::from_millis(20));
    lane.failing.policy.backoff = Backoff::new(hour, hour).unwrap();
    let settings =
        breaker::Settings { failures: 1, open, open_max: open, ..breaker::Settings::default() };
    let breaker = Breaker::new(settings).unwrap();
    let outage = Arc::new(Outage::new("api".into(), breaker, Budget::default(), 1));
    lane.changes = outage.changes();
    lane.failing.outage = Arc::clone(&outage);
    let clock = lane.shared.clock;
    let running = tokio::spawn(lane.run());
    let opened = async {
        while outage.seen(clock.now()).opened < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.unwrap();
    sink.is_away.store(false, Ordering::Relaxed);
    sink.attempted(1).await;
    drain.send_replace(true);
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    assert_eq!(sink.came(), (0..10).map(|at| (at, 1)).collect());
    journal.close().await.unwrap();
}

fn letter(journal: &Journal, position: Position) -> Letter {
    let (kind, outcome) = (Kind::Refused, Outcome::Rejected);
    let mut row = Vec::new();
    rows::encode(&Event::default(), &mut row).unwrap();
    Letter {
        journal: journal.identity().id,
        position,
        sink: "api".into(),
        lane: "default".into(),
        why: Why { kind, outcome, reason: "no".into(), at: 0 },
        attempts: 1,
        first_at: 0,
        row: row.into(),
    }
}

#[tokio::test]
async fn a_lane_whose_events_are_all_filtered_still_moves_its_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, ""), (30, ""), (40, "")]).await;
    let sink = Api::new(&[], Answer::Ok);
    let Bench { lane, shared, drain, .. } = bench(&journal, &sink, 30, 1.0);
    drain.send_replace(true);
    ends(lane.routed(only(Vec::new()))).await;
    assert!(sink.ranges().is_empty());
    assert_eq!(shared.filtered.load(Ordering::Relaxed), 100);
    assert_eq!(journal.stats().lanes[0].low_water, 100);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_sink_that_is_let_go_of_gets_what_comes_after_it_is_well_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), &[(30, ""), (30, "")]).await;
    let sink = Api::new(&[], Answer::Busy);
    let Bench { lane, shared, drain, detach, _host } = bench(&journal, &sink, 10, 1.0);
    let running = tokio::spawn(lane.run());
    sink.attempted(1).await;
    detach.send_replace(true);
    // All is passed, though the sink took nothing.
    let low = |at: u64| {
        let journal = journal.clone();
        async move {
            while journal.stats().lanes[0].low_water < at {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, low(60)).await.unwrap();
    assert_eq!((shared.state(), shared.missed.load(Ordering::Relaxed)), (State::Detached, 60));
    detach.send_replace(false);
    append(&journal, 60..75).await;
    tokio::time::timeout(PATIENCE, low(75)).await.unwrap();
    assert_eq!(shared.missed.load(Ordering::Relaxed), 75);
    // Well again: the batch that was kept as the probe arrives, and then what comes from now on.
    let probes = sink.ranges().len();
    *sink.rest.lock().unwrap() = Answer::Ok;
    sink.attempted(probes + 1).await;
    while shared.state() != State::Running {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(shared.missed.load(Ordering::Relaxed), 65);
    append(&journal, 75..80).await;
    drain.send_replace(true);
    running.await.unwrap().unwrap();
    let expected: Vec<_> = (0..10).chain(75..80).collect();
    assert_eq!(sink.came().into_keys().collect::<Vec<_>>(), expected);
    journal.close().await.unwrap();
}

async fn append(journal: &Journal, positions: Range<Position>) {
    let mut bytes = Vec::new();
    for at in positions.clone() {
        let text = format!("event {at}");
        rows::encode(&Event { body: Body::Text(&text), ..Event::default() }, &mut bytes).unwrap();
    }
    let items = u32::try_from(positions.end - positions.start).unwrap();
    let group = Group { class: "".into(), items, rows: bytes.into() };
    assert_eq!(journal.append(vec![group]).unwrap().await.unwrap(), positions);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Invariant: whenever the lane is stopped, and however often, every event that is for the sink
    /// comes at least once; a batch that was attempted and not answered comes again with its range
    /// and its rows; and what was answered does not come again.
    #[test]
    fn a_repeat_is_the_same_batch(
        frames in proptest::collection::vec(1..30u32, 1..8),
        lives in proptest::collection::vec(
            (1..20u32, 1..4u8, proptest::collection::vec(0..3u8, 0..5)), 1..4),
        keeps in proptest::option::of(proptest::collection::btree_set(0..200u64, 0..60)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let sizes: Vec<_> = frames.iter().map(|items| (*items, "")).collect();
            let mut journal = journal(dir.path(), &sizes).await;
            let events = u64::from(frames.iter().sum::<u32>());
            let keeps: Vec<_> =
                (0..events).filter(|at| keeps.as_ref().is_none_or(|keeps| keeps.contains(at))).collect();
            let route = only(keeps.iter().map(|at| format!("event {at}")).collect());
            let mut came = BTreeMap::<Position, usize>::new();
            let (mut in_doubt, mut answered) = (Vec::<Batch>::new(), Vec::<Range<Position>>::new());
            let lives = lives.into_iter().map(Some).chain([None]);
            for life in lives {
                let (size, concurrency, script) = life.clone().unwrap_or((9, 1, Vec::new()));
                let script: Vec<_> = script.into_iter()
                    .map(|answer| [Answer::Ok, Answer::Busy, Answer::Silent][usize::from(answer)])
                    .collect();
                let last = life.is_none();
                let sink = Api::new(&script, if last { Answer::Ok } else { Answer::Silent });
                let Bench { lane, drain, .. } = bench(&journal, &sink, size, f64::from(concurrency));
                let lane = lane.routed(Arc::clone(&route));
                drain.send_replace(last);
                let mut running = tokio::spawn(lane.run());
                if last {
                    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
                } else {
                    // Until all is answered, or only silent ones are left.
                    let _ = tokio::time::timeout(Duration::from_millis(60), &mut running).await;
                    running.abort();
                    let _ = running.await;
                }
                let attempts = sink.attempts.borrow().clone();
                let answers = script.iter().copied().chain(std::iter::repeat(if last { Answer::Ok } else { Answer::Silent }));
                for (batch, answer) in attempts.iter().zip(answers) {
                    let touches = |other: &Range<u64>| {
                        other.start < batch.range.end && batch.range.start < other.end
                    };
                    assert!(!answered.iter().any(touches), "{:?} again", batch.range);
                    if let Some(at) = in_doubt.iter().position(|other| touches(&other.range)) {
                        let before = in_doubt.remove(at);
                        assert_eq!(before.range, batch.range);
                        let bytes = |batch: &Batch| batch.slices.iter()
                            .flat_map(|slice| slice.rows.bytes().to_vec()).collect::<Vec<_>>();
                        assert_eq!(bytes(&before), bytes(batch));
                    }
                    if answer == Answer::Ok {
                        answered.push(batch.range.clone());
                    } else {
                        in_doubt.push(batch.clone());
                    }
                }
                for (at, count) in sink.came() {
                    *came.entry(at).or_default() += count;
                }
                journal.close().await.unwrap();
                drop(journal);
                journal = reopened(dir.path());
            }
            assert_eq!(came.into_keys().collect::<Vec<_>>(), keeps);
            let lane = journal.lane("api/default", ClassFilter::all(), LaneStart::Oldest).unwrap();
            assert_eq!(lane.cursor().low_water(), events);
            journal.close().await.unwrap();
        });
    }
}
