//! A database that is none: `cargo run --release -p tidegate-sim --example live`.
//!
//! The library's batcher in real time against the backend of pgA, of which a neighbour takes three
//! quarters in the middle: five seconds of what it decides, and what came of it.

use std::io::Write as _;
use std::time::Duration;

use tidegate::{Batcher, ControllerSettings};
use tidegate_sim::live::Simulated;
use tidegate_sim::scenario::{CapacityChange, canonical};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut spec = canonical::by_name("pgA")?.ok_or("pgA ships with the crate")?.backend;
    let change = CapacityChange { from_s: 1.5, full_s: None, until_s: Some(3.5), factor: 0.25 };
    spec.capacity.push(change);
    let backend = Simulated::start(&spec, 1);
    let target = Duration::from_millis(100);
    let controller = ControllerSettings::by_name("joint").ok_or("joint is a controller")?;
    let batcher = Batcher::builder()
        .batch_size(1..=20_000)
        .controller(controller.with_target(target))
        .build(backend.clone())?;
    let full = batcher.clone();
    let source = tokio::spawn(async move { while full.add(0_u64).await.is_ok() {} });
    let mut before = 0;
    for tick in 1..=10_u32 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (stats, found) = (batcher.stats(), backend.stats());
        writeln!(
            std::io::stdout(),
            "{:3.1} s  capacity {:3.0} %  plan {:5} × {:<4.1}  {:7} items/s",
            f64::from(tick) / 2.0,
            found.capacity_left * 100.0,
            stats.plan.batch_size,
            stats.plan.concurrency,
            (found.items - before) * 2,
        )?;
        before = found.items;
    }
    source.abort();
    let last = batcher.stats().decisions.last().map(|decision| decision.reason.to_string());
    writeln!(std::io::stdout(), "the last decision: {}", last.unwrap_or_default())?;
    batcher.close().await;
    Ok(())
}
