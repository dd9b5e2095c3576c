//! The batcher in paused time: what leaves, when, why, and that nothing is lost.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::clock::Clock;
use super::*;
use crate::{ControllerSettings, Feedback, FlushReason, Moment, Outcome};

/// A handler that reports each batch, and answers once it is allowed to.
struct Gate {
    batches: mpsc::Sender<Vec<u32>>,
    allowed: Arc<Semaphore>,
}

impl Handler<u32> for Gate {
    type Output = ();

    async fn handle(&self, batch: Batch<u32>) -> Answer {
        self.batches.send(batch.into_vec()).await.unwrap();
        self.allowed.acquire().await.unwrap().forget();
        Answer::ok()
    }
}

fn gated(builder: Builder<u32>) -> (Batcher<u32>, mpsc::Receiver<Vec<u32>>, Arc<Semaphore>) {
    let (sender, batches) = mpsc::channel(100);
    let allowed = Arc::new(Semaphore::new(0));
    let gate = Gate { batches: sender, allowed: Arc::clone(&allowed) };
    (builder.build(gate).unwrap(), batches, allowed)
}

/// Fixed batches of ten, one at a time, that linger for 50 ms.
fn tens() -> Builder<u32> {
    Batcher::builder()
        .batch_size_initial(10)
        .concurrency(1.0)
        .linger(Duration::from_millis(50))
        .controller(ControllerSettings::Fixed)
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_at_once_and_the_rest_lingers() {
    let (batcher, mut batches, allowed) = gated(tens());
    allowed.add_permits(2);
    let clock = Clock::start();
    for item in 0..13 {
        batcher.add(item).await.unwrap();
    }
    assert_eq!(batches.recv().await.unwrap(), (0..10).collect::<Vec<_>>());
    assert_eq!(clock.now(), Moment::ZERO);
    assert_eq!(batches.recv().await.unwrap(), [10, 11, 12]);
    assert!(clock.now() >= Moment::ZERO + Duration::from_millis(50));
    let stats = batcher.close().await;
    assert_eq!(stats.counters.left_for(FlushReason::Size), 1);
    assert_eq!(stats.counters.left_for(FlushReason::Linger), 1);
    assert_eq!((stats.delivered, stats.failed, stats.queued), (13, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_a_hard_cap() {
    let (batcher, mut batches, allowed) = gated(tens().batch_bytes_max(100));
    allowed.add_permits(9);
    for item in 0..5 {
        batcher.add_sized(item, 40).await.unwrap();
    }
    assert_eq!(batches.recv().await.unwrap(), [0, 1]);
    assert_eq!(batches.recv().await.unwrap(), [2, 3]);
    let error = batcher.add_sized(9, 101).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the item has 101 bytes, and a batch at most 100: raise batch_bytes_max"
    );
    assert_eq!(batcher.close().await.counters.left_for(FlushReason::Bytes), 2);
}

#[tokio::test(start_paused = true)]
async fn flush_waits_for_what_came_before_it() {
    let (batcher, mut batches, allowed) = gated(tens().linger(Duration::from_secs(60)));
    batcher.add(1).await.unwrap();
    let flush = tokio::spawn({
        let batcher = batcher.clone();
        async move { batcher.flush().await }
    });
    assert_eq!(batches.recv().await.unwrap(), [1]);
    assert!(!flush.is_finished());
    allowed.add_permits(1);
    flush.await.unwrap().unwrap();
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.counters.left_for(FlushReason::Manual)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_priority_item_takes_along_what_came_before() {
    let (batcher, mut batches, allowed) = gated(tens().linger(Duration::from_secs(60)));
    allowed.add_permits(1);
    batcher.add(1).await.unwrap();
    batcher.add_priority(2, 0).await.unwrap();
    assert_eq!(batches.recv().await.unwrap(), [1, 2]);
    assert_eq!(batcher.close().await.counters.left_for(FlushReason::Priority), 1);
}

#[tokio::test(start_paused = true)]
async fn producers_wait_for_room_and_get_it_in_order() {
    let (batcher, mut batches, allowed) = gated(tens().queue_items(10));
    for item in 0..10 {
        batcher.add(item).await.unwrap();
    }
    let waiting = tokio::spawn({
        let batcher = batcher.clone();
        async move { batcher.add(10).await }
    });
    batches.recv().await.unwrap();
    assert!(!waiting.is_finished(), "ten are in flight, so there is no room");
    allowed.add_permits(2);
    waiting.await.unwrap().unwrap();
    assert_eq!(batcher.close().await.delivered, 11);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_stops_waiting_added_nothing() {
    let (batcher, mut batches, allowed) = gated(tens().queue_items(10));
    for item in 0..10 {
        batcher.add(item).await.unwrap();
    }
    let given_up = tokio::time::timeout(Duration::from_millis(1), batcher.add(99)).await;
    assert!(given_up.is_err());
    allowed.add_permits(1);
    batches.recv().await.unwrap();
    let stats = batcher.close().await;
    assert_eq!((stats.added, stats.delivered), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn close_drains_and_then_refuses() {
    let (batcher, _batches, allowed) = gated(tens().linger(Duration::from_secs(60)));
    allowed.add_permits(9);
    for item in 0..25 {
        batcher.add(item).await.unwrap();
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.counters.left_for(FlushReason::Drain)), (25, 1));
    assert_eq!(batcher.add(1).await, Err(AddError::Closed));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_still_delivers() {
    let (batcher, mut batches, _allowed) = gated(tens().linger(Duration::from_secs(60)));
    batcher.add(7).await.unwrap();
    drop(batcher);
    assert_eq!(batches.recv().await.unwrap(), [7]);
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_batch_only() {
    let batcher = tens()
        .linger(Duration::ZERO)
        .build(|batch: Vec<u32>| async move { assert!(!batch.contains(&1), "one is bad") })
        .unwrap();
    batcher.add(1).await.unwrap();
    batcher.flush().await.unwrap();
    batcher.add(2).await.unwrap();
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (1, 1));
    assert!(stats.last_failure.unwrap().contains("panicked"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_per_item_is_counted_per_item() {
    let batcher = tens()
        .build(|batch: Vec<u32>| async move {
            Answer::per_item(
                batch.into_iter().map(|n| if n % 2 == 0 { Ok(()) } else { Err("odd") }),
            )
        })
        .unwrap();
    for item in 0..10 {
        batcher.add(item).await.unwrap();
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (5, 5));
    assert_eq!(stats.last_failure.as_deref(), Some("odd"));
    assert_eq!(stats.counters.ended(Outcome::Partial { delivered: 0 }), 1);
}

#[tokio::test(start_paused = true)]
async fn feedback_of_a_handler_reaches_the_controller() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let batcher = tens()
        .linger(Duration::ZERO)
        .controller(ControllerSettings::by_name("load_score").unwrap())
        .build(move |batch: Vec<u32>| {
            seen.lock().unwrap().push(batch.len());
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Answer::ok().with_feedback(Feedback { cpu: Some(0.1), ..Feedback::default() })
            }
        })
        .unwrap();
    for item in 0..2_000 {
        batcher.add(item).await.unwrap();
    }
    let stats = batcher.close().await;
    assert_eq!(stats.delivered, 2_000);
    assert_eq!(sizes.lock().unwrap()[1], 10);
    assert_eq!(stats.decisions[0].to.batch_size, 12);
    assert!(sizes.lock().unwrap().contains(&12));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_producers_lose_nothing() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let batcher = Batcher::builder()
        .queue_items(500)
        .build(move |batch: Vec<u32>| {
            let sink = Arc::clone(&sink);
            async move { sink.lock().unwrap().extend(batch) }
        })
        .unwrap();
    let producers = (0..16u32).map(|producer| {
        let batcher = batcher.clone();
        tokio::spawn(async move {
            for item in 0..1_000 {
                batcher.add(producer * 1_000 + item).await.unwrap();
            }
        })
    });
    for producer in producers.collect::<Vec<_>>() {
        producer.await.unwrap();
    }
    assert_eq!(batcher.close().await.delivered, 16_000);
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..16_000));
}
