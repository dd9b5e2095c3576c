//! Is a submitter that polls the driver itself noticed by anybody? Only by the time it takes.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::enter::block_on;
use super::*;
use crate::ControllerSettings;

/// Submits before a submitter surely counts as alone.
const ALONE_AFTER: u64 = 100;

fn builder() -> Builder<u64> {
    Batcher::builder().controller(ControllerSettings::Fixed)
}

/// One after the other, until nobody joining has been learnt.
async fn settle_down(batcher: &Batcher<u64, u64>) {
    for item in 0..ALONE_AFTER {
        assert_eq!(batcher.submit(item).await, Ok(item + 1));
    }
}

fn plus_one(batch: &[u64]) -> Result<Vec<u64>, Infallible> {
    Ok(batch.iter().map(|item| item + 1).collect())
}

#[tokio::test]
async fn a_lone_item_is_handled_on_its_submitters_task() {
    let tasks = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tasks);
    let handler = move |batch: Vec<u64>| {
        seen.lock().unwrap().push(tokio::task::try_id());
        std::future::ready(plus_one(&batch))
    };
    let batcher = builder().build(handler).unwrap();
    let submitter = tokio::spawn({
        let batcher = batcher.clone();
        async move {
            settle_down(&batcher).await;
            settle_down(&batcher).await;
            tokio::task::id()
        }
    });
    let submitter = submitter.await.unwrap();
    let own = tasks.lock().unwrap().iter().filter(|id| **id == Some(submitter)).count();
    assert!(own > 100, "{own} of 200 were handled without a switch of tasks");
    let stats = batcher.close().await;
    assert_eq!((stats.added, stats.delivered, stats.failed), (200, 200, 0));
    assert_eq!((stats.queued, stats.in_flight), (0, 0));
}

#[tokio::test]
async fn company_shares_batches_again() {
    let handler = |batch: Vec<u64>| std::future::ready(plus_one(&batch));
    let batcher = builder().build(handler).unwrap();
    settle_down(&batcher).await;
    let before = batcher.stats().counters.attempts;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let batcher = batcher.clone();
            tokio::spawn(async move {
                for item in 0..1_000 {
                    assert_eq!(batcher.submit(item).await, Ok(item + 1));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let batches = batcher.stats().counters.attempts - before;
    assert!(batches < 2_000, "{batches} batches of 8,000 items");
}

#[tokio::test]
async fn a_lone_item_hears_of_a_panic_and_the_next_is_handled() {
    let handler = |batch: Vec<u64>| async move {
        assert!(!batch.contains(&7_777), "a poison item");
        plus_one(&batch)
    };
    let batcher = builder().build(handler).unwrap();
    settle_down(&batcher).await;
    let error = batcher.submit(7_777).await.unwrap_err();
    assert!(matches!(error, SubmitError::GivenUp(Failure::Panicked { .. })), "{error}");
    assert_eq!(batcher.submit(1).await, Ok(2));
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (ALONE_AFTER + 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lone_item_that_has_to_wait_goes_on_without_its_submitter() {
    let handled = Arc::new(Mutex::new(HashSet::<u64>::new()));
    let seen = Arc::clone(&handled);
    let handler = move |batch: Vec<u64>| {
        let seen = Arc::clone(&seen);
        async move {
            if batch[0] >= ALONE_AFTER {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            seen.lock().unwrap().extend(&batch);
            plus_one(&batch)
        }
    };
    let batcher = builder().build(handler).unwrap();
    settle_down(&batcher).await;
    for item in 1_000..1_010 {
        let mut submit = pin!(batcher.submit(item));
        if item % 2 == 0 {
            // Leaves after the first poll.
            let waits = poll_fn(|cx| Poll::Ready(submit.as_mut().poll(cx).is_pending())).await;
            assert!(waits);
        } else {
            assert_eq!(submit.await, Ok(item + 1));
        }
    }
    let stats = batcher.close().await;
    assert_eq!((stats.added, stats.delivered), (ALONE_AFTER + 10, ALONE_AFTER + 10));
    assert!((1_000..1_010).all(|item| handled.lock().unwrap().contains(&item)));
}

/// A submitter without a runtime polls the driver in the driver's own; when that is gone it hears so.
#[test]
fn a_lone_submitter_needs_no_runtime_of_its_own() {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_time().build().unwrap();
    let handler = |batch: Vec<u64>| async move {
        if batch[0] % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        plus_one(&batch)
    };
    let batcher = runtime.block_on(async { builder().build(handler).unwrap() });
    for item in 0..200 {
        let item = if item < ALONE_AFTER { 2 * item } else { item };
        assert_eq!(block_on(batcher.submit(item)), Ok(item + 1));
    }
    drop(runtime);
    assert_eq!(block_on(batcher.submit(1)), Err(AddError::Closed.into()));
}

/// The handler asks its own batcher, while its batch is polled by a submitter.
#[tokio::test]
async fn a_handler_may_submit() {
    let own = Arc::new(Mutex::new(None::<Batcher<u64, u64>>));
    let asks = Arc::clone(&own);
    let handler = move |batch: Vec<u64>| {
        let batcher = asks.lock().unwrap().clone();
        async move {
            if let Some(batcher) = batcher.filter(|_| batch[0] == 1_000) {
                assert_eq!(batcher.submit(5).await, Ok(6));
            }
            plus_one(&batch)
        }
    };
    let batcher = builder().build(handler).unwrap();
    *own.lock().unwrap() = Some(batcher.clone());
    settle_down(&batcher).await;
    assert_eq!(batcher.submit(1_000).await, Ok(1_001));
    *own.lock().unwrap() = None;
    assert_eq!(batcher.close().await.delivered, ALONE_AFTER + 2);
}
