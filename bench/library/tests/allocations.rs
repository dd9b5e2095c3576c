//! Invariant: once it runs, an item costs at most one allocation in a thousand, whether it is added
//! as it is, through a local handle, or awaited.
//!
//! The allocator counts what this process asks for. Batches are taken as they are (`handler_fn`),
//! so that their vectors come back; a handler that takes a `Vec` costs one allocation a batch more.
//! What is counted are the items after a first tenth, in which vectors grow to their size.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that went wrong shall end"
)]
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

#[path = "../../counting.rs"]
mod counting;

use std::future::ready;

use tidegate::batcher::{Batch, handler_fn};
use tidegate::{Batcher, ControllerSettings};

use counting::allocations;

fn batcher() -> Batcher<u64> {
    let handler = handler_fn(|batch: Batch<u64>| {
        std::hint::black_box(&*batch);
        ready(())
    });
    Batcher::builder()
        .batch_size_initial(1_000)
        // As many full batches as there are vectors to be used again.
        .queue_items(16_000)
        .controller(ControllerSettings::Fixed)
        .build(handler)
        .unwrap()
}

/// Allocations an item of `work`, which is given a number of items for each of its producers.
async fn per_item<F, Fut>(producers: u64, items: u64, work: F) -> f64
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let warm = tokio::sync::Barrier::new(usize::try_from(producers).unwrap() + 1);
    let warm = std::sync::Arc::new(warm);
    let tasks: Vec<_> = (0..producers)
        .map(|_| {
            let (first, then) = (work(items / 10), work(items));
            let warm = std::sync::Arc::clone(&warm);
            tokio::spawn(async move {
                first.await;
                warm.wait().await;
                warm.wait().await;
                then.await;
                warm.wait().await;
            })
        })
        .collect();
    warm.wait().await;
    let before = allocations();
    warm.wait().await;
    warm.wait().await;
    let allocations = allocations() - before;
    for task in tasks {
        task.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
    let each = allocations as f64 / (items * producers) as f64;
    println!("{each:.6} allocations an item");
    each
}

/// One test, so that no other allocates meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(debug_assertions, ignore = "counted in the release build: `make gates`")]
async fn an_item_allocates_next_to_nothing() {
    let added = batcher();
    let adds = |items| {
        let batcher = added.clone();
        async move {
            for item in 0..items {
                batcher.add(item).await.unwrap();
            }
        }
    };
    let each = per_item(4, 100_000, adds).await;
    assert!(each <= 0.001, "add: {each} allocations an item");

    let submitted = batcher();
    let submits = |items| {
        let batcher = submitted.clone();
        async move {
            for item in 0..items {
                batcher.submit(item).await.unwrap();
            }
        }
    };
    let each = per_item(64, 3_000, submits).await;
    assert!(each <= 0.001, "submit: {each} allocations an item");

    let hot = batcher();
    let locals = |items| {
        let mut local = hot.local();
        async move {
            for item in 0..items {
                local.add(item).await.unwrap();
            }
        }
    };
    let each = per_item(4, 100_000, locals).await;
    assert!(each <= 0.001, "a local handle: {each} allocations an item");
}
