//! Items whose own outcome is awaited, one after the other by each producer.
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]

use std::convert::Infallible;
use std::future::ready;

use batch_aint_one::{BatchingPolicy, Limits, Processor};
use tidegate::{Batcher, ControllerSettings};
use tokio::sync::{mpsc, oneshot};

use crate::{BATCH, QUEUE, produce};

/// Through `Batcher::submit`.
pub(crate) async fn submit(producers: u64, items: u64) {
    let handler = |batch: Vec<u64>| {
        ready(Ok::<_, Infallible>(batch.into_iter().map(|item| item + 1).collect::<Vec<_>>()))
    };
    let builder = Batcher::builder()
        .batch_size_initial(u32::try_from(BATCH).expect("a small number"))
        .queue_items(QUEUE)
        .controller(ControllerSettings::Fixed);
    let batcher = builder.build(handler).expect("the settings are good");
    produce(producers, items, |range| {
        let batcher = batcher.clone();
        async move {
            for item in range {
                assert_eq!(batcher.submit(item).await, Ok(item + 1));
            }
        }
    })
    .await;
    assert_eq!(batcher.close().await.delivered, items);
}

/// Through a channel, with a channel for each answer.
pub(crate) async fn oneshot(producers: u64, items: u64) {
    let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(QUEUE);
    let consumer = tokio::spawn(async move {
        let mut batch = Vec::with_capacity(BATCH);
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            for (item, answer) in batch.drain(..) {
                answer.send(item + 1).expect("the producer waits");
            }
        }
    });
    produce(producers, items, |range| {
        let sender = sender.clone();
        async move {
            for item in range {
                let (answer, answered) = oneshot::channel();
                sender.send((item, answer)).await.expect("the consumer runs");
                assert_eq!(answered.await, Ok(item + 1));
            }
        }
    })
    .await;
    drop(sender);
    consumer.await.expect("the consumer panicked");
}

/// The handler, as batch-aint-one wants it.
#[derive(Debug, Clone)]
struct PlusOne;

impl Processor for PlusOne {
    type Key = ();
    type Input = u64;
    type Output = u64;
    type Error = String;
    type Resources = ();

    async fn acquire_resources(&self, (): ()) -> Result<(), String> {
        Ok(())
    }

    async fn process(
        &self,
        (): (),
        inputs: impl Iterator<Item = u64> + Send,
        (): (),
    ) -> Result<Vec<u64>, String> {
        Ok(inputs.map(|item| item + 1).collect())
    }
}

/// Through batch-aint-one.
pub(crate) async fn batch_aint_one(producers: u64, items: u64) {
    let limits = Limits::builder().max_batch_size(BATCH).max_key_queued_items(QUEUE).build();
    let batcher = batch_aint_one::Batcher::builder()
        .name("cost")
        .processor(PlusOne)
        .limits(limits)
        .batching_policy(BatchingPolicy::Immediate)
        .build();
    produce(producers, items, |range| {
        let batcher = batcher.clone();
        async move {
            for item in range {
                assert_eq!(batcher.add((), item).await.ok(), Some(item + 1));
            }
        }
    })
    .await;
}
