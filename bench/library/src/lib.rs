//! What does an item cost in the library? The same job done in several ways, each of which asserts
//! that it was done right.
//!
//! A job is a number of `u64` items from P producers, in batches of up to 1,000, on a runtime with
//! two workers. Where nobody waits for an outcome, the handler counts and sums, and the run asserts
//! that each item arrived exactly once. Where each item is awaited, the answer is the item plus
//! one, and each producer asserts that it got the answer to its own.

pub mod added;
pub mod awaited;
pub mod hard;
pub mod overhead;
pub mod page;

use std::ops::Range;
use std::time::{Duration, Instant};

/// Items in a full batch.
pub const BATCH: usize = 1_000;
/// Items that may wait.
pub const QUEUE: usize = 100_000;

/// A way to do the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// `Batcher::add`.
    Add,
    /// `Local::add`.
    Local,
    /// tokio `mpsc` with `recv_many`.
    RecvMany,
    /// `Batcher::submit`.
    Submit,
    /// tokio `mpsc`, and a `oneshot` for each item.
    Oneshot,
    /// The crate batch-aint-one.
    BatchAintOne,
}

impl Case {
    /// Those where nobody waits for an outcome, then the others.
    pub const ALL: [Self; 6] =
        [Self::RecvMany, Self::Add, Self::Local, Self::Oneshot, Self::Submit, Self::BatchAintOne];

    /// As it is written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Local => "local",
            Self::RecvMany => "recv_many",
            Self::Submit => "submit",
            Self::Oneshot => "oneshot",
            Self::BatchAintOne => "batch_aint_one",
        }
    }

    /// The case of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }

    /// Whether each item's outcome is awaited.
    #[must_use]
    pub const fn is_awaited(self) -> bool {
        matches!(self, Self::Submit | Self::Oneshot | Self::BatchAintOne)
    }

    /// Does the job, and panics if it was not done right.
    pub async fn run(self, producers: u64, items: u64) {
        match self {
            Self::Add => added::add(producers, items).await,
            Self::Local => added::local(producers, items).await,
            Self::RecvMany => added::recv_many(producers, items).await,
            Self::Submit => awaited::submit(producers, items).await,
            Self::Oneshot => awaited::oneshot(producers, items).await,
            Self::BatchAintOne => awaited::batch_aint_one(producers, items).await,
        }
    }
}

/// A runtime with two workers.
///
/// # Panics
///
/// If the system refuses the threads.
#[must_use]
#[expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]
pub fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("a runtime")
}

/// Runs a case on a runtime of its own.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
pub fn time(case: Case, producers: u64, items: u64) -> Duration {
    let runtime = runtime();
    let start = Instant::now();
    runtime.block_on(case.run(producers, items));
    start.elapsed()
}

/// Runs one task for each producer over its share of `0..items`, and waits for all.
#[expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]
pub(crate) async fn produce<F, Fut>(producers: u64, items: u64, task: F)
where
    F: Fn(Range<u64>) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let share = |n: u64| n * items / producers;
    let tasks: Vec<_> =
        (0..producers).map(|n| tokio::spawn(task(share(n)..share(n + 1)))).collect();
    for task in tasks {
        task.await.expect("a producer panicked");
    }
}
