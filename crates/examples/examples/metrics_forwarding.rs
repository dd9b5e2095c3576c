//! Metrics forwarding: increments from hot loops, through local handles, summed up by name and sent
//! as a few datagrams in statsd's format.
//!
//! `cargo run -p tidegate-examples --example metrics_forwarding`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "an example"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate::Batcher;
use tidegate::batcher::{Batch, handler_fn};
use tokio::net::UdpSocket;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A name, and by how much it goes up.
type Increment = (&'static str, u64);

const NAMES: [&str; 4] = ["requests", "hits", "misses", "errors"];

/// One line for each name.
fn summed(batch: &[Increment]) -> String {
    let mut sums = BTreeMap::new();
    for (name, by) in batch {
        *sums.entry(name).or_insert(0) += by;
    }
    sums.iter().map(|(name, sum)| format!("{name}:{sum}|c\n")).collect()
}

/// Runs the example to its end.
#[tokio::main]
pub async fn main() -> Result<(), Error> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    socket.connect(address).await?;

    let handler = handler_fn(move |batch: Batch<Increment>| {
        let (datagram, socket) = (summed(&batch), Arc::clone(&socket));
        async move { socket.send(datagram.as_bytes()).await.map(|_| ()) }
    });
    let batcher = Batcher::builder()
        .batch_size(1..=100_000)
        .batch_size_initial(50_000)
        .concurrency(1.0)
        .linger(Duration::from_millis(50))
        .controller(tidegate::ControllerSettings::Fixed)
        .build(handler)?;
    let loops = (0..4).map(|_| {
        let mut local = batcher.local();
        tokio::spawn(async move {
            for n in 0..50_000_usize {
                local.add((NAMES[n % NAMES.len()], 1)).await?;
            }
            Ok::<_, Error>(())
        })
    });
    for each in loops.collect::<Vec<_>>() {
        each.await??;
    }
    let stats = batcher.close().await;
    assert_eq!((stats.delivered, stats.failed), (200_000, 0));

    let mut sums = BTreeMap::<String, u64>::new();
    let mut buffer = [0; 1_500];
    for _ in 0..stats.counters.attempts {
        let length = server.recv(&mut buffer).await?;
        for line in std::str::from_utf8(&buffer[..length])?.lines() {
            let (name, rest) = line.split_once(':').ok_or("no name")?;
            let value: u64 = rest.trim_end_matches("|c").parse()?;
            *sums.entry(name.to_owned()).or_default() += value;
        }
    }
    assert_eq!(sums.len(), NAMES.len());
    assert!(sums.values().all(|sum| *sum == 50_000));
    println!("200000 increments in {} datagrams", stats.counters.attempts);
    Ok(())
}
