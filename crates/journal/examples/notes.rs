//! How many batches a second can be noted before they are attempted?
//!
//! `cargo run --release -p tidegate-journal --example notes -- [seconds]` prints a line for each
//! durability and number of batches on their way at once; each is begun and, once that is durable,
//! delivered. Batches that are noted together share one write and one sync.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement on the command line")]
#![allow(clippy::disallowed_methods, reason = "it measures the time that passes")]

use std::time::{Duration, Instant};

use tidegate_journal::{
    ClassFilter, Durability, FileStorage, Group, Journal, LaneCursor, LaneStart, Settings,
};
use tokio::task::JoinSet;

/// Positions that may be noted.
const ITEMS: u32 = 1_000_000;

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).map_or(2.0, |text| text.parse().unwrap());
    println!("{:<10} {:>9} {:>11} {:>9}", "durability", "at once", "batches/s", "p99, ms");
    for durability in [Durability::Fsync, Durability::Written] {
        for at_once in [1, 4, 16, 64] {
            let dir = tempfile::tempdir_in(".").unwrap();
            let settings = Settings { durability, ..Settings::default() };
            let (journal, _) =
                Journal::open(FileStorage::open(dir.path()).unwrap(), settings).unwrap();
            let lane = journal.lane("api", ClassFilter::all(), LaneStart::Oldest).unwrap();
            let (_reader, cursor) = lane.split();
            let group = Group { class: "".into(), items: ITEMS, rows: "rows".into() };
            journal.append(vec![group]).unwrap().await.unwrap();
            let (noted, mut took) = run(&cursor, at_once, Duration::from_secs_f64(seconds)).await;
            took.sort_unstable();
            let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
            let rate = noted as f64 / seconds;
            let ms = p99.as_secs_f64() * 1e3;
            println!("{:<10} {at_once:>9} {rate:>11.0} {ms:>9.2}", format!("{durability:?}"));
            journal.close().await.unwrap();
        }
    }
}

/// Notes and delivers batches, each of `at_once` tasks its own; how many, and how long each took.
async fn run(cursor: &LaneCursor, at_once: u64, long: Duration) -> (usize, Vec<Duration>) {
    let end = Instant::now() + long;
    let mut tasks = JoinSet::new();
    for task in 0..at_once {
        let cursor = cursor.clone();
        tasks.spawn(async move {
            let (notes, mut took) = (cursor.notes(), Vec::new());
            let mut at = task;
            while Instant::now() < end && at < u64::from(ITEMS) {
                let began = Instant::now();
                notes.begin(at..at + 1).await.unwrap();
                took.push(began.elapsed());
                cursor.delivered(at..at + 1).unwrap();
                at += at_once;
            }
            took
        });
    }
    let took = tasks.join_all().await.concat();
    (took.len(), took)
}
