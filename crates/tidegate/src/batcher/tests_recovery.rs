//! What the backend did not take: tried again, searched for poison, held back by the breaker, and in
//! the end told to somebody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::breaker::{Phase, Settings};
use crate::retry::{Backoff, Budget, Limits};
use crate::{ControllerSettings, Outcome};

fn paused() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

fn fixed(size: u32) -> Builder<u32> {
    Batcher::builder()
        .batch_size_initial(size)
        .concurrency(2.0)
        .linger(Duration::from_millis(5))
        .controller(ControllerSettings::Fixed)
        .jitter_seed(1)
}

/// What a backend does: ends batches as its script says, refuses poison, and otherwise takes all.
#[derive(Default)]
struct Backend {
    script: Vec<Outcome>,
    poison: BTreeSet<u32>,
    attempts: Vec<Vec<u32>>,
    taken: Vec<u32>,
}

impl Backend {
    fn answer(&mut self, batch: Vec<u32>) -> Answer {
        self.attempts.push(batch.clone());
        if let Some(outcome) = self.script.pop() {
            return Answer::failed(outcome, "as the script says");
        }
        if batch.iter().any(|item| self.poison.contains(item)) {
            return Answer::failed(Outcome::Rejected, "poison");
        }
        self.taken.extend(batch);
        Answer::ok()
    }
}

type Given = Arc<Mutex<Vec<GivenUp<u32>>>>;

fn start(builder: Builder<u32>, backend: Backend) -> (Batcher<u32>, Arc<Mutex<Backend>>, Given) {
    let backend = Arc::new(Mutex::new(backend));
    let given = Given::default();
    let (asked, told) = (Arc::clone(&backend), Arc::clone(&given));
    let batcher = builder
        .on_given_up(move |items| told.lock().unwrap().extend(items))
        .build(move |batch: Vec<u32>| {
            let answer = asked.lock().unwrap().answer(batch);
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                answer
            }
        })
        .unwrap();
    (batcher, backend, given)
}

#[tokio::test(start_paused = true)]
async fn a_busy_backend_gets_the_same_batch_again() {
    let script = vec![Outcome::Overloaded, Outcome::TimedOut, Outcome::Unreachable];
    let backend = Backend { script, ..Backend::default() };
    let (batcher, backend, given) = start(fixed(3).retries(Retries::default()), backend);
    let submits = [1, 2, 3].map(|item| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.submit(item).await })
    });
    for submit in submits {
        assert_eq!(submit.await.unwrap(), Ok(()));
    }
    assert_eq!(backend.lock().unwrap().attempts, vec![vec![1, 2, 3]; 4]);
    assert!(given.lock().unwrap().is_empty());
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed, stats.counters.resent), (3, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_attempts_ends_it() {
    let limits = Limits { attempts_max: Some(3), age_max: None };
    let backend = Backend { script: vec![Outcome::Overloaded; 9], ..Backend::default() };
    let (batcher, backend, given) =
        start(fixed(1).retries(Retries { limits, ..Retries::default() }), backend);
    let error = batcher.submit(7).await.unwrap_err();
    assert_eq!(error.to_string(), "as the script says");
    assert_eq!(backend.lock().unwrap().attempts.len(), 3);
    let given = given.lock().unwrap();
    assert_eq!((given[0].item, given[0].attempts), (7, 3));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_says_when_is_obeyed() {
    let retry_after = Some(Duration::from_secs(30));
    let backend =
        Backend { script: vec![Outcome::Throttled { retry_after }], ..Backend::default() };
    let (batcher, ..) = start(fixed(1).retries(Retries::default()), backend);
    let clock = Clock::start();
    batcher.submit(7).await.unwrap();
    assert!(clock.now().since(crate::Moment::ZERO) >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn retries_wait_for_their_budget() {
    let budget = Budget::new(0.0, 1.0, 1.0).unwrap();
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    let limits = Limits::default();
    let backend = Backend { script: vec![Outcome::Overloaded; 5], ..Backend::default() };
    let (batcher, ..) = start(fixed(1).retries(Retries { backoff, budget, limits }), backend);
    let clock = Clock::start();
    batcher.submit(7).await.unwrap();
    // One token is there at first; four come at one a second.
    let took = clock.now().since(crate::Moment::ZERO).as_secs_f64();
    assert!((3.9..4.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_away_gets_probes_only() {
    let settings = Settings { failures: 2, ..Settings::default() };
    let script = vec![Outcome::Unreachable; 3];
    let backend = Backend { script, ..Backend::default() };
    let builder = fixed(10).concurrency(1.0).retries(Retries::default()).breaker(settings);
    let (batcher, backend, _) = start(builder, backend);
    for item in 0..40 {
        batcher.add(item).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(matches!(batcher.stats().breaker, Some(Phase::Open { .. })));
    let before = backend.lock().unwrap().attempts.len();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(backend.lock().unwrap().attempts.len(), before, "nothing while it is open");
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (40, 0));
    assert_eq!(stats.breaker, Some(Phase::Closed));
}

#[tokio::test(start_paused = true)]
async fn without_a_recovery_a_batch_fails_once() {
    let backend = Backend { script: vec![Outcome::Overloaded], ..Backend::default() };
    let (batcher, backend, given) = start(fixed(2), backend);
    batcher.add(1).await.unwrap();
    batcher.add(2).await.unwrap();
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (0, 2));
    assert_eq!(backend.lock().unwrap().attempts.len(), 1);
    assert_eq!(given.lock().unwrap()[1].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn close_within_a_limit_gives_up_what_cannot_leave() {
    let settings = Settings { failures: 1, ..Settings::default() };
    let backend = Backend { script: vec![Outcome::Unreachable; 999], ..Backend::default() };
    let limits = Limits::default();
    let builder = fixed(5).retries(Retries { limits, ..Retries::default() }).breaker(settings);
    let (batcher, _, given) = start(builder, backend);
    for item in 0..20 {
        batcher.add(item).await.unwrap();
    }
    let stats = batcher.close_within(Duration::from_secs(10)).await;
    assert_eq!((stats.delivered, stats.failed, stats.queued), (0, 20, 0));
    let items: BTreeSet<_> = given.lock().unwrap().iter().map(|given| given.item).collect();
    assert_eq!(items, (0..20).collect());
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_is_tried_again() {
    let backend = Backend { script: vec![Outcome::Overloaded; 2], ..Backend::default() };
    let (batcher, backend, _) = start(fixed(5).retries(Retries::default()), backend);
    for item in 0..3 {
        batcher.add(item).await.unwrap();
    }
    batcher.flush().await.unwrap();
    assert_eq!(backend.lock().unwrap().taken, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_what_is_tried_again() {
    let backend = Backend { script: vec![Outcome::Overloaded; 2], ..Backend::default() };
    let (batcher, backend, _) = start(fixed(5).retries(Retries::default()), backend);
    for item in 0..3 {
        batcher.add(item).await.unwrap();
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (3, 0));
    assert_eq!(backend.lock().unwrap().taken, [0, 1, 2]);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Overloaded),
        Just(Outcome::TimedOut),
        Just(Outcome::Unreachable),
        Just(Outcome::Throttled { retry_after: Some(Duration::from_millis(300)) }),
        Just(Outcome::Rejected),
        Just(Outcome::TooLarge),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Invariant: whatever the backend answers, each item has exactly one end — taken once, or told
    /// to the hook once — and each submitter hears of its own; poison is never taken, and with
    /// bisection nothing else is given up for it.
    #[test]
    fn each_item_has_one_end(
        script in proptest::collection::vec(outcome(), 0..12),
        poison in proptest::collection::btree_set(0..60u32, 0..4),
        items in 1..60u32,
        size in 1..20u32,
        breaks: bool,
    ) {
        let refusals = script.iter().any(|outcome| !outcome.is_retryable());
        let bad: BTreeSet<u32> = poison.iter().copied().filter(|item| *item < items).collect();
        let backend = Backend { script, poison, ..Backend::default() };
        let (delivered, heard, taken, given, stats) = paused().block_on(async {
            let limits = Limits { attempts_max: Some(40), age_max: None };
            let builder = fixed(size).queue_items(25).retries(Retries { limits, ..Retries::default() });
            let mut builder = builder.bisection();
            if breaks {
                builder = builder.breaker(Settings { failures: 2, ..Settings::default() });
            }
            let (batcher, backend, given) = start(builder, backend);
            let submits: Vec<_> = (0..items).map(|item| {
                let batcher = batcher.clone();
                tokio::spawn(async move { (item, batcher.submit(item).await) })
            }).collect();
            let (mut delivered, mut heard) = (BTreeSet::new(), BTreeSet::new());
            for submit in submits {
                let (item, outcome) = submit.await.unwrap();
                if outcome.is_ok() { delivered.insert(item) } else { heard.insert(item) };
            }
            let stats = tokio::time::timeout(Duration::from_secs(600), batcher.close()).await;
            let taken = std::mem::take(&mut backend.lock().unwrap().taken);
            let given: Vec<u32> = given.lock().unwrap().iter().map(|given| given.item).collect();
            (delivered, heard, taken, given, stats.expect("it ends"))
        });
        let mut ends: Vec<u32> = taken.iter().chain(&given).copied().collect();
        ends.sort_unstable();
        prop_assert!(ends.into_iter().eq(0..items), "an item has no end, or two");
        prop_assert_eq!(delivered, taken.into_iter().collect::<BTreeSet<_>>());
        prop_assert_eq!(&heard, &given.into_iter().collect::<BTreeSet<_>>());
        prop_assert!(bad.is_subset(&heard));
        if !refusals {
            prop_assert_eq!(heard, bad);
        }
        prop_assert_eq!(stats.delivered + stats.failed, u64::from(items));
        prop_assert_eq!(stats.in_flight, 0);
    }
}
