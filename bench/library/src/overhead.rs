//! What does a batcher cost beside the work? Memory at rest, and processor time while it works.

use std::fs;

use tidegate::batcher::{Batch, handler_fn};
use tidegate::{Batcher, ControllerSettings};

type Error = Box<dyn std::error::Error>;

const ITEMS: u64 = 1_000_000;

/// Resident memory in KiB.
fn resident() -> Result<u64, Error> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// Processor time in hundredths of a second.
fn processor() -> Result<u64, Error> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no name")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    Ok(fields.get(11).ok_or("no utime")?.parse::<u64>()?
        + fields.get(12).ok_or("no stime")?.parse::<u64>()?)
}

/// What a handler does with an item: about a microsecond of work, as writing a row is.
fn work(item: u64) -> u64 {
    (0..1_000)
        .fold(item, |sum, n| std::hint::black_box(sum ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A sentence with both figures.
///
/// # Errors
///
/// If the system does not tell them.
pub async fn measure() -> Result<String, Error> {
    let start = processor()?;
    for item in 0..ITEMS {
        std::hint::black_box(work(item));
    }
    let direct = processor()? - start;

    let before = resident()?;
    let handler = handler_fn(|batch: Batch<u64>| {
        for item in &batch {
            std::hint::black_box(work(*item));
        }
        std::future::ready(())
    });
    let batcher = Batcher::builder()
        .batch_size_initial(1_000)
        .queue_items(10_000)
        .controller(ControllerSettings::Fixed)
        .build(handler)?;
    let start = processor()?;
    for item in 0..ITEMS {
        batcher.add(item).await?;
    }
    batcher.flush().await?;
    let through = processor()? - start;
    let memory = resident()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second")]
    let more = (through as f64 / direct as f64 - 1.0) * 100.0;
    Ok(format!(
        "Overhead: {memory} KiB more resident memory after {ITEMS} items; {more:+.1} % processor time \
         beside a loop that does the same work of about {} ns an item without a batcher.",
        direct * 10_000_000 / ITEMS
    ))
}
