//! A program that uses batch-aint-one: names are looked up in batches, one in flight.
//! `port_after.rs` is the same program with tidegate.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use batch_aint_one::{Batcher, BatchingPolicy, Limits, Processor};

#[derive(Debug, Clone)]
struct Lengths;

impl Processor for Lengths {
    type Key = ();
    type Input = String;
    type Output = usize;
    type Error = String;
    type Resources = ();

    async fn acquire_resources(&self, (): ()) -> Result<(), String> {
        Ok(())
    }

    async fn process(
        &self,
        (): (),
        names: impl Iterator<Item = String> + Send,
        (): (),
    ) -> Result<Vec<usize>, String> {
        Ok(names.map(|name| name.len()).collect())
    }
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let batcher = Batcher::builder()
        .name("lengths")
        .processor(Lengths)
        .limits(
            Limits::builder()
                .max_batch_size(100)
                .max_key_concurrency(1)
                .max_key_queued_items(1_000)
                .build(),
        )
        .batching_policy(BatchingPolicy::Immediate)
        .build();
    let callers = (0..500).map(|n| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.add((), "x".repeat(n)).await })
    });
    for (n, caller) in callers.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(caller.await?.map_err(|error| error.to_string())?, n);
    }
    batcher.worker_handle().shut_down().await;
    batcher.worker_handle().wait_for_shutdown().await;
    Ok(())
}
