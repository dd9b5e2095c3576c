//! What does an item cost? Nanoseconds for `add`, the local handle and `submit`, beside what tokio's
//! channels cost for the same job, in one run: the machine's mood cancels out of the ratios.
//!
//! Items are `u64`, a batch has 1,000, the handler does nothing but count and sum, the runtime has
//! two workers. Every repetition asserts that each item arrived exactly once (by count and sum) or,
//! for awaited items, that each got its own answer. The figures are medians.
//!
//! `cargo run --release -p tidegate --example cost_per_item [REPETITIONS] [ITEMS]`
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate::{Batcher, ControllerSettings};
use tokio::sync::{mpsc, oneshot};

const BATCH: usize = 1_000;
const QUEUE: usize = 100_000;
const PRODUCERS: [u64; 4] = [1, 4, 64, 1_000];

type Awaited = (u64, oneshot::Sender<u64>);

/// What the handlers saw.
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

/// Runs one task for each producer over its share of `0..items`, and waits for all.
async fn produce<F, Fut>(producers: u64, items: u64, task: F)
where
    F: Fn(std::ops::Range<u64>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let share = |n: u64| n * items / producers;
    let tasks: Vec<_> =
        (0..producers).map(|n| tokio::spawn(task(share(n)..share(n + 1)))).collect();
    for task in tasks {
        task.await.expect("a producer panicked");
    }
}

fn builder() -> tidegate::batcher::Builder<u64> {
    Batcher::builder()
        .batch_size_initial(1_000)
        .queue_items(QUEUE)
        .controller(ControllerSettings::Fixed)
}

async fn add(producers: u64, items: u64) {
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

async fn local(producers: u64, items: u64) {
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

fn counting(seen: &Arc<Seen>) -> Batcher<u64> {
    let seen = Arc::clone(seen);
    let handler = move |batch: Vec<u64>| {
        seen.note(&batch);
        std::future::ready(())
    };
    // Long enough that a batch leaves because it is full, as those of a busy program do.
    let linger = Duration::from_millis(1);
    builder().linger(linger).build(handler).expect("the settings are good")
}

async fn recv_many(producers: u64, items: u64) {
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

async fn submit(producers: u64, items: u64) {
    let handler = |batch: Vec<u64>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(
            batch.into_iter().map(|item| item + 1).collect::<Vec<_>>(),
        ))
    };
    let batcher = builder().build(handler).expect("the settings are good");
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

async fn channel_and_oneshot(producers: u64, items: u64) {
    let (sender, mut receiver) = mpsc::channel::<Awaited>(QUEUE);
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

/// Runs one case on a runtime of its own; returns nanoseconds an item.
fn cost<F: Future<Output = ()>>(items: u64, case: impl FnOnce() -> F) -> f64 {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    let start = Instant::now();
    runtime.block_on(case());
    start.elapsed().as_secs_f64() * 1e9 / items as f64
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let repetitions = arguments.next().map_or(7, |n| n.expect("REPETITIONS is a number"));
    let items = arguments.next().map_or(2_000_000, |n| n.expect("ITEMS is a number"));
    // An awaited item costs several times as much, so fewer of them do.
    let awaited = items / 5;
    println!("ns an item, medians of {repetitions} repetitions of {items} ({awaited} awaited)");
    println!("| P | recv_many | add | ratio | local | ratio | oneshot | submit | ratio |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for p in PRODUCERS {
        let mut costs: [Vec<f64>; 5] = Default::default();
        // Cases take turns, so that a slow minute of the machine is everybody's.
        for _ in 0..repetitions {
            costs[0].push(cost(items, || recv_many(p, items)));
            costs[1].push(cost(items, || add(p, items)));
            costs[2].push(cost(items, || local(p, items)));
            costs[3].push(cost(awaited, || channel_and_oneshot(p, awaited)));
            costs[4].push(cost(awaited, || submit(p, awaited)));
        }
        let [many, add, local, oneshot, submit] = costs.map(median);
        println!(
            "| {p} | {many:.0} | {add:.0} | {:.2} | {local:.1} | {:.2} | {oneshot:.0} | {submit:.0} | {:.2} |",
            add / many,
            local / many,
            submit / oneshot,
        );
    }
}
