//! How fast does this disk take requests? A rough figure, not a benchmark.
//!
//! `cargo run --release -p tidegate-journal --example append -- [DIR] [FRAMES] [TASKS] [BYTES]`
//!
//! Some tasks append one request after the other, one lane reads and delivers them, so that
//! segments are freed and used again as they would be in a server.
#![allow(clippy::print_stdout, reason = "an example answers on the terminal")]

use std::error::Error;
use std::ops::Range;
use std::time::Instant;

use tidegate_journal::{
    Advice, ClassFilter, Durability, FileStorage, Group, Journal, LaneStart, Settings,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "target/append-example".into());
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (frames, tasks, bytes) = (number(50_000)?, number(8)?, number(35_000)?);
    for durability in [Durability::Fsync, Durability::Written, Durability::Memory] {
        let settings = Settings { durability, ..Settings::default() };
        let (journal, _) = Journal::open(FileStorage::open(&dir)?, settings)?;
        run(&journal, frames, tasks, usize::try_from(bytes)?).await?;
        journal.close().await?;
    }
    Ok(())
}

async fn run(
    journal: &Journal,
    frames: u64,
    tasks: u64,
    bytes: usize,
) -> Result<(), Box<dyn Error>> {
    let (mut reader, cursor) = journal.lane("all", ClassFilter::all(), LaneStart::Newest)?.split();
    journal.begin_retention();
    let end = journal.stats().durable + frames * 100;
    let reading = tokio::spawn(async move {
        while reader.place() < end {
            for frame in reader.next(1 << 20).await? {
                cursor.delivered(frame.first..frame.end)?;
            }
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    });
    let rows = bytes::Bytes::from(vec![b'x'; bytes]);
    let began = now();
    let appending: Vec<_> = (0..tasks)
        .map(|task| {
            let (journal, rows) = (journal.clone(), rows.clone());
            let share = frames / tasks + u64::from(task < frames % tasks);
            tokio::spawn(async move {
                for _ in 0..share {
                    append(&journal, &rows).await?;
                }
                Ok::<_, tidegate_journal::AppendError>(())
            })
        })
        .collect();
    for task in appending {
        task.await??;
    }
    let took = began.elapsed().as_secs_f64();
    reading.await?.map_err(|error| error.to_string())?;
    let stats = journal.stats();
    let megabytes = (frames * bytes as u64) as f64 / 1e6 / took;
    println!("{:?}: {:.0} requests/s, {megabytes:.0} MB/s", stats.durability, frames as f64 / took);
    if stats.commits > 0 {
        let per_commit = stats.frames as f64 / stats.commits as f64;
        println!("  {} commits of {per_commit:.1} requests", stats.commits);
    }
    if stats.syncs.count() > 0 {
        let syncs = &stats.syncs;
        println!(
            "  sync: mean {:?}, p50 < {:?}, p99 < {:?}, max {:?}",
            syncs.mean(),
            syncs.quantile(0.5),
            syncs.quantile(0.99),
            syncs.max()
        );
    }
    println!("  {} reads from disk, {} segments left", stats.disk_reads, stats.segments);
    Ok(())
}

async fn append(
    journal: &Journal,
    rows: &bytes::Bytes,
) -> Result<Range<u64>, tidegate_journal::AppendError> {
    loop {
        let group = Group { class: "".into(), items: 100, rows: rows.clone() };
        let refused = match journal.append(vec![group]) {
            Ok(append) => match append.await {
                Ok(range) => return Ok(range),
                Err(refused) => refused,
            },
            Err(refused) => refused,
        };
        if refused.advice() != Advice::RetryLater {
            return Err(refused);
        }
        tokio::task::yield_now().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "an example measures with the wall clock")]
fn now() -> Instant {
    Instant::now()
}
