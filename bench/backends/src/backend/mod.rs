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

    /// Begins what takes away most of the backend; it ends with [`Disturbance::end`].
    fn disturb(&self) -> Later<'_, anyhow::Result<Disturbance>>;

    /// Processor time of the backend so far; the difference of two is what a run took.
    fn cpu(&self) -> Duration;

    /// The part of [`Site::cpu`] that this process used, on the backend's behalf.
    fn cpu_here(&self) -> Duration {
        Duration::ZERO
    }
}

/// What takes away most of a backend while it lasts.
pub(crate) enum Disturbance {
    /// Another process beside it.
    Neighbour(crate::child::Child),
    /// The backend itself, at this address, is told to be slower.
    Slow(http::Address),
}

impl Disturbance {
    /// Ends it.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Neighbour(child) => child.end().await,
            Self::Slow(address) => http::slow_down(address, 1.0).await,
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
