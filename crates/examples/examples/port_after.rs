//! A program that used batch-aint-one before: names are looked up in batches, one in flight.
//! `port_before.rs` is the same program without tidegate.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use tidegate::Batcher;

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let batcher = Batcher::builder().batch_size(1..=100).concurrency(1.0).build(
        |names: Vec<String>| async move {
            Ok::<_, String>(names.iter().map(String::len).collect::<Vec<_>>())
        },
    )?;
    let callers = (0..500).map(|n| {
        let batcher = batcher.clone();
        tokio::spawn(async move { batcher.submit("x".repeat(n)).await })
    });
    for (n, caller) in callers.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(caller.await??, n);
    }
    batcher.close().await;
    Ok(())
}
