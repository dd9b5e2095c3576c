//! What is written to? A site is a backend that runs, and lends out fresh tables, one a run.
//!
//! | backend | an attempt is | concurrency is |
//! |---|---|---|
//! | [`sqlite`] | one transaction of prepared inserts | connections, each with its thread, that queue on the lock |
//! | [`postgres`] | one binary COPY | connections of a pool, all open beforehand |
//! | [`http`] | one POST of lines of JSON | keep-alive connections |
//!
//! A new backend is a file here, an implementation of both traits, and a row above.

pub(crate) mod http;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tidegate::Outcome;

/// A future that a trait object can answer with.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A table that is written to.
pub(crate) trait Backend: Send + Sync {
    /// Writes these many items at once.
    fn attempt(self: Arc<Self>, items: u32) -> Later<'static, Outcome>;

    /// The first thing that went wrong, in the backend's own words.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A backend that runs.
pub(crate) trait Site: Send + Sync {
    /// What it is, with its version.
    fn describe(&self) -> String;

    /// An empty table, with these many connections open.
    fn fresh(&self, connections: u32) -> Later<'_, anyhow::Result<Arc<dyn Backend>>>;

    /// What a server's configuration says of it, a setting a line; there is nothing in it yet.
    fn sink(&self) -> Later<'_, anyhow::Result<String>>;

    /// How many items it has of the sink that was handed out last.
    fn taken(&self) -> Later<'_, anyhow::Result<u64>>;

    /// Begins what disturbs it; that ends with [`Disturbance::end`].
    fn disturb(&self, kind: Disturb) -> Later<'_, anyhow::Result<Disturbance>>;

    /// Processor time of the backend so far; the difference of two is what a run took.
    fn cpu(&self) -> Duration;

    /// The part of [`Site::cpu`] that this process used, on the backend's behalf.
    fn cpu_here(&self) -> Duration {
        Duration::ZERO
    }
}

/// What disturbs a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Disturb {
    /// Most of it is taken away: busy loops and a writer beside a database; the stand-in ten times
    /// slower
    Neighbour,
    /// The table grows indexes, and keeps them
    Indexes,
    /// A vacuum and a checkpoint in PostgreSQL, a checkpoint of the whole log in SQLite
    Maintenance,
}

/// What disturbs a backend while it lasts.
pub(crate) enum Disturbance {
    /// Another process beside it.
    Neighbour(crate::child::Child),
    /// The backend itself, at this address, is told to be slower.
    Slow(http::Address),
    /// Statements of somebody else's.
    Work(tokio::task::JoinHandle<anyhow::Result<()>>),
}

impl Disturbance {
    /// Ends it.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Neighbour(child) => child.end().await,
            Self::Slow(address) => http::slow_down(address, 1.0).await,
            Self::Work(work) => work.await.context("statements broke")?,
        }
    }
}

/// Remembers the first thing that went wrong.
#[derive(Debug, Default)]
pub(crate) struct FirstTrouble(std::sync::OnceLock<String>);

impl FirstTrouble {
    /// Notes it, if it is the first.
    pub(crate) fn note(&self, what: impl std::fmt::Display) {
        self.0.get_or_init(|| what.to_string());
    }

    /// What it was.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}
