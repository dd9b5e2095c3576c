//! What happens when callers leave, handlers panic and handles close at the worst moment?
//! Interleavings in paused time: nothing is lost, nothing comes twice, nobody waits for ever.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::clock::Clock;
use super::*;
use crate::{ControllerSettings, Outcome};

fn fixed(size: u32) -> Builder<u32> {
    Batcher::builder()
        .batch_size_initial(size)
        .concurrency(2.0)
        .controller(ControllerSettings::Fixed)
}

fn paused() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

/// What a producer does.
#[derive(Debug, Clone, Copy)]
struct Act {
    way: u8,
    /// Leaves after so long, if that is before its outcome.
    patience_ms: u64,
    /// Comes so long after the one before.
    after_ms: u64,
    bytes: u64,
}

fn act() -> impl Strategy<Value = Act> {
    (0..6u8, 0..40u64, prop_oneof![Just(0u64), 0..5u64], 0..30u64)
        .prop_map(|(way, patience_ms, after_ms, bytes)| Act { way, patience_ms, after_ms, bytes })
}

/// A batcher whose handler takes its time, fails each seventh item and panics with each batch that
/// has a 50th item.
fn troubled(sink: Arc<Mutex<Vec<u32>>>, size: u32, queue: usize) -> Batcher<u32, u32> {
    fixed(size)
        .queue_items(queue)
        .batch_bytes_max(100)
        .queue_bytes(100)
        .linger(Duration::from_millis(3))
        .build(move |batch: Vec<u32>| {
            sink.lock().unwrap().extend(&batch);
            async move {
                tokio::time::sleep(Duration::from_millis(u64::from(batch[0] % 4) * 3)).await;
                assert!(!batch.iter().any(|item| item % 50 == 49), "a poison item");
                let answer = |item: &u32| if item % 7 == 6 { Err("seventh") } else { Ok(item * 2) };
                batch.iter().map(answer).collect::<Vec<_>>()
            }
        })
        .unwrap()
}

/// Plays producers that come, wait and leave against a handler in trouble. Returns the items that
/// were taken for sure, those that may have been, what the handler saw, and the figures.
async fn play(acts: Vec<Act>, size: u32, queue: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>, Stats) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let batcher = troubled(Arc::clone(&seen), size, queue);
    let mut tasks = Vec::new();
    for (item, act) in (0..).zip(acts) {
        tokio::time::sleep(Duration::from_millis(act.after_ms)).await;
        let batcher = batcher.clone();
        tasks.push(tokio::spawn(async move {
            let patience = Duration::from_millis(act.patience_ms);
            let (taken, maybe) = ((vec![item], vec![]), (vec![], vec![item]));
            match act.way {
                0 | 1 => match tokio::time::timeout(patience, batcher.submit(item)).await {
                    Ok(Ok(value)) => {
                        assert_eq!(value, item * 2, "somebody else's value");
                        taken
                    }
                    Ok(Err(SubmitError::GivenUp(Failure::Refused { outcome, .. }))) => {
                        assert_eq!((outcome, item % 7), (Outcome::Rejected, 6));
                        taken
                    }
                    Ok(Err(SubmitError::GivenUp(Failure::Panicked { why }))) => {
                        assert_eq!(&*why, "a poison item");
                        taken
                    }
                    Ok(Err(error)) => panic!("{error}"),
                    Err(_) => maybe,
                },
                2 => {
                    let add = batcher.add_sized(item, act.bytes);
                    let added = tokio::time::timeout(patience, add).await;
                    if added.is_ok() { taken } else { Default::default() }
                }
                3 => {
                    let added = batcher.try_add(item, act.bytes).is_ok();
                    if added { taken } else { Default::default() }
                }
                4 => {
                    let mut local = batcher.local();
                    let added = local.add_sized(item, act.bytes).await;
                    tokio::time::sleep(patience).await;
                    let _ = tokio::time::timeout(patience, local.flush()).await;
                    if added.is_ok() { taken } else { Default::default() }
                }
                _ => {
                    batcher.submit_sized(item, act.bytes).await.ok();
                    taken
                }
            }
        }));
    }
    let (mut taken, mut maybe) = (Vec::new(), Vec::new());
    for task in tasks {
        let (sure, unsure) = task.await.unwrap();
        taken.extend(sure);
        maybe.extend(unsure);
    }
    let stats = batcher.close().await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (taken, maybe, seen, stats)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Invariant: whoever leaves when, each item that was taken reaches the handler exactly once,
    /// each submitter hears of its own item, and everybody gets an answer.
    #[test]
    fn nothing_is_lost_or_doubled(
        acts in proptest::collection::vec(act(), 1..120),
        size in 1..12u32,
        queue in 1..20usize,
    ) {
        let (taken, maybe, mut seen, stats) = paused().block_on(async {
            let game = play(acts, size, queue);
            tokio::time::timeout(Duration::from_secs(60), game).await.expect("somebody waits for ever")
        });
        seen.sort_unstable();
        prop_assert!(seen.windows(2).all(|two| two[0] < two[1]), "an item came twice");
        prop_assert!(taken.iter().all(|item| seen.binary_search(item).is_ok()), "an item is lost");
        let known = |item: &u32| taken.contains(item) || maybe.contains(item);
        prop_assert!(seen.iter().all(known), "an item of one who was told that it was not taken");
        prop_assert_eq!(stats.added, seen.len() as u64);
        prop_assert_eq!(stats.delivered + stats.failed, stats.added);
        prop_assert_eq!(stats.queued, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_in_a_batch_hears_of_a_panic() {
    let batcher = fixed(3)
        .linger(Duration::from_secs(1))
        .build(|batch: Vec<u32>| async move { assert!(!batch.contains(&1), "one is bad") })
        .unwrap();
    let submits = (0..3).map(|item| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.submit(item).await })
    });
    for submit in submits.collect::<Vec<_>>() {
        let failure = Failure::Panicked { why: "one is bad".into() };
        assert_eq!(submit.await.unwrap(), Err(SubmitError::GivenUp(failure)));
    }
    assert_eq!(batcher.submit(7).await, Ok(()), "the batcher goes on");
}

#[tokio::test(start_paused = true)]
async fn an_item_without_an_answer_has_failed() {
    let batcher = fixed(2)
        .linger(Duration::from_secs(1))
        .build(|_: Vec<u32>| async { Ok::<_, Infallible>(vec!["first"]) })
        .unwrap();
    let (first, second) = tokio::join!(batcher.submit(1), batcher.submit(2));
    assert_eq!(first, Ok("first"));
    let failure = Failure::Unanswered { answered: 1, items: 2 };
    assert_eq!(second, Err(SubmitError::GivenUp(failure)));
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_local_item_arrives_within_the_linger_though_its_producer_sleeps() {
    let (sender, mut batches) = tokio::sync::mpsc::channel(9);
    let batcher = fixed(100)
        .linger(Duration::from_millis(20))
        .build(move |batch: Vec<u32>| {
            let sender = sender.clone();
            async move { sender.send(batch).await.unwrap() }
        })
        .unwrap();
    let (mut local, clock) = (batcher.local(), Clock::start());
    for round in 0..3 {
        local.add(round).await.unwrap();
        let before = clock.now();
        assert_eq!(batches.recv().await.unwrap(), [round]);
        // Once in the buffer, once in the queue.
        assert!(clock.now().since(before) <= Duration::from_millis(42));
        assert_eq!(local.buffered(), 0);
    }
    local.add(9).await.unwrap();
    assert_eq!(batcher.close().await.delivered, 4, "close fetches what is buffered");
    assert_eq!(local.add(10).await, Err(AddError::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_told_with_its_reason() {
    let told = Arc::new(Mutex::new(HashMap::new()));
    let dead = Arc::clone(&told);
    let batcher = fixed(10)
        .on_given_up(move |items: Vec<GivenUp<u32>>| {
            let mut dead = dead.lock().unwrap();
            dead.extend(items.into_iter().map(|given_up| (given_up.item, given_up.why)));
            let panics = dead.contains_key(&4);
            drop(dead);
            assert!(!panics, "a hook that panics");
        })
        .build(|batch: Vec<u32>| async move {
            assert!(!batch.contains(&4), "four");
            batch.iter().map(|n| if n % 2 == 0 { Ok(()) } else { Err("odd") }).collect::<Vec<_>>()
        })
        .unwrap();
    for item in [1, 2, 3, 4, 6] {
        batcher.add(item).await.unwrap();
        batcher.flush().await.unwrap();
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (2, 3));
    let told = told.lock().unwrap();
    let odd = Failure::Refused { outcome: Outcome::Rejected, why: "odd".into() };
    assert_eq!((told.len(), &told[&1], &told[&3]), (3, &odd, &odd));
    assert_eq!(told[&4], Failure::Panicked { why: "four".into() });
}

/// A runtime that is shut down takes the driver with it: everybody hears of that.
#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let lost = Arc::new(Mutex::new(Vec::new()));
    let dead = Arc::clone(&lost);
    let runtime = paused();
    let batcher = runtime.block_on(async move {
        fixed(1)
            .concurrency(1.0)
            .queue_items(2)
            .on_given_up(move |items| dead.lock().unwrap().extend(items))
            .build(|_: Vec<u32>| std::future::pending::<()>())
            .unwrap()
    });
    let submits = [1, 2].map(|item| {
        let batcher = batcher.clone();
        std::thread::spawn(move || enter::block_on(batcher.submit(item)).unwrap_err())
    });
    // One in flight and one queued are all there is room for.
    runtime.block_on(async {
        while batcher.stats().in_flight == 0 || batcher.stats().queued == 0 {
            tokio::task::yield_now().await;
        }
    });
    let waiting = batcher.clone();
    let adds = std::thread::spawn(move || waiting.blocking_add(3, 0));
    drop(runtime);
    for submit in submits {
        assert_eq!(submit.join().unwrap(), SubmitError::GivenUp(Failure::Lost));
    }
    assert_eq!(adds.join().unwrap(), Err(AddError::Closed));
    let lost = lost.lock().unwrap();
    assert_eq!(lost.len(), 2);
    assert!(lost.iter().all(|given_up| given_up.why == Failure::Lost));
    assert_eq!(batcher.try_add(4, 0).unwrap_err().into_item(), 4);
    assert_eq!(enter::block_on(batcher.close()).queued, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ways_in_at_once_lose_nothing() {
    let batcher = Batcher::builder()
        .queue_items(300)
        .linger(Duration::from_millis(1))
        .build(|batch: Vec<u32>| async move { Ok::<_, Infallible>(batch) })
        .unwrap();
    let tasks = (0..12u32).map(|producer| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            let mut local = batcher.local();
            for item in 0..2_000 {
                match producer % 3 {
                    0 => batcher.add(item).await.unwrap(),
                    1 => local.add(item).await.unwrap(),
                    _ => assert_eq!(batcher.submit(item).await, Ok(item)),
                }
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let thread = std::thread::spawn({
        let batcher = batcher.clone();
        move || (0..2_000).for_each(|item| batcher.blocking_add(item, 0).unwrap())
    });
    for task in tasks {
        task.await.unwrap();
    }
    thread.join().unwrap();
    batcher.flush().await.unwrap();
    assert_eq!(batcher.stats().delivered, 26_000);
    assert_eq!(batcher.close().await.delivered, 26_000);
}
