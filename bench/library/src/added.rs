//! Items that nobody waits for.
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::{Batcher, ControllerSettings};
use tokio::sync::mpsc;

use crate::{BATCH, QUEUE, produce};

/// What a handler saw.
#[derive(Debug, Default)]
struct Seen {
    items: AtomicU64,
    sum: AtomicU64,
}

impl Seen {
    fn note(&self, batch: &[u64]) {
        self.items.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.sum.fetch_add(batch.iter().sum(), Ordering::Relaxed);
    }

    fn check(&self, items: u64) {
        assert_eq!(self.items.load(Ordering::Relaxed), items, "items lost or doubled");
        assert_eq!(self.sum.load(Ordering::Relaxed), items * (items - 1) / 2, "other items");
    }
}

fn counting(seen: &Arc<Seen>) -> Batcher<u64> {
    let seen = Arc::clone(seen);
    let handler = move |batch: Vec<u64>| {
        seen.note(&batch);
        std::future::ready(())
    };
    let builder = Batcher::builder()
        .batch_size_initial(u32::try_from(BATCH).expect("a small number"))
        .queue_items(QUEUE)
        .controller(ControllerSettings::Fixed);
    builder.build(handler).expect("the settings are good")
}

/// Through `Batcher::add`.
pub(crate) async fn add(producers: u64, items: u64) {
    let seen = Arc::new(Seen::default());
    let batcher = counting(&seen);
    produce(producers, items, |range| {
        let batcher = batcher.clone();
        async move {
            for item in range {
                batcher.add(item).await.expect("the batcher is open");
            }
        }
    })
    .await;
    assert_eq!(batcher.close().await.delivered, items);
    seen.check(items);
}

/// Through a local handle for each producer.
pub(crate) async fn local(producers: u64, items: u64) {
    let seen = Arc::new(Seen::default());
    let batcher = counting(&seen);
    produce(producers, items, |range| {
        let mut local = batcher.local();
        async move {
            for item in range {
                local.add(item).await.expect("the batcher is open");
            }
        }
    })
    .await;
    assert_eq!(batcher.close().await.delivered, items);
    seen.check(items);
}

/// Through a channel that the consumer empties a batch at a time.
pub(crate) async fn recv_many(producers: u64, items: u64) {
    let seen = Arc::new(Seen::default());
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let consumer = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            let mut batch = Vec::with_capacity(BATCH);
            while receiver.recv_many(&mut batch, BATCH).await > 0 {
                seen.note(&batch);
                batch.clear();
            }
        }
    });
    produce(producers, items, |range| {
        let sender = sender.clone();
        async move {
            for item in range {
                sender.send(item).await.expect("the consumer runs");
            }
        }
    })
    .await;
    drop(sender);
    consumer.await.expect("the consumer panicked");
    seen.check(items);
}
