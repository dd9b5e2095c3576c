//! What is measured must also be safe: callers that leave, and handlers that panic.
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]
#![expect(clippy::panic, reason = "a handler that panics is what it is about")]

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tidegate::batcher::{Failure, SubmitError};
use tidegate::{Batcher, ControllerSettings};

use crate::{QUEUE, produce};

/// Every tenth submitter leaves after its first poll; the others get their own answers, and every
/// item that was taken reaches the handler once.
///
/// # Panics
///
/// If that is not so.
pub async fn cancellation(producers: u64, items: u64) {
    let handled = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&handled);
    let handler = move |batch: Vec<u64>| {
        seen.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let values: Vec<_> = batch.into_iter().map(|item| item + 1).collect();
        async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(values)
        }
    };
    let builder = Batcher::builder().queue_items(QUEUE).controller(ControllerSettings::Fixed);
    let batcher = builder.build(handler).expect("the settings are good");
    produce(producers, items, |range| {
        let batcher = batcher.clone();
        async move {
            for item in range {
                let mut submit = pin!(batcher.submit(item));
                if item % 10 == 3 {
                    poll_fn(|cx| Poll::Ready(submit.as_mut().poll(cx).is_ready())).await;
                } else {
                    assert_eq!(submit.await, Ok(item + 1), "another item's answer");
                }
            }
        }
    })
    .await;
    let stats = batcher.close().await;
    assert_eq!(stats.added, handled.load(Ordering::Relaxed), "items lost or doubled");
    assert_eq!((stats.delivered, stats.failed), (stats.added, 0));
}

/// The handler panics with each batch that holds a multiple of 997: all items of such a batch hear
/// of it, all others get their answers.
///
/// # Panics
///
/// If that is not so.
pub async fn panics(producers: u64, items: u64) {
    let handler = |batch: Vec<u64>| async move {
        if batch.iter().any(|item| item % 997 == 0) {
            // Without a message on the terminal, unlike `panic!`.
            std::panic::resume_unwind(Box::new("a multiple of 997"));
        }
        Ok::<_, Infallible>(batch)
    };
    let builder = Batcher::builder().queue_items(QUEUE).controller(ControllerSettings::Fixed);
    let batcher = builder.build(handler).expect("the settings are good");
    let failed = Arc::new(AtomicU64::new(0));
    produce(producers, items, |range| {
        let (batcher, failed) = (batcher.clone(), Arc::clone(&failed));
        async move {
            for item in range {
                match batcher.submit(item).await {
                    Ok(value) => assert_eq!((value, item % 997 != 0), (item, true)),
                    Err(SubmitError::GivenUp(Failure::Panicked { .. })) => {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    })
    .await;
    let stats = batcher.close().await;
    assert_eq!(stats.failed, failed.load(Ordering::Relaxed));
    assert!(stats.failed >= items / 997, "every multiple fails");
    assert_eq!(stats.delivered + stats.failed, items);
}
