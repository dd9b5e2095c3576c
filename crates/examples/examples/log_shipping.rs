//! Log shipping: threads that must not wait hand their lines over in a call, a task reads a file as
//! a stream, and both leave in requests of at most 64 KiB.
//!
//! `cargo run -p tidegate-examples --example log_shipping`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Router, serve};
use tidegate::Batcher;
use tidegate::batcher::TryAddError;
use tokio::io::{AsyncBufReadExt, BufReader};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let (lines, largest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, high) = (Arc::clone(&lines), Arc::clone(&largest));
    let take = post(move |body: String| async move {
        count.fetch_add(body.lines().count(), Ordering::SeqCst);
        high.fetch_max(body.len(), Ordering::SeqCst);
        StatusCode::NO_CONTENT
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener, Router::new().route("/logs", take)).into_future());

    let batcher = Batcher::builder()
        .batch_bytes_max(64 << 10)
        .batch_size_initial(1_000)
        .linger(Duration::from_millis(100))
        .build(move |lines: Vec<String>| async move {
            let answered = tidegate_examples::post(server, "/logs", lines.join("\n")).await?;
            if answered.status < 300 { Ok(()) } else { Err(Error::from("not taken")) }
        })?;

    // Threads log without waiting; what finds no room is counted instead.
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let batcher = batcher.clone();
            std::thread::spawn(move || {
                let mut dropped = 0;
                for n in 0..2_000 {
                    let line = format!("thread {thread} did step {n}");
                    let bytes = line.len() as u64 + 1;
                    match batcher.try_add(line, bytes) {
                        Ok(()) => {}
                        Err(TryAddError::Full(_)) => dropped += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                dropped
            })
        })
        .collect();

    // A file is read as fast as there is room.
    let file = tempfile::NamedTempFile::new()?;
    tokio::fs::write(file.path(), "a line of an older log\n".repeat(5_000)).await?;
    let mut old = BufReader::new(tokio::fs::File::open(file.path()).await?).lines();
    while let Some(line) = old.next_line().await? {
        let bytes = line.len() as u64 + 1;
        batcher.add_sized(line, bytes).await?;
    }
    let waiting =
        threads.into_iter().map(|thread| tokio::task::spawn_blocking(move || thread.join()));
    let mut dropped = 0;
    for thread in waiting.collect::<Vec<_>>() {
        dropped += thread.await?.map_err(|_| "a thread panicked")?;
    }
    let stats = batcher.close().await;
    assert_eq!(lines.load(Ordering::SeqCst) + dropped, 13_000);
    assert_eq!(stats.failed, 0);
    assert!(largest.load(Ordering::SeqCst) <= 64 << 10);
    println!(
        "{} lines in {} requests, {dropped} dropped",
        stats.delivered, stats.counters.attempts
    );
    serving.abort();
    Ok(())
}
